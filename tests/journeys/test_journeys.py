"""The same journeys on every platform: paired, chatted with, asked, killed in the middle, asked for a permission."""

from __future__ import annotations

import json
import re
from typing import Any

from agent_channels.core.people.pairing import HELD_MAX, REPLIES_MAX
from agent_channels.registry import CHANNELS
from harness import Event, Host
from hook_runs import Hooks, bound
from phones import STAGES, Phone, Play, Said

GRID: dict[str, Any] = {"text": "Deploy to production?", "buttons": [["Approve", "Reject"], ["Later"]]}
LABELS = [["Approve", "Reject"], ["Later"]]


def test_every_channel_goes_on_the_journeys() -> None:
    """No channel is registered without them."""
    assert set(STAGES) == set(CHANNELS)


def check_message(event: Event, phone: Phone, text: str, message_id: str, **more: str) -> None:
    """The event of a plain message has exactly the meta of the contract."""
    meta = dict(event.meta)
    assert event.content == text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", meta.pop("ts"))
    assert re.fullmatch(r"[A-Za-z0-9._-]+", meta.pop("delivery_id"))
    ids = {"chat_id": phone.chat_id, "user_id": phone.user_id, "message_id": message_id}
    assert meta == {**ids, "user": phone.name, **more}


def check_tap(event: Event, phone: Phone, grid: Said, **more: str) -> None:
    """The event of a tap on Reject has exactly the meta of the contract."""
    meta = dict(event.meta)
    assert event.content == "Reject"
    for name in ("ts", "delivery_id", "panel_id"):
        assert meta.pop(name)
    assert meta == {
        "chat_id": phone.chat_id, "user_id": phone.user_id, "user": phone.name, "message_id": grid.id,
        "button": "true", "button_label": "Reject", "button_value": "Reject", "button_row": "0", "button_col": "1",
        **more,
    }  # fmt: skip


async def closed(play: Play, phone: Phone, message: Said, *words: str) -> None:
    """Waits until a message has no buttons any more and says so."""

    def found() -> bool:
        now = phone.shown(message.id)
        return not now.labels and all(word in now.text for word in words)

    await play.wait_for(found)


async def paired(play: Play, phone: Phone) -> str:
    """Somebody writes, gets a code and is let in by it; the id of what they wrote."""
    first = phone.say("hello")
    code = re.search(r"\b[A-HJ-NP-Z2-9]{8}\b", (await phone.hear()).text)
    assert code is not None
    ran = await play.stage.access("pair", code[0])
    assert ran.code == 0, ran.err
    assert "Paired" in (await phone.hear()).text
    return first


async def test_a_stranger_has_one_code(play: Play) -> None:
    """Each answer repeats it, and the last one says that it is the last; what was said meanwhile is delivered."""
    host = await play.reading()
    ann = play.stranger("ann")
    codes = []
    for number in range(REPLIES_MAX):
        ann.say(f"hello {number}")
        heard = (await ann.hear()).text
        codes += re.findall(r"\b[A-HJ-NP-Z2-9]{8}\b", heard)
        assert ("not answer here again" in heard) is (number == REPLIES_MAX - 1)
    assert len(set(codes)) == 1
    ann.say("is anybody there?")
    assert (await play.stage.access("pair", codes[0])).code == 0
    assert "Paired" in (await ann.hear()).text
    heard_later = [event.content for event in await host.take(HELD_MAX)]
    assert heard_later == ["hello 0", "hello 1", "is anybody there?"]


async def test_paired_chatted_with_and_asked(play: Play) -> None:
    """A stranger is paired and told, chats, gets a grid, taps it once; a second tap is told what was chosen."""
    host = await play.reading()
    ann = play.stranger("ann")
    first = await paired(play, ann)
    check_message(await host.event(), ann, "hello", first)
    said = ann.say("deploy?")
    check_message(await host.event(), ann, "deploy?", said)
    sent = await host.done("reply", chat_id=ann.chat_id, **GRID)
    grid = await ann.hear()
    assert grid.id in sent
    assert (grid.text, grid.labels) == (GRID["text"], LABELS)
    ann.tap(grid.id, "Reject")
    check_tap(await host.event(), ann, grid)
    await closed(play, ann, grid, "Deploy to production?", "Reject", "ann")
    assert "lready answered: Reject" in await ann.tap_again(grid.id)()
    ann.say("thanks")
    assert (await host.event()).content == "thanks"


async def test_killed_between_every_two_steps(play: Play) -> None:
    """SIGKILL after each step: the next process goes on, nothing is lost, repeats say so and keep their delivery id."""

    async def again(host: Host) -> Host:
        await host.kill()
        return await play.reading()

    host = await play.reading()
    ann = play.stranger("ann")
    ann.say("hello")
    code = re.search(r"\b[A-HJ-NP-Z2-9]{8}\b", (await ann.hear()).text)
    assert code is not None
    host = await again(host)
    assert (await play.stage.access("pair", code[0])).code == 0
    assert "Paired" in (await ann.hear()).text
    hello = await host.event()
    assert hello.content == "hello"
    await host.kill()
    said = ann.say("deploy?")
    host = await play.reading()
    both = await host.take(2)
    assert [event.content for event in both] == ["hello", "deploy?"]
    assert both[0].meta["redelivered"] == "true"
    assert both[0].meta["delivery_id"] == hello.meta["delivery_id"]
    check_message(both[1], ann, "deploy?", said)
    await host.done("reply", chat_id=ann.chat_id, **GRID)
    grid = await ann.hear()
    host = await again(host)
    ann.tap(grid.id, "Reject")
    tapped = await host.event()
    check_tap(tapped, ann, grid)
    host = await again(host)
    repeated = await host.event()
    check_tap(repeated, ann, grid, redelivered="true")
    assert repeated.meta["delivery_id"] == tapped.meta["delivery_id"]
    await closed(play, ann, grid, "Reject")
    await host.done("reply", chat_id=ann.chat_id, text="as you wish")
    host = await again(host)
    ann.say("last")
    assert (await host.event()).content == "last"


async def test_an_ask_returns_what_was_tapped_or_typed(play: Play) -> None:
    """The tool's result is the choice: tapped, typed as its number, several with Done; then the question says so."""
    host = await play.reading()
    ann = play.friend("ann")
    ann.say("hi")
    await host.event()
    ask = {"chat_id": ann.chat_id, "text": "Which colour?", "buttons": [["Red", "Blue"], ["Green"]], "timeout_s": 60}

    call = host.calling("ask", **ask)
    question = await ann.hear()
    ann.tap(question.id, "Blue")
    assert (await result(host, call))["label"] == "Blue"
    await closed(play, ann, question, "Which colour?", "Blue")

    call = host.calling("ask", **ask)
    question = await ann.hear()
    await bound(play.stage, {"message_id": question.id})
    ann.say("3")
    assert (await result(host, call))["label"] == "Green"
    await closed(play, ann, question, "Green")

    call = host.calling("ask", **ask, multi=True)
    question = await ann.hear()
    assert question.labels == [["☐ Red", "☐ Blue"], ["☐ Green"], ["Done"]]
    ann.tap(question.id, "☐ Blue")
    await play.wait_for(lambda: ann.shown(question.id).labels[0] == ["☐ Red", "☑ Blue"])
    ann.tap(question.id, "☐ Green")
    await play.wait_for(lambda: ann.shown(question.id).labels[1] == ["☑ Green"])
    ann.tap(question.id, "Done")
    assert (await result(host, call))["labels"] == ["Blue", "Green"]
    await closed(play, ann, question, "Blue, Green")


async def result(host: Host, call: int | str) -> dict[str, Any]:
    answered = await host.answered(call)
    assert not answered.failed, answered.text
    return dict(json.loads(answered.text))


async def test_a_permission_is_decided_from_the_phone(play: Play, hooks: Hooks) -> None:
    """The card reaches an approver who never wrote to the bot, has the command in full, and is decided by one tap."""
    ann = play.friend("ann")
    assert (await play.stage.access("approver", "add", ann.user_id)).code == 0
    await play.reading()
    for label, behavior in (("Allow", "allow"), ("Deny", "deny")):
        run = await hooks.start("permission")
        card = await ann.hear()
        assert card.labels == [["Allow", "Deny"]]
        assert "touch made.txt" in card.text
        ann.tap(card.id, label)
        assert (await run.ran()).specific["decision"]["behavior"] == behavior
        await closed(play, ann, card, f"{label} · ann")
