"""It heals itself: after any outage the first message comes soon, and what only a person can mend says how."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from faults_harness import Account, Gate, Note, calls_since, since, together, world
from harness import Host, Stage

DELIVERED_WITHIN_S = 5.0
# The long poll's second, ten more until the connection counts as dead, and the pause before the next try.
SILENT_WITHIN_S = 12.5
OUTAGE_S = 6.0
FULL_OUTAGE_S = 20.0


async def outage(stage: Stage, seconds: float) -> None:
    """Returns when calls have been failing for so long."""
    calls = stage.tg.calls
    mark = len(calls)
    await stage.tg.wait_for(lambda: len(calls) > mark and calls[-1].at - calls[mark].at >= seconds, seconds + 10)


async def heals(stage: Stage, host: Host, within: float, *, text: str = "after the outage") -> float:
    """The first message after the recovery is shown in time; returns the seconds it took."""
    ann = stage.person()
    began = time.perf_counter()
    ann.send(text)
    await host.until(lambda: any(event.content == text for event in host.events), within + 10, text)
    took = since(began)
    assert [event.content for event in host.events].count(text) == 1
    # And answering works again too.
    await host.done("reply", chat_id=ann.id, text="here again")
    return took


async def faulty(folder: Path, kind: str, seconds: float) -> float:
    """Every request fails for so long."""
    async with world(folder) as stage:
        book = Account(hosts=[await stage.reading()])
        host = book.hosts[0]
        if kind == "down":
            stage.tg.faults.down()
            # Cut connections leave no trace at the server; the client's own account is the clock.
            await host.status_when(lambda s: s["reader"]["state"] == "unreachable")
            began = time.perf_counter()
            await host.status_when(lambda _: since(began) >= seconds, seconds + 5)
        else:
            stage.tg.faults.add("html" if kind == "html" else "error", status=502 if kind == "html" else 500)
            await outage(stage, seconds)
        assert (await host.status())["reader"]["state"] == "unreachable"
        book.say(stage.person(), "during the outage")
        stage.tg.faults.clear()
        took = await heals(stage, host, DELIVERED_WITHIN_S)
        book.check()
        return took


async def refused(folder: Path, seconds: float) -> float:
    """Nobody listens at the platform's address for so long."""
    async with world(folder) as stage, Gate(stage.tg.port) as gate:
        host = await stage.host(TELEGRAM_API_ROOT=gate.root)
        await stage.tg.wait_for(lambda: stage.tg.polling)
        await gate.refuse()
        status = await host.status_when(
            lambda s: s["reader"]["state"] == "unreachable" and "reached" in s["reader"]["error"]
        )
        assert "cannot be reached" in status["reader"]["error"]
        began = time.perf_counter()
        await host.status_when(lambda _: since(began) >= seconds, seconds + 5)
        await gate.open()
        return await heals(stage, host, DELIVERED_WITHIN_S)


async def no_name(folder: Path) -> float:
    """The platform's name does not resolve; then config.yaml names one that does, and nobody restarts anything."""
    async with world(folder, api_root="https://name.invalid") as stage:
        host = await stage.host(TELEGRAM_API_ROOT=None)
        status = await host.status_when(lambda s: s.get("reader", {}).get("state") == "unreachable", 20)
        assert "cannot be reached" in status["reader"]["error"]
        stage.config(grace_s=0, api_root=stage.tg.root)
        return await heals(stage, host, DELIVERED_WITHIN_S)


async def silent_request(folder: Path) -> float:
    """One long poll is never answered."""
    async with world(folder) as stage:
        host = await stage.reading()
        rule = stage.tg.faults.add("silence", method="getUpdates", times=1)
        await host.status_when(lambda _: rule.times == 0)
        return await heals(stage, host, SILENT_WITHIN_S)


async def silent_wire(folder: Path) -> float:
    """Every connection goes silent without being closed, as behind a router that forgot them."""
    async with world(folder) as stage, Gate(stage.tg.port) as gate:
        host = await stage.host(TELEGRAM_API_ROOT=gate.root)
        await stage.tg.wait_for(lambda: stage.tg.polling)
        gate.forget()
        return await heals(stage, host, SILENT_WITHIN_S)


@pytest.mark.timeout(120)
async def test_the_first_message_after_an_outage_comes_by_itself(tmp_path: Path, note: Note) -> None:
    """500s (20 s of them), 502 pages, cut and refused connections, a name without an address, silent connections."""
    took = await together(
        {
            "20 s of 500": faulty(tmp_path / "long", "error", FULL_OUTAGE_S),
            "500": faulty(tmp_path / "error", "error", OUTAGE_S),
            "502 with HTML": faulty(tmp_path / "html", "html", OUTAGE_S),
            "connections cut": faulty(tmp_path / "down", "down", OUTAGE_S),
            "connections refused": refused(tmp_path / "refused", OUTAGE_S),
            "name does not resolve": no_name(tmp_path / "name"),
            "silent request": silent_request(tmp_path / "silent"),
            "silent wire": silent_wire(tmp_path / "wire"),
        },
        at_once=8,
    )
    for name, seconds in took.items():
        note("self-healing: end of the outage -> first message shown", f"{name:<22} {seconds:5.2f} s")


async def test_a_revoked_token_is_told_and_a_new_one_is_noticed(stage: Stage) -> None:
    """401: the state says so and names the way out; after `channels setup` reading goes on without a restart."""
    env = {"TELEGRAM_BOT_TOKEN": None}
    assert (await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, **env)).code == 0
    host = await stage.reading(**env)
    new = stage.tg.revoke_token()
    status = await host.status_when(lambda s: s["reader"]["state"] == "unauthorized")
    assert "wrong or revoked" in status["reader"]["error"]
    assert "channels setup telegram" in status["reader"]["error"]
    told = await host.refused("reply", chat_id=stage.person().id, text="hello")
    assert "channels setup telegram" in told
    ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=new, **env)
    assert ran.code == 0, ran.err
    await heals(stage, host, DELIVERED_WITHIN_S)
    assert (await host.status())["reader"]["state"] == "reading"
    assert new not in stage.everything_said()


async def test_a_revoked_token_is_not_asked_for_all_the_time(stage: Stage) -> None:
    """A refused token is tried again with growing pauses, seconds apart."""
    host = await stage.reading()
    stage.tg.revoke_token()
    mark = len(stage.tg.calls)
    await host.status_when(lambda s: s["reader"]["state"] == "unauthorized")
    await stage.tg.wait_for(lambda: len(calls_since(stage.tg, mark, "getUpdates", code=401)) >= 2, 20)
    tries = [call.at for call in calls_since(stage.tg, mark, "getUpdates", code=401)]
    assert tries[-1] - tries[-2] > 3


async def test_a_person_who_blocked_the_bot_is_told_to_the_agent(stage: Stage) -> None:
    """403: the reply says who has to do what; it is not tried again; unblocked, everything works again."""
    ann, bob = stage.person(), stage.person("bob")
    host = await stage.reading()
    ann.block()
    mark = len(stage.tg.calls)
    told = await host.refused("reply", chat_id=ann.id, text="hello")
    assert "blocked the bot" in told
    assert "only they can unblock it" in told
    assert len(calls_since(stage.tg, mark, "sendMessage")) == 1
    await host.done("reply", chat_id=bob.id, text="others still can")
    ann.unblock()
    ann.send("sorry")
    assert (await host.event()).content == "sorry"
    await host.done("reply", chat_id=ann.id, text="welcome back")


async def test_a_webhook_set_elsewhere_is_removed_and_said(stage: Stage) -> None:
    """A webhook that blocks reading is taken away, the status says so, and nothing that waited is lost."""
    ann = stage.person()
    stage.tg.state.updates.webhook = {"url": "https://elsewhere.example/hook"}
    ann.send("before")
    host = await stage.host()
    assert (await host.event()).content == "before"
    status = await host.status()
    assert status["reader"]["state"] == "reading"
    assert "webhook" in status["reader"]["note"]
    assert "removed" in status["reader"]["note"]
    assert not stage.tg.state.updates.webhook


async def test_a_webhook_set_again_and_again_is_no_hot_loop(stage: Stage) -> None:
    """Another machine that keeps setting a webhook: the state says what it is, and the tries stay bounded."""
    host = await stage.reading()
    stage.tg.faults.add("error", method="getUpdates", status=409, body=_webhook_conflict())
    status = await host.status_when(lambda s: s["reader"]["state"] == "conflict")
    assert "webhook" in status["reader"]["error"]
    mark, began = len(stage.tg.calls), time.perf_counter()
    await host.status_when(lambda _: since(began) > 5)
    assert len(calls_since(stage.tg, mark, "getUpdates")) <= 5
    stage.tg.faults.clear()
    await heals(stage, host, 10)


def _webhook_conflict() -> dict[str, object]:
    text = (
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    )
    return {"ok": False, "error_code": 409, "description": text}


async def test_a_second_poller_on_another_machine_is_told(stage: Stage, note: Note) -> None:
    """Somebody else polls the same bot: a state of its own with the way out, no storm of 409s, nothing lost to us."""
    ann = stage.person()
    host = await stage.reading()
    mark, began = len(stage.tg.calls), time.perf_counter()
    url = f"{stage.tg.root}/bot{stage.tg.token}/getUpdates"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as other:
        # The other one polls on whenever it is thrown out, for six seconds.
        while since(began) < 6:
            async with other.post(url, json={"timeout": 2}) as answer:
                await answer.read()
        status = await host.status_when(lambda s: s["reader"]["state"] == "conflict")
    assert "another program is polling this bot" in status["reader"]["error"]
    assert "revoke the token" in status["reader"]["error"]
    conflicts = len(calls_since(stage.tg, mark, "getUpdates", code=409))
    note("second poller", f"six seconds beside a second poller: {conflicts} 409s")
    assert conflicts <= 14
    ann.send("alone again")
    began = time.perf_counter()
    assert (await host.event()).content == "alone again"
    assert (await host.status())["reader"]["state"] == "reading"


async def test_every_trouble_has_a_state_of_its_own(stage: Stage) -> None:
    """Revoked, unreachable, conflict and rate limited are told apart, each in words of its own."""
    host = await stage.reading()
    said = {}
    for state, fault in {
        "rate limited": {"kind": "flood", "retry_after": 1},
        "unreachable": {"kind": "error", "status": 500},
        "conflict": {
            "kind": "error",
            "status": 409,
            "body": {"ok": False, "error_code": 409, "description": "Conflict"},
        },
        "unauthorized": {
            "kind": "error",
            "status": 401,
            "body": {"ok": False, "error_code": 401, "description": "Unauthorized"},
        },
    }.items():
        stage.tg.faults.clear()
        stage.tg.faults.add(method="getUpdates", **fault)
        found = await host.status_when(lambda s, state=state: s["reader"]["state"] == state, 15)
        said[state] = found["reader"]["error"]
    assert all(said.values())
    assert len(set(said.values())) == len(said)
    # The command line says the same.
    words = (await stage.cli("status", "telegram")).out
    assert said["unauthorized"] in words
    stage.tg.faults.clear()


async def test_a_setting_changed_while_calls_are_made_fails_none_of_them(stage: Stage) -> None:
    """The line is opened again with the new setting; calls wait for it instead of failing without a reason."""
    ann = stage.person()
    host = await stage.reading()
    began, number, failed = time.perf_counter(), 0, []
    while since(began) < 4:
        if number == 5:
            stage.config(grace_s=0, receipts=False)
        result = await host.call("reply", chat_id=ann.id, text=f"reply {number}")
        failed += [result.text] if result.failed else []
        number += 1
    assert failed == []
    assert [message["text"] for message in ann.inbox] == [f"reply {n}" for n in range(number)]
    ann.send("unmarked now")
    assert (await host.event()).content == "unmarked now"
    assert calls_since(stage.tg, 0, "setMessageReaction") == []


async def test_a_setting_changed_in_the_middle_of_a_long_reply_loses_no_part(stage: Stage) -> None:
    """A reply that is on its way when the line is opened again completes, or says what is missing and goes on."""
    ann = stage.person()
    stage.tg.set_flood(per_chat_per_s=1, burst=1)
    host = await stage.reading()
    text = " ".join(f"w{n:05d}" for n in range(3_000))[:16_000].rstrip()
    arguments: dict[str, Any] = {"chat_id": ann.id, "text": text, "idempotency_key": "long"}
    request = host.calling("reply", **arguments)
    await ann.next_message()
    stage.config(grace_s=0, receipts=False)
    first = await host.answered(request, 30)
    if first.failed:
        assert "idempotency_key" in first.text
        await host.call("reply", within=30, **arguments)
    assert " ".join(message["text"] for message in ann.inbox) == text
