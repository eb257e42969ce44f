"""Every message is accounted for: offered, answered or still open; and the person is told what is known, once."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import Note, calls_since, inbox_states, since
from harness import Event, Host, Stage
from wire_host import eventually

RECEIVED, WAITING = "👀", "😴"


async def shown(host: Host, text: str, timeout: float = 10) -> Event:
    """The host's event with this text."""
    await host.until(lambda: any(event.content == text for event in host.events), timeout, text)
    return next(event for event in host.events if event.content == text)


async def entries(stage: Stage, *options: str) -> list[dict[str, Any]]:
    """What `channels inbox telegram --json` lists."""
    ran = await stage.cli("inbox", "telegram", "--json", *options)
    assert ran.code == 0, ran.err
    return list(ran.json["messages"])


async def states(stage: Stage) -> dict[str, str]:
    """The state of every entry, by text."""
    return {entry["text"]: entry["state"] for entry in await entries(stage)}


async def said(stage: Stage, person: TelegramPerson, *words: str, timeout: float = 10) -> str:
    """The first message of the bot to a person that holds all the words."""

    def found() -> str | None:
        return next((m["text"] for m in person.inbox if all(word in m["text"] for word in words)), None)

    return await stage.tg.wait_for(found, timeout)


def marks(stage: Stage, message_id: int) -> list[str]:
    """Every mark that the bot ever put on a message, in order."""
    calls = [call.params for call in calls_since(stage.tg, 0, "setMessageReaction", code=200)]
    return [c["reaction"][0]["emoji"] for c in calls if int(c["message_id"]) == message_id and c["reaction"]]


# ---- what counts as an answer


@pytest.mark.parametrize("how", ["reply", "react", "edit_message"])
async def test_an_action_of_the_session_in_the_chat_is_an_answer(stage: Stage, how: str) -> None:
    """Reply, react and edit answer everything that was offered from the chat before, and nothing of other chats."""
    ann, bob = stage.person(), stage.person("bob")
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="working")
    working = ann.inbox[-1]["message_id"]
    first, _ = ann.send("one"), ann.send("two")
    bob.send("three")
    await host.take(3)
    assert await states(stage) == {"one": "offered", "two": "offered", "three": "offered"}
    arguments = {
        "reply": {"text": "yes"},
        "react": {"message_id": first["message_id"], "emoji": "👍"},
        "edit_message": {"message_id": working, "text": "done"},
    }
    await host.done(how, chat_id=ann.id, **arguments[how])
    assert await states(stage) == {"one": "answered", "two": "answered", "three": "offered"}
    assert [entry["text"] for entry in await entries(stage, "--open")] == ["three"]


async def test_what_fails_or_only_looks_is_no_answer(stage: Stage) -> None:
    """A refused reply, an unknown fate, a status, a download: the entry stays open."""
    ann = stage.person()
    host = await stage.reading()
    sent = ann.send("one")
    await shown(host, "one")
    await host.refused("reply", chat_id=ann.id, text="")
    stage.tg.faults.add("drop_after", method="sendMessage", times=1)
    await host.refused("reply", chat_id=ann.id, text="unknown")
    await host.refused("react", chat_id=ann.id, message_id=sent["message_id"], emoji="✅")
    await host.refused("download_attachment", chat_id=ann.id, message_id=sent["message_id"])
    await host.status()
    assert await states(stage) == {"one": "offered"}


async def test_only_the_session_that_was_offered_it_can_answer(stage: Stage) -> None:
    """Another session on the same STATE_DIR may send into the chat; the entry stays open until its own one acts."""
    ann = stage.person()
    host = await stage.reading()
    other = await stage.host()
    ann.send("for the reader")
    await shown(host, "for the reader")
    await other.done("reply", chat_id=ann.id, text="from somebody else")
    assert await states(stage) == {"for the reader": "offered"}
    await host.done("reply", chat_id=ann.id, text="from the reader")
    assert await states(stage) == {"for the reader": "answered"}


async def test_a_reconnected_host_session_is_the_same_agent(stage: Stage) -> None:
    """With the host's own session id, an answer through the new server counts at once for what the old one showed."""
    ann = stage.person()
    env = {"CLAUDE_CODE_SESSION_ID": "5e0c2d9e-1111-4222-8333-944455556666"}
    host = await stage.reading(**env)
    ann.send("one")
    event = await shown(host, "one")
    await host.kill()
    again = await stage.host(**env)
    repeated = await shown(again, "one")
    assert repeated.meta["redelivered"] == "true"
    assert repeated.meta["delivery_id"] == event.meta["delivery_id"]
    await again.done("reply", chat_id=ann.id, text="yes")
    assert await states(stage) == {"one": "answered"}


# ---- the inbox verb


async def test_the_inbox_lists_entries_with_state_and_age(stage: Stage) -> None:
    """As JSON and in words: ids, state, age, who and what; --open leaves out what was answered."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("first")
    event = await shown(host, "first")
    await host.done("reply", chat_id=ann.id, text="ok")
    ann.send("second \u202e<b>")
    await host.until(lambda: len(host.events) == 2)
    first, second = await entries(stage)
    assert first["delivery_id"] == event.meta["delivery_id"]
    assert (first["state"], first["open"], first["offers"]) == ("answered", False, 1)
    assert (second["state"], second["open"]) == ("offered", True)
    assert (second["chat_id"], second["user"]) == (str(ann.id), "ann")
    assert 0 <= second["age_s"] < 30
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", second["received_at"])
    words = (await stage.cli("inbox", "telegram", "--open")).out
    assert "second" in words
    assert "offered" in words
    assert "first" not in words
    assert "\u202e" not in words
    assert len(await entries(stage, "--limit", "1")) == 1


async def test_redeliver_offers_an_entry_again(stage: Stage) -> None:
    """Beside a running server it comes at once, without one at the next start: marked, with its delivery id."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("one")
    event = await shown(host, "one")
    await host.done("reply", chat_id=ann.id, text="ok")
    delivery_id = event.meta["delivery_id"]
    ran = await stage.cli("inbox", "telegram", "--redeliver", delivery_id, "--json")
    assert ran.json == {"ok": True, "redelivered": delivery_id}
    await host.until(lambda: len(host.events) == 2, what="the entry again")
    assert host.events[1].meta["redelivered"] == "true"
    assert host.events[1].meta["delivery_id"] == delivery_id
    await host.done("reply", chat_id=ann.id, text="ok again")
    assert await states(stage) == {"one": "answered"}
    await host.kill()
    assert (await stage.cli("inbox", "telegram", "--redeliver", delivery_id)).code == 0
    second = await stage.host()
    assert (await second.event()).meta["redelivered"] == "true"


async def test_drop_gives_an_entry_up(stage: Stage) -> None:
    """A dropped entry is never offered again; the rest is."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("one")
    ann.send("two")
    one, _ = await host.take(2)
    ran = await stage.cli("inbox", "telegram", "--drop", one.meta["delivery_id"], "--json")
    assert ran.json == {"ok": True, "dropped": one.meta["delivery_id"]}
    assert [entry["text"] for entry in await entries(stage)] == ["two"]
    await host.kill()
    second = await stage.host()
    assert (await second.event()).content == "two"
    await second.done("reply", chat_id=ann.id, text="ok")
    assert [event.content for event in second.events] == ["two"]


@pytest.mark.parametrize("option", ["--redeliver", "--drop"])
async def test_an_unknown_delivery_id_is_said(stage: Stage, option: str) -> None:
    """Exit 1 with the id and where to find right ones."""
    stage.person()
    ran = await stage.cli("inbox", "telegram", option, "7.1")
    assert ran.code == 1
    assert "'7.1'" in ran.err
    assert "--json" in ran.err


# ---- what people are told


async def test_a_person_is_told_once_that_a_message_waits(stage: Stage) -> None:
    """Offered but not answered: said after wait_notice_after_s, once for all that waits, not again after a restart."""
    stage.config(grace_s=0, wait_notice_after_s=1)
    ann = stage.person()
    host = await stage.reading()
    for text in ("one", "two", "three"):
        ann.send(text)
    await host.take(3)
    told = await said(stage, ann, "saved")
    assert told == "Your 3 messages are saved and with the agent's session, but there is no answer yet."
    await host.kill()
    second = await stage.host()
    await second.take(3)
    # A fourth one is told of alone: the first three were.
    ann.send("four")
    told = await said(stage, ann, "Your message is")
    assert told == "Your message is saved and with the agent's session, but there is no answer yet."
    assert len([m for m in ann.inbox if "saved" in m["text"]]) == 2


async def test_a_person_who_gets_an_answer_is_told_nothing(stage: Stage) -> None:
    """Whoever is answered in time hears only the answer."""
    stage.config(grace_s=0, wait_notice_after_s=2)
    ann, bob = stage.person(), stage.person("bob")
    host = await stage.reading()
    ann.send("quick")
    await shown(host, "quick")
    await host.done("reply", chat_id=ann.id, text="here")
    bob.send("slow")
    await said(stage, bob, "saved")
    assert [m["text"] for m in ann.inbox] == ["here"]


async def test_zero_means_nobody_is_told(stage: Stage) -> None:
    """wait_notice_after_s: 0 says nothing, neither of waiting nor of being late."""
    stage.config(grace_s=0, wait_notice_after_s=0)
    ann = stage.person()
    host = await stage.reading()
    ann.send("one")
    await shown(host, "one")
    await host.kill()
    ann.send("two")
    began = time.perf_counter()
    second = await stage.host()
    await second.take(2)
    await second.status_when(lambda _: since(began) > 2)
    assert ann.inbox == []


async def test_the_reason_is_said_when_it_is_known(stage: Stage, note: Note) -> None:
    """The host does not read its pipe: the person is told that nobody picked it up, and why."""
    stage.config(grace_s=0, wait_notice_after_s=12)
    ann = stage.person()
    host = await stage.reading()
    host.stop_reading()
    for number in range(600):
        ann.send(f"{number} " + "x" * 500)
    told = await said(stage, ann, "no agent has picked up yet", timeout=30)
    assert re.search(r"its program has not read anything for \d\d s", told)
    assert "Nothing is lost" in told
    note("what a person reads while the host is silent", told)
    # The command line says it too: the server cannot, nobody reads what it says.
    mode = (await stage.cli("status", "telegram", "--json")).json["mode"]
    assert mode["name"] == "push"
    host._pipe(1).resume_reading()
    await host.take(600, 20)
    await host.done("reply", chat_id=ann.id, text="sorry, I was stuck")
    assert inbox_states(stage.state) == {"answered": 600}


async def test_a_late_pick_up_is_said(stage: Stage) -> None:
    """What was written while no server ran: at the next start the person is told that it was kept, and how many."""
    stage.config(grace_s=0, wait_notice_after_s=1)
    ann = stage.person()
    host = await stage.reading()
    await host.kill()
    began = time.perf_counter()
    for text in ("one", "two", "three"):
        ann.send(text)
    # Older than the limit, also in the platform's whole seconds.
    await eventually(lambda: since(began) > 2.1, "the limit")
    second = await stage.host()
    await second.take(3)
    told = await said(stage, ann, "while I was away")
    assert told == "3 messages saved while I was away, and now with the agent."
    await second.done("reply", chat_id=ann.id, text="here")
    assert len([m for m in ann.inbox if "away" in m["text"]]) == 1


# ---- marks


async def test_marks_say_received_then_waiting_then_received(stage: Stage) -> None:
    """👀 when it is kept, 😴 on the newest when nobody answers, 👀 again once the agent acts; each once."""
    stage.config(grace_s=0, wait_notice_after_s=1)
    ann = stage.person()
    host = await stage.reading()
    one, two = ann.send("one"), ann.send("two")
    await host.take(2)
    await stage.tg.wait_for(lambda: marks(stage, one["message_id"]) == [RECEIVED])
    await stage.tg.wait_for(lambda: marks(stage, two["message_id"]) == [RECEIVED, WAITING])
    await host.done("reply", chat_id=ann.id, text="here")
    await stage.tg.wait_for(lambda: marks(stage, two["message_id"]) == [RECEIVED, WAITING, RECEIVED])
    await host.done("reply", chat_id=ann.id, text="and again")
    await host.kill()
    second = await stage.host()
    three = ann.send("three")
    await shown(second, "three")
    await stage.tg.wait_for(lambda: marks(stage, three["message_id"])[:1] == [RECEIVED])
    assert marks(stage, one["message_id"]) == [RECEIVED]
    assert marks(stage, two["message_id"]) == [RECEIVED, WAITING, RECEIVED]


async def test_a_mark_is_not_put_twice(stage: Stage) -> None:
    """Redelivery, restarts and an edit put no second mark on a message."""
    ann = stage.person()
    host = await stage.reading()
    one = ann.send("one")
    event = await shown(host, "one")
    await stage.tg.wait_for(lambda: marks(stage, one["message_id"]) == [RECEIVED])
    ann.edit(one["message_id"], "one, edited")
    await shown(host, "one, edited")
    await stage.cli("inbox", "telegram", "--redeliver", event.meta["delivery_id"])
    await host.kill()
    second = await stage.host()
    await shown(second, "one")
    two = ann.send("two")
    await stage.tg.wait_for(lambda: marks(stage, two["message_id"]) == [RECEIVED])
    assert marks(stage, one["message_id"]) == [RECEIVED]


async def test_an_agents_own_reaction_is_left_alone(stage: Stage) -> None:
    """The agent reacts to a message that carries our waiting mark: its reaction stays."""
    stage.config(grace_s=0, wait_notice_after_s=1)
    ann = stage.person()
    host = await stage.reading()
    one = ann.send("one")
    await shown(host, "one")
    await stage.tg.wait_for(lambda: stage.tg.reactions(ann, one["message_id"]) == [WAITING])
    await host.done("react", chat_id=ann.id, message_id=one["message_id"], emoji="👍")
    two = ann.send("two")
    await stage.tg.wait_for(lambda: marks(stage, two["message_id"]) == [RECEIVED])
    await host.done("reply", chat_id=ann.id, text="and a reply")
    assert stage.tg.reactions(ann, one["message_id"]) == ["👍"]


async def test_marks_can_be_switched_off(stage: Stage) -> None:
    """receipts: false puts no reaction anywhere; people are still told in words."""
    stage.config(grace_s=0, wait_notice_after_s=1, receipts=False)
    ann = stage.person()
    host = await stage.reading()
    ann.send("one")
    await shown(host, "one")
    await said(stage, ann, "saved")
    await host.done("reply", chat_id=ann.id, text="here")
    assert calls_since(stage.tg, 0, "setMessageReaction") == []


async def test_strangers_get_no_mark(stage: Stage) -> None:
    """Nobody who is not let in is given a sign that somebody reads."""
    stage.person()
    host = await stage.reading()
    assert (await stage.access("policy", "allowlist")).code == 0
    stage.tg.person("stranger").send("hello?")
    ann = stage.tg.person("ann")
    sent = ann.send("hi")
    await shown(host, "hi")
    await stage.tg.wait_for(lambda: marks(stage, sent["message_id"]) == [RECEIVED])
    assert len(calls_since(stage.tg, 0, "setMessageReaction")) == 1


async def test_a_mark_that_fails_delays_nothing(stage: Stage) -> None:
    """When reactions meet silence or refusals, messages still arrive in order and at once."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("silence", method="setMessageReaction", times=2)
    stage.tg.faults.add("error", method="setMessageReaction", status=400)
    texts = [f"message {n}" for n in range(20)]
    for text in texts:
        ann.send(text)
    assert [event.content for event in await host.take(20, 5)] == texts
    await host.done("reply", chat_id=ann.id, text="all there")
    stage.tg.faults.clear()
