"""The command line beside a running server: with and without --json, effective at once; exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.people.pairing import LOCKOUT_S, VALID_S, WRONG_MAX
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Ran, Stage


async def code_of(person: TelegramPerson) -> str:
    """Return the pairing code that a stranger gets."""
    person.send("let me in")
    found = re.search(r"code: ([A-Z0-9]{8})", (await person.next_message())["text"])
    assert found
    return found[1]


async def both(stage: Stage, *arguments: str) -> tuple[Ran, Any]:
    """Run an action with and without --json; neither may fail."""
    plain, machine = await stage.access(*arguments), await stage.access(*arguments, "--json")
    assert (plain.code, machine.code) == (0, 0), plain.err + machine.err
    assert plain.err == machine.err == ""
    return plain, machine.json


async def denied(stage: Stage, code: int, said: str, *arguments: str) -> None:
    """An action that fails: a sentence on stderr, JSON on stdout with --json, the exit code; no traceback."""
    for more in ((), ("--json",)):
        ran = await stage.access(*arguments, *more)
        assert ran.code == code, ran
        assert said in ran.err
        assert "Traceback" not in ran.err
        if more:
            assert ran.json["ok"] is False
            assert said in ran.json["error"]


async def test_pairing_and_its_refusals(stage: Stage) -> None:
    """Wrong, used and denied codes exit with 1 and a sentence; the right code lets the person in."""
    host = await stage.reading()
    ann, bob = stage.tg.person("ann", first_name="Ann <b>"), stage.tg.person("bob")
    anns, bobs = await code_of(ann), await code_of(bob)
    _, known = await both(stage)
    assert [(p["id"], p["username"]) for p in known["pending"]] == [(str(ann.id), "ann"), (str(bob.id), "bob")]
    await denied(stage, 1, "ABCDEFGH", "pair", "ABCDEFGH")
    ran = await stage.access("pair", f" {anns[:4].lower()}-{anns[4:]} ", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["ok"] is True
    assert ran.json["paired"]["id"] == str(ann.id)
    assert "<" not in ran.json["paired"]["name"]
    assert "Paired" in (await ann.next_message())["text"]
    assert (await host.event()).content == "let me in"
    ran = await stage.access("deny", bobs)
    assert ran.code == 0, ran.err
    assert str(bob.id) in ran.out
    await denied(stage, 1, bobs, "pair", bobs)
    # Denied: what he said was dropped, and he may ask again.
    assert (await both(stage))[1]["pending"] == []
    assert len(host.events) == 1


async def test_wrong_codes_lock_approval(stage: Stage) -> None:
    """Five wrong codes lock approval by code for an hour, the right code included; `allow` still works."""
    host = await stage.reading()
    eve = stage.tg.person("eve")
    code = await code_of(eve)
    for _ in range(WRONG_MAX):
        assert (await stage.access("pair", "WRONGONE")).code == 1
    await denied(stage, 1, "locked", "pair", code)
    ran = await stage.access("allow", str(eve.id))
    assert ran.code == 0, ran.err
    assert (await host.event()).content == "let me in"
    with Store.open(stage.state) as store:
        later = Services.of(store, clock=lambda: time.time() + LOCKOUT_S + 1).pairing
        code = str(later.ask(Chat("77", "direct"), Person("77", "Zoe")))
        assert later.approve(code, lambda _: "x").user_id == "77"


async def test_an_expired_code_says_so(stage: Stage) -> None:
    """A code older than an hour is reported as expired, not as wrong."""
    with Store.open(stage.state) as store:
        early = Services.of(store, clock=lambda: time.time() - VALID_S - 1).pairing
        code = str(early.ask(Chat("77", "direct"), Person("77", "Zoe")))
    await denied(stage, 1, "expired", "pair", code)


async def test_allow_remove_and_policy(stage: Stage) -> None:
    """allow, remove and policy take effect at once beside a server; a repetition and an unknown id are reported."""
    host = await stage.reading()
    ann = stage.tg.person("ann")
    plain = await stage.access("allow", str(ann.id))
    assert plain.code == 0
    again = (await stage.access("allow", str(ann.id), "--json")).json
    assert again == {"ok": True, "allowed": str(ann.id), "changed": False}
    ann.send("in")
    assert (await host.event()).content == "in"
    ran = await stage.access("remove", str(ann.id), "--json")
    assert ran.json == {"ok": True, "removed": str(ann.id)}
    await denied(stage, 1, str(ann.id), "remove", str(ann.id))
    await both(stage, "policy", "allowlist")
    assert (await both(stage))[1]["policy"] == "allowlist"
    ann.send("out")
    plain, machine = await both(stage, "policy", "pairing")
    assert "pairing" in plain.out
    assert machine["policy"] == "pairing"
    ann.send("again")
    assert "Your pairing code" in (await ann.next_message())["text"]
    assert len(host.events) == 1


async def test_groups_with_negative_ids(stage: Stage) -> None:
    """Both `group` actions take negative ids as they are, with and without `--`; the answer repeats the rule."""
    await stage.reading()
    group = stage.tg.group("Team", members=[stage.tg.person("ann")])
    assert group.id < 0
    plain, machine = await both(stage, "group", "add", str(group.id), "--no-mention", "--allow", "5,6, 7")
    assert str(group.id) in plain.out
    assert machine["require_mention"] is False
    assert machine["senders"] == ["5", "6", "7"]
    plain, known = await both(stage)
    assert known["groups"] == [
        {"id": str(group.id), "title": "Team", "require_mention": False, "senders": ["5", "6", "7"], "patterns": []}
    ]
    assert str(group.id) in plain.out
    ran = await stage.access("group", "add", "--json", "--", str(group.id))
    assert ran.json["require_mention"] is True
    assert ran.json["senders"] is None
    ran = await stage.access("group", "rm", str(group.id), "--json")
    assert ran.json == {"ok": True, "group": str(group.id), "enabled": False}
    await denied(stage, 1, str(group.id), "group", "rm", str(group.id))


async def test_wrong_usage_exits_2(stage: Stage) -> None:
    """Wrong usage exits with 2 and says what would be right; nothing changes."""
    for arguments in (
        ("pair",),
        ("frobnicate",),
        ("allow", "@ann"),
        ("allow", "5;drop"),
        ("remove", "ann"),
        ("policy", "open"),
        ("group",),
        ("group", "add", "Team"),
        ("group", "add", "-5", "--allow", ","),
        ("group", "add", "-5", "--allow", "ann"),
    ):
        ran = await stage.access(*arguments)
        assert ran.code == 2, (arguments, ran)
        assert ran.err
        assert "Traceback" not in ran.err
    assert (await stage.cli("access", "nochat")).code == 2
    assert (await stage.cli()).code == 0, "without a verb it shows the help"
    assert (await stage.cli("--version")).out.startswith("channels ")
    _, known = await both(stage)
    assert (known["paired"], known["groups"], known["policy"]) == ([], [], "pairing")


async def test_the_status_has_every_fact_and_is_the_tools(stage: Stage) -> None:
    """`status --json` names everything the contract lists, and channel_status gives the same facts."""
    ann = stage.person("ann", first_name="Ann")
    host = await stage.reading()
    stage.tg.group("Team", members=[ann])
    stage.tg.person("eve").send("psst")
    ann.send("one")
    await host.event()
    await host.done("reply", chat_id=ann.id, text="ok")
    ann.send("two")
    await host.event()
    await host.status_when(lambda s: s["inbox"]["offered"] == 2)
    ran = await stage.cli("status", "telegram", "--json")
    assert ran.code == 0, ran.err
    shown, told = ran.json, await host.status()
    assert shown["channel"] == "telegram"
    assert shown["state_dir"] == str(stage.state)
    assert shown["bot"] == {"id": str(stage.tg.bot_id), "username": "sandbox_bot"}
    assert shown["policy"] == "pairing"
    assert [p["id"] for p in shown["paired"]] == [str(ann.id)]
    assert [p["username"] for p in shown["pending"]] == ["eve"]
    assert shown["owner"]["pid"] == host.process.pid
    assert shown["owner"]["project"] == str(stage.project)
    assert shown["mode"]["name"] == "push"
    assert shown["mode"]["why"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["last_poll_ok"])
    assert {key: shown["inbox"][key] for key in ("received", "open", "offered", "answered")} == {
        "received": 2, "open": 1, "offered": 2, "answered": 1
    }  # fmt: skip
    assert shown["problem"] is None
    same = set(shown) & set(told) - {"last_poll_ok"}
    assert {"bot", "policy", "paired", "pending", "owner", "mode", "inbox", "state_dir", "channel"} <= same
    assert {key: shown[key] for key in same} == {key: told[key] for key in same}
    words = await stage.cli("status", "telegram")
    for fact in ("@sandbox_bot", str(host.process.pid), "push", str(stage.state), "1 paired", "1 waiting"):
        assert fact in words.out


async def test_the_status_without_server_and_token(stage: Stage) -> None:
    """Without a server nobody reads the bot and the mode is none. Without a token: exit code 1 and the next step."""
    shown = (await stage.cli("status", "telegram", "--json")).json
    assert shown["owner"] is None
    assert shown["mode"]["name"] == "none"
    assert shown["last_poll_ok"] is None
    assert shown["inbox"] == {**shown["inbox"], "received": 0, "open": 0, "offered": 0, "answered": 0}
    ran = await stage.cli("status", "telegram", "--json", TELEGRAM_BOT_TOKEN=None)
    assert ran.code == 1
    assert ran.json["bot"] is None
    assert "channels setup telegram" in ran.json["problem"]


async def test_state_that_cannot_be_read_is_told(stage: Stage) -> None:
    """A state folder that is a file: every verb exits with 1 and one clear sentence."""
    blocked = stage.folder / "blocked"
    blocked.write_text("I am a file")
    env = {"TELEGRAM_STATE_DIR": str(blocked)}
    for arguments in (("access", "telegram"), ("access", "telegram", "pair", "ABCDEFGH"), ("status", "telegram")):
        ran = await stage.cli(*arguments, **env)
        assert ran.code == 1
        assert str(blocked) in ran.err
        assert "Traceback" not in ran.err


async def test_many_commands_at_once_beside_a_busy_server(stage: Stage) -> None:
    """Eight writers at once beside a server that journals: nothing is refused for a lock, nothing is lost."""
    ann = stage.person()
    host = await stage.reading()
    for number in range(200):
        ann.send(f"{number}")
    runs = await asyncio.gather(*(stage.access("allow", str(9000 + number)) for number in range(8)))
    assert [ran.code for ran in runs] == [0] * 8, [ran.err for ran in runs]
    assert [event.content for event in await host.take(200)] == [f"{number}" for number in range(200)]
    _, known = await both(stage)
    assert {str(9000 + number) for number in range(8)} <= {p["id"] for p in known["paired"]}


async def test_a_pairing_without_a_server_is_told_by_the_next_one(stage: Stage) -> None:
    """Paired while the platform is unreachable: the next server that reads the bot tells the person, once."""
    host = await stage.reading()
    ann = stage.tg.person("ann")
    code = await code_of(ann)
    await host.kill()
    stage.tg.faults.add("error", method="*", status=502)
    ran = await stage.access("pair", code, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["told"] == "later"
    stage.tg.faults.clear()
    host = await stage.reading()
    assert "Paired" in (await ann.next_message())["text"]
    assert (await host.event()).content == "let me in"


async def test_strangers_are_limited(stage: Stage) -> None:
    """Three may wait, each gets two answers with one code; others are told to try later; the operator sees how many."""
    host = await stage.reading()
    people = [stage.tg.person(f"p{number}") for number in range(5)]
    for _ in range(3):
        for person in people:
            person.send("hello")
    marker = stage.person("zoe")
    marker.send("end")
    assert (await host.event()).content == "end"
    await stage.tg.wait_for(lambda: sum(len(person.inbox) for person in people) == 8 or None)
    assert [len(person.inbox) for person in people] == [2, 2, 2, 1, 1]
    for person in people[:3]:
        texts = [message["text"] for message in person.inbox]
        assert len({re.search(r"\b[A-HJ-NP-Z2-9]{8}\b", text)[0] for text in texts}) == 1  # type: ignore[index]
        assert ["not answer here again" in text for text in texts] == [False, True]
    assert f"allow {people[4].id}" in people[4].inbox[0]["text"]
    plain, known = await both(stage)
    assert len(known["pending"]) == 3
    assert "more asked" in plain.out


@pytest.mark.parametrize("command", ["start", "help", "status"])
async def test_commands_are_answered_behind_the_gate(stage: Stage, command: str) -> None:
    """/start, /help and /status answer paired people without the agent; a stranger gets a code for anything."""
    ann, eve = stage.person(), stage.tg.person("eve")
    host = await stage.reading()
    ann.send(f"/{command}")
    answer = (await ann.next_message())["text"]
    assert "code" not in answer
    assert {"start": "paired", "help": "/status", "status": "@sandbox_bot"}[command] in answer
    eve.send(f"/{command}")
    assert "Your pairing code" in (await eve.next_message())["text"]
    ann.send("/deploy now")
    event = await host.event()
    assert event.content == "/deploy now"


async def test_json_is_one_line_of_json(stage: Stage) -> None:
    """Every --json answer is one line of valid JSON, whatever people call themselves."""
    stage.person("ann", first_name='"}\n{"x')
    with Store.open(stage.state) as store:
        Services.of(store).pairing.ask(Chat("78", "direct"), Person("78", '"}\n\x1b[31m'))
    for arguments in (("access", "telegram", "--json"), ("access", "telegram", "status", "--json"),
                      ("status", "telegram", "--json")):  # fmt: skip
        ran = await stage.cli(*arguments)
        assert ran.out.count("\n") == 1
        assert "\x1b" not in json.dumps(ran.json, ensure_ascii=False)
