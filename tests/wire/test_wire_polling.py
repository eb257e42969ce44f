"""Reading through a platform that fails: the state is visible, and reading comes back by itself."""

from __future__ import annotations

import asyncio

import aiohttp

from harness import Stage
from wire_host import PATIENCE_S

SLOW_S = 25.0


async def test_a_second_poller_is_a_visible_state_that_ends(stage: Stage) -> None:
    """409: the status names it and what to do, no message is lost, and reading goes on when the other one is gone."""
    ann = stage.person()
    host = await stage.reading()
    url = f"{stage.tg.root}/bot{stage.tg.token}/getUpdates"
    async with aiohttp.ClientSession() as session:
        other = asyncio.create_task(_poll(session, url))
        status = await host.status_when(lambda s: s["reader"]["state"] == "conflict")
        assert "another program" in status["reader"]["error"]
        assert status["owner"]["pid"] == host.process.pid
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
    ann.send("after the conflict")
    assert (await host.event(SLOW_S)).content == "after the conflict"
    await host.status_when(lambda s: s["reader"]["state"] == "reading")


async def _poll(session: aiohttp.ClientSession, url: str) -> None:
    """A program that polls without an offset, again whenever it is thrown out."""
    while True:
        async with session.post(url, json={"timeout": 30}) as answer:
            await answer.read()


async def test_a_webhook_is_removed_and_said(stage: Stage) -> None:
    """A webhook stands in the way of polling: it is removed without dropping what waits, and the status says so."""
    ann = stage.person()
    async with aiohttp.ClientSession() as session:
        url = f"{stage.tg.root}/bot{stage.tg.token}/setWebhook"
        async with session.post(url, json={"url": "https://example.com/hook"}) as answer:
            assert answer.status == 200
    ann.send("waiting behind the webhook")
    host = await stage.host()
    assert (await host.event(SLOW_S)).content == "waiting behind the webhook"
    assert "webhook" in (await host.status())["reader"]["note"]
    assert len(stage.tg.calls_of("deleteWebhook")) == 1


async def test_faults_of_every_kind_end_in_the_first_message(stage: Stage) -> None:
    """500s, web pages instead of JSON, nonsense and dropped connections: then the message arrives, once."""
    ann = stage.person()
    host = await stage.reading()
    add = stage.tg.faults.add
    add("error", method="getUpdates", status=500, times=1)
    add("html", method="getUpdates", status=502, times=1)
    add("error", method="getUpdates", status=200, body="[]", times=1)
    add("drop_before", method="getUpdates", times=1)
    ann.send("through it all")
    await host.status_when(lambda s: s["reader"]["error"] is not None)
    # The first of the two was handed out by the poll that was waiting when the faults began.
    ann.send("and again")
    assert [event.content for event in await host.take(2, 40)] == ["through it all", "and again"]
    await host.status_when(lambda s: s["reader"]["state"] == "reading", SLOW_S)
    assert len(host.events) == 2


async def test_a_platform_that_is_down_at_the_start(stage: Stage) -> None:
    """Who the bot is cannot be asked for a while: the server says so, retries without hurry, and then reads."""
    ann = stage.person()
    ann.send("early")
    stage.tg.faults.down()
    host = await stage.host()
    status = await host.status_when(lambda s: s["reader"]["state"] == "unreachable")
    assert status["reader"]["error"]
    assert status["last_poll_ok"] is None
    stage.tg.faults.clear()
    assert (await host.event(SLOW_S)).content == "early"
    assert (await host.status())["last_poll_ok"]


async def test_a_silent_connection_is_noticed(stage: Stage) -> None:
    """A poll that is never answered is given up after its time-out and ten seconds; then the message arrives."""
    ann = stage.person()
    host = await stage.reading(TELEGRAM_POLL_TIMEOUT_S="1")
    silence = stage.tg.faults.add("silence", method="getUpdates", times=1)
    ann.send("the last one that was heard")
    await host.event()
    ann.send("anybody?")
    assert (await host.event(SLOW_S)).content == "anybody?"
    assert silence.times == 0


async def test_every_wanted_kind_is_named_at_every_poll(stage: Stage) -> None:
    """What the platform sends is sticky: each poll names its kinds, the time-out, and an offset once it has one."""
    ann = stage.person()
    host = await stage.reading()
    for number in range(3):
        ann.send(f"{number}")
        await host.event()
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, PATIENCE_S)
    polls = stage.tg.calls_of("getUpdates")
    assert len(polls) >= 3
    for poll in polls:
        assert {"message", "edited_message", "callback_query", "my_chat_member"} <= set(poll.params["allowed_updates"])
    # The first does not wait, so that it shows at once whether the bot can be read.
    assert {int(poll.params["timeout"]) for poll in polls[1:]} == {30}
    assert "offset" in polls[-1].params
    assert stage.tg.calls_of("setMyCommands") == []
