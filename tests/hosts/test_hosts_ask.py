"""Ask: a grid is sent and the tool's result is what was chosen, in every host, owner or not, whatever dies."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import Project, inbox_states
from harness import Stage, is_closed
from hook_runs import bound
from inbox_socket import blocks_in
from wire_host import Host

COLOURS = {"text": "Which colour?", "buttons": [["Red", {"label": "Blue", "value": "b"}], ["Green"]]}
Asked = tuple[int | str, dict[str, Any]]


async def asking(host: Host, person: TelegramPerson, **more: Any) -> Asked:
    """Starts an ask; returns the call and the message that the person sees."""
    call = host.calling("ask", **{"chat_id": person.id, "timeout_s": 60, **COLOURS, **more})
    return call, await person.next_message()


async def result(host: Host, call: int | str) -> dict[str, Any]:
    """What an ask that has to work returned."""
    answered = await host.answered(call)
    assert not answered.failed, answered.text
    return dict(json.loads(answered.text))


def labels(message: dict[str, Any]) -> list[list[str]]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [[button["text"] for button in row] for row in rows]


async def shows(stage: Stage, person: TelegramPerson, message: dict[str, Any], text: str) -> None:
    """Waits until the person's message has no buttons any more and says so."""

    def found() -> bool:
        now = next(m for m in person.messages() if m["message_id"] == message["message_id"])
        return is_closed(now) and text in now["text"]

    await stage.tg.wait_for(found)


async def test_a_tap_is_the_result(stage: Stage) -> None:
    """Label, value, who and when; the keyboard goes, the choice is written, and no event comes besides."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann)
    assert labels(message) == [["Red", "Blue"], ["Green"]]
    tap = ann.tap(message["message_id"], label="Blue")
    found = await result(host, call)
    at = found.pop("at")
    assert at.endswith("Z")
    who = {"user": "ann", "user_id": str(ann.id)}
    assert found == {"answered": True, "label": "Blue", "value": "b", "row": 0, "col": 1, **who}
    assert (await tap.answered()).text == "Blue"
    await shows(stage, ann, message, "Blue")
    assert inbox_states(stage.state) == {"answered": 1}
    again = await host.call("wait_for_messages", timeout_s=0)
    assert "<channel" not in again.text
    assert host.events == []


@pytest.mark.parametrize(("typed", "label"), [("blue", "Blue"), ("  GREEN ", "Green"), ("3", "Green"), ("1", "Red")])
async def test_a_typed_label_or_number_is_the_result(stage: Stage, typed: str, label: str) -> None:
    """What is typed counts as the tap when it equals a label, whatever its case, or a number from 1."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann)
    await bound(stage, message)
    ann.send(typed)
    found = await result(host, call)
    assert (found["answered"], found["label"], found["user"]) == (True, label, "ann")
    await shows(stage, ann, message, label)
    assert inbox_states(stage.state) == {"answered": 1}


async def test_other_text_is_an_ordinary_message(stage: Stage) -> None:
    """A text that is not an answer reaches the agent as what it is, and the question stays open."""
    ann = stage.person()
    host = await stage.reading(CHANNELS_CLAIM="always")
    call, message = await asking(host, ann)
    ann.send("what do you mean?")
    assert (await host.event()).content == "what do you mean?"
    ann.send("4")
    assert (await host.event()).content == "4"
    ann.tap(message["message_id"], label="Red")
    assert (await result(host, call))["label"] == "Red"
    assert len(host.events) == 2


async def test_several_choices_with_toggles_and_done(stage: Stage) -> None:
    """multi: taps toggle marks on the buttons, Done without any is told, Done ends it with all that is marked."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann, multi=True)
    number = message["message_id"]
    assert labels(message) == [["☐ Red", "☐ Blue"], ["☐ Green"], ["Done"]]

    def seen() -> list[list[str]]:
        return labels(next(m for m in ann.messages() if m["message_id"] == number))

    empty = await ann.tap(number, label="Done").answered()
    assert empty.show_alert
    assert "at least one" in empty.text
    for place, expected in (
        ((0, 1), [["☐ Red", "☑ Blue"], ["☐ Green"], ["Done"]]),
        ((1, 0), [["☐ Red", "☑ Blue"], ["☑ Green"], ["Done"]]),
        ((0, 0), [["☑ Red", "☑ Blue"], ["☑ Green"], ["Done"]]),
        ((0, 1), [["☑ Red", "☐ Blue"], ["☑ Green"], ["Done"]]),
    ):
        tap = ann.tap(number, *place)
        await stage.tg.wait_for(lambda expected=expected: seen() == expected)
        await tap.answered()
    ann.tap(number, label="Done")
    found = await result(host, call)
    assert found["labels"] == ["Red", "Green"]
    assert found["values"] == ["Red", "Green"]
    await shows(stage, ann, message, "Red, Green")
    assert set(inbox_states(stage.state)) == {"answered", "dropped"}


async def test_free_text_where_it_was_asked_for(stage: Stage) -> None:
    """other: a button more; after it, what that person types is the answer."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann, other=True)
    assert labels(message)[-1] == ["Other…"]
    told = await ann.tap(message["message_id"], label="Other…").answered()
    assert "Type" in told.text
    ann.send("Dark  violet")
    found = await result(host, call)
    assert (found["text"], found["other"], found["user_id"]) == ("Dark  violet", True, str(ann.id))
    await shows(stage, ann, message, "Dark violet")
    assert set(inbox_states(stage.state)) == {"answered", "dropped"}


async def test_free_text_as_a_reply_to_the_question(stage: Stage) -> None:
    """other: a reply to the question's own message is the answer, with no button before it."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann, other=True)
    await bound(stage, message)
    ann.send("violet", reply_to=message["message_id"])
    assert (await result(host, call))["text"] == "violet"


async def test_a_time_out_is_told_to_both(stage: Stage) -> None:
    """Nobody answers: the result says so, the panel closes and the person is told; a later tap is told too."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann, timeout_s=1)
    data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    found = await result(host, call)
    assert found["answered"] is False
    assert "in time" in found["why"]
    await shows(stage, ann, message, "nobody answered in time")
    late = await ann.tap(message["message_id"], data=data).answered()
    assert late.show_alert
    assert "ended" in late.text
    # A text afterwards is an ordinary message.
    ann.send("Red")
    assert ">\nRed\n<" in await host.done("wait_for_messages", timeout_s=5)


@pytest.mark.parametrize("answered", ["tapped", "typed"])
async def test_the_answer_to_a_cancelled_call_becomes_an_event(stage: Stage, answered: str) -> None:
    """`notifications/cancelled`: the question stays open, and its answer becomes a message; the chat says so."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann)
    await bound(stage, message)
    host.notify("notifications/cancelled", {"requestId": call})
    await host.status()
    if answered == "tapped":
        tap = ann.tap(message["message_id"], label="Blue")
        assert (await tap.answered()).text == "Blue"
    else:
        ann.send("blue")
    (block,) = blocks_in(await host.done("wait_for_messages", timeout_s=20))
    assert (block.content, block.meta["button_value"]) == ("Blue", "b")
    await shows(stage, ann, message, "given to the agent as a message")
    await host.done("reply", chat_id=ann.id, text="blue it is")
    assert inbox_states(stage.state) == {"answered": 1}


async def test_a_call_given_up_without_a_word_takes_no_answer(stage: Stage) -> None:
    """A newer wait_for_messages of the session gets the answer; the `ask` that it replaces says so."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann)
    newer = host.calling("wait_for_messages", timeout_s=30)
    found = await result(host, call)
    assert (found["answered"], "newer call" in found["why"]) == (False, True)
    ann.tap(message["message_id"], label="Green")
    (block,) = blocks_in((await host.answered(newer)).text)
    assert (block.content, block.meta["button"]) == ("Green", "true")
    await shows(stage, ann, message, "given to the agent as a message")


@pytest.mark.parametrize("lease", ["fresh", "over"])
async def test_the_answer_for_a_killed_asker_becomes_an_event(stage: Stage, lease: str) -> None:
    """SIGKILL while asking, tap, restart at once or much later: the answer arrives as an ordinary event."""
    ann = stage.person()
    host = await stage.host(CHANNELS_CLAIM="always")
    _, message = await asking(host, ann)
    await host.kill()
    tap = ann.tap(message["message_id"], label="Blue")
    if lease == "over":
        with Store.open(stage.state) as store, store.transaction() as db:
            db.execute("UPDATE prompts SET lease_until = created_at")
    second = await stage.host(CHANNELS_CLAIM="always")
    event = await second.event(20)
    assert (event.content, event.meta["button"], event.meta["button_value"]) == ("Blue", "true", "b")
    assert (event.meta["button_row"], event.meta["button_col"]) == ("0", "1")
    assert event.meta["message_id"] == str(message["message_id"])
    assert (await tap.answered()).text == "Blue"
    await shows(stage, ann, message, "Blue")
    await second.done("reply", chat_id=ann.id, text="blue it is")
    assert inbox_states(stage.state) == {"answered": 1}


async def test_an_answer_stored_and_never_taken_becomes_an_event(stage: Stage) -> None:
    """The tap was stored by another process just before the asker died: it comes as an event to who reads."""
    ann = stage.person()
    reader = await stage.reading(CHANNELS_CLAIM="always")
    asker = await stage.host()
    _, message = await asking(asker, ann)
    await asker.kill()
    ann.tap(message["message_id"], label="Green")
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE prompts SET lease_until = created_at")
    assert (await reader.event()).content == "Green"


async def test_who_does_not_read_the_bot_can_ask(stage: Stage) -> None:
    """Two servers on one state: the one that does not poll asks, the other stores the tap, the asker has it."""
    ann = stage.person()
    reader = await stage.reading(CHANNELS_CLAIM="always")
    asker = await stage.host(CLAUDE_CODE_SESSION_ID="another")
    await asker.status_when(lambda s: s["owner"] is not None)
    call, message = await asking(asker, ann)
    ann.tap(message["message_id"], label="Red")
    assert (await result(asker, call))["label"] == "Red"
    await shows(stage, ann, message, "Red")
    call, message = await asking(asker, ann, timeout_s=1)
    assert (await result(asker, call))["answered"] is False
    await shows(stage, ann, message, "nobody answered in time")
    assert reader.events == []


async def test_a_bot_read_with_other_state_cannot_be_asked_through(stage: Stage) -> None:
    """Another project reads the bot: its answers would never come here, so the ask is refused before it is sent."""
    ann = stage.person()
    await stage.reading(CHANNELS_CLAIM="always")
    other = Project(stage, "elsewhere")
    other.allow(ann)
    host = await other.host(CHANNELS_CLAIM=None)
    assert "reads this bot" in await host.refused("ask", chat_id=ann.id, **COLOURS)
    assert ann.inbox == []


async def test_who_may_not_answer_is_told(stage: Stage) -> None:
    """In a group: somebody else's tap is told so and changes nothing, a stranger's too; the asked one's counts."""
    ann, bob, eve = stage.person(), stage.tg.person("bob"), stage.tg.person("eve")
    group = stage.tg.group("Team", members=[ann, bob, eve])
    members = f"{ann.id},{bob.id}"
    assert (await stage.access("group", "add", str(group.id), "--no-mention", "--allow", members)).code == 0
    host = await stage.host()
    call = host.calling("ask", chat_id=group.id, tappers=[ann.id], timeout_s=60, **COLOURS)
    message = await group.next_message()
    number = message["message_id"]
    refused = await bob.tap(number, label="Red", chat=group).answered()
    assert refused.show_alert
    assert "somebody else" in refused.text
    refused = await eve.tap(number, label="Red", chat=group).answered()
    assert refused.show_alert
    assert "not allowed" in refused.text
    ann.tap(number, label="Green", chat=group)
    assert (await result(host, call))["label"] == "Green"
    late = await ann.tap(number, data="x" * 22 + ".0", chat=group).answered()
    assert late.show_alert


async def test_two_taps_at_once_are_one_answer(stage: Stage) -> None:
    """Two people tap in the same moment: the first one counts, the second is told what was answered."""
    ann, bob = stage.person(), stage.person("bob")
    group = stage.tg.group("Team", members=[ann, bob])
    await stage.access("group", "add", str(group.id), "--no-mention")
    host = await stage.host()
    call = host.calling("ask", chat_id=group.id, timeout_s=60, **COLOURS)
    number = (await group.next_message())["message_id"]
    stage.tg.hold_updates()
    taps = [ann.tap(number, label="Red", chat=group), bob.tap(number, label="Green", chat=group)]
    stage.tg.release()
    found = await result(host, call)
    assert (found["label"], found["user"]) == ("Red", "ann")
    answers = await asyncio.gather(*(tap.answered() for tap in taps))
    assert [answer.text for answer in answers] == ["Red", "Already answered: Red"]


async def test_an_answer_that_nobody_could_read_becomes_an_event(stage: Stage) -> None:
    """The host closed its end before the result was written: the next session has the answer as an event."""
    ann = stage.person()
    host = await stage.host()
    _, message = await asking(host, ann)
    host.drop_output()
    ann.tap(message["message_id"], label="Blue")
    await host.wait()
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE prompts SET lease_until = created_at")
    second = await stage.host(CHANNELS_CLAIM="always")
    event = await second.event()
    assert (event.content, event.meta["button_value"]) == ("Blue", "b")
    await shows(stage, ann, message, "given to the agent as a message")


async def test_a_result_that_was_written_is_no_event_any_more(stage: Stage) -> None:
    """The host lived on with the result: neither time nor another session makes it an event."""
    ann = stage.person()
    host = await stage.host()
    call, message = await asking(host, ann)
    ann.tap(message["message_id"], label="Blue")
    assert (await result(host, call))["label"] == "Blue"
    with Store.open(stage.state) as store:
        await host.status_when(lambda _: store.value("SELECT state FROM prompts") == "taken")
    await host.kill()
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE prompts SET lease_until = created_at")
    second = await stage.host(CHANNELS_CLAIM="always")
    ann.send("hello")
    assert (await second.event()).content == "hello"
    assert [event.content for event in second.events] == ["hello"]


async def test_a_grid_that_cannot_answer_is_refused(stage: Stage) -> None:
    """No buttons, a url button, too many: refused before anything is sent, and the question is not left open."""
    ann = stage.person()
    host = await stage.host()
    for buttons, words in (
        ([], "buttons is empty"),
        ([[{"label": "Open", "url": "https://example.com"}]], "url"),
        ([[f"b{n}"] for n in range(101)], "at most 100"),
    ):
        assert words in await host.refused("ask", chat_id=ann.id, text="?", buttons=buttons)
    assert "not allowed" in await host.refused("ask", chat_id="12345", **COLOURS)
    assert ann.inbox == []
    with Store.open(stage.state) as store:
        assert store.value("SELECT count(*) FROM prompts WHERE state = 'open'") == 0
