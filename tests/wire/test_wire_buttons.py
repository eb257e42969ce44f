"""Small buttons and words for one person on Telegram, and what becomes of them on a server that does not know them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.settings.watchers import FOLDER
from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, Host, Stage, is_closed
from hook_runs import SESSION, Hooks


@pytest.fixture
async def hooks(stage: Stage) -> AsyncIterator[Hooks]:
    stage.env |= {"CLAUDE_CODE_SESSION_ID": SESSION}
    async with Hooks(stage) as made:
        yield made


@pytest.fixture
async def old(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage with a Bot API server of 10.0, or of the version asked for."""
    version = getattr(request, "param", "10.0")
    async with TelegramSandbox(TOKEN, version=version) as tg, Stage(tg, tmp_path) as made:
        yield made
        assert made.impure() == []


async def team(stage: Stage, *allowed: str) -> tuple[TelegramGroup, TelegramPerson, TelegramPerson]:
    """An enabled group with Ann and Bob in it, in which only those who are allowed may speak."""
    people = {name: stage.tg.person(name) for name in ("ann", "bob")}
    group = stage.tg.group("Team", members=list(people.values()))
    ids = ",".join(str(people[name].id) for name in allowed)
    assert (await stage.access("group", "add", str(group.id), *(["--allow", ids] if ids else []))).code == 0
    return group, people["ann"], people["bob"]


async def grid(host: Host, group: TelegramGroup, **more: Any) -> dict[str, Any]:
    await host.done("reply", chat_id=group.id, text="Ship it?", buttons=[["Yes", "No"]], **more)
    return await group.next_message()


def entities(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in message.get("entities", ()) if one["type"] == kind]


def texts(group: TelegramGroup) -> list[str]:
    return [message["text"] for message in group.messages() if "text" in message]


def copied(message: dict[str, Any]) -> list[str]:
    return [key["copy_text"]["text"] for row in message["reply_markup"]["inline_keyboard"] for key in row]


# ---- words that one person alone sees


async def test_who_may_not_answer_is_told_why_where_nobody_else_sees_it(stage: Stage) -> None:
    """The notice comes at once; the details with the person's id follow to them alone, once for many taps."""
    group, ann, bob = await team(stage, "ann")
    host = await stage.reading()
    message = await grid(host, group)
    taps = [bob.tap(message["message_id"], label="Yes", chat=group) for _ in range(3)]
    for tap in taps:
        told = await tap.answered()
        assert (told.text, told.show_alert) == ("You are not allowed to answer here.", True)
    await stage.tg.wait_for(lambda: bob.ephemerals or None)
    assert str(bob.id) in bob.ephemerals[0]["text"]
    assert entities(bob.ephemerals[0], "code")
    ann.tap(message["message_id"], label="No", chat=group)
    assert (await host.event()).content == "No"
    assert (len(bob.ephemerals), ann.ephemerals) == (1, [])
    assert all(str(bob.id) not in text for text in texts(group))


async def test_a_short_refusal_stays_a_notice_and_a_long_one_follows_whole(stage: Stage) -> None:
    """Somebody else's question names for whom it is; an answer longer than a notice holds is told whole, to one."""
    group, ann, bob = await team(stage)
    stage.allow(bob.id, "bob")
    host = await stage.reading()
    label = "a long answer " * 30 + "end"
    await host.done("reply", chat_id=group.id, text="Bob?", buttons=[[label]], tappers=[str(bob.id)])
    message = await group.next_message()
    data = message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    told = await ann.tap(message["message_id"], 0, 0, chat=group).answered()
    assert told.text == "This question is for somebody else: bob."
    await bob.tap(message["message_id"], 0, 0, chat=group).answered()
    await host.event()
    await stage.tg.wait_for(lambda: is_closed(group.messages()[-1]))
    late = await bob.tap(message["message_id"], data=data, chat=group).answered()
    assert len(late.text) <= 200
    await stage.tg.wait_for(lambda: bob.ephemerals or None)
    assert bob.ephemerals[0]["text"] == f"Already answered: {label}"
    assert ann.ephemerals == []


async def test_an_older_server_gets_the_notice_alone(old: Stage) -> None:
    """It would show a message for one person to all, so it is asked first what it knows, once, and sent none."""
    group, _, bob = await team(old, "ann")
    host = await old.reading()
    message = await grid(host, group)
    for _ in range(2):
        told = await bob.tap(message["message_id"], label="Yes", chat=group).answered()
        assert told.text == "You are not allowed to answer here."
    await old.tg.wait_for(lambda: old.tg.calls_of("sendWidget") or None)
    await host.until(lambda: "a follow-up was refused" in host.log())
    assert [call.response_code for call in old.tg.calls_of("sendWidget")] == [404]
    assert texts(group) == ["Ship it?"]


async def test_a_server_that_shows_it_to_all_is_not_trusted_again(old: Stage) -> None:
    """What it said it can do and did not is deleted at once, and not tried a second time."""
    old.tg.faults.add("error", method="sendWidget", status=400)
    group, ann, bob = await team(old, "ann")
    host = await old.reading()
    message = await grid(host, group)
    await bob.tap(message["message_id"], label="Yes", chat=group).answered()
    await old.tg.wait_for(lambda: old.tg.calls_of("deleteMessage") or None)
    await old.tg.wait_for(lambda: texts(group) == ["Ship it?"])
    eve = old.tg.person("eve")
    group.add(eve)
    await eve.tap(message["message_id"], label="Yes", chat=group).answered()
    ann.tap(message["message_id"], label="Yes", chat=group)
    await host.event()
    assert len(old.tg.calls_of("deleteMessage")) == 1


async def test_details_that_are_refused_leave_the_notice(stage: Stage) -> None:
    """They are said nowhere else, and the question goes on."""
    group, ann, bob = await team(stage, "ann")
    host = await stage.reading()
    message = await grid(host, group)
    stage.tg.faults.add("error", method="sendMessage", status=400, times=1)
    told = await bob.tap(message["message_id"], label="Yes", chat=group).answered()
    assert told.text == "You are not allowed to answer here."
    await host.until(lambda: "a follow-up was refused" in host.log())
    assert bob.ephemerals == []
    ann.tap(message["message_id"], label="Yes", chat=group)
    assert (await host.event()).content == "Yes"


async def test_who_is_no_approver_any_more_is_told_how_to_become_one(stage: Stage, hooks: Hooks) -> None:
    """The card stays as it is; the command to run follows as code, to whoever tapped."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    await stage.reading()
    await hooks.start("permission", tool_name="Bash", tool_input={"command": "npm test"})
    card = await ann.next_message()
    assert [key.get("style") for key in card["reply_markup"]["inline_keyboard"][0]] == ["success", "danger"]
    assert (await stage.access("approver", "rm", str(ann.id))).code == 0
    told = await ann.tap(card["message_id"], label="Allow").answered()
    assert told.text == "You are not allowed to answer here."
    await stage.tg.wait_for(lambda: ann.ephemerals or None)
    assert ann.ephemerals[0]["text"].endswith(f"channels access telegram approver add {ann.id}")
    assert not is_closed(ann.messages()[-1])


async def test_a_card_is_sent_though_the_wake_up_got_lost(stage: Stage, hooks: Hooks) -> None:
    """Whoever deletes the named pipes of a running server delays what other processes ask of it, and loses nothing."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    await stage.reading()
    pipes = await stage.tg.wait_for(lambda: list((stage.state / FOLDER).glob("*")) or None)
    for pipe in pipes:
        pipe.unlink()
    asking = await hooks.start("permission", tool_name="Bash", tool_input={"command": "npm test"})
    card = await ann.next_message()
    ann.tap(card["message_id"], label="Allow")
    assert '"behavior": "allow"' in (await asking.ran(20)).out


# ---- pairing in a group


async def test_a_group_sees_neither_the_question_nor_the_code(stage: Stage) -> None:
    """/pair from the menu is answered to its sender alone, with buttons that copy; the code lets them in."""
    group, ann, _ = await team(stage, "ann")
    eve = stage.tg.person("eve")
    group.add(eve)
    host = await stage.reading()
    await stage.tg.wait_for(lambda: stage.tg.state.commands or None, 20)
    eve.command("/pair", chat=group)
    await stage.tg.wait_for(lambda: eve.ephemerals or None)
    offer = eve.ephemerals[0]
    code, command = copied(offer)
    assert command == f"channels access telegram pair {code}"
    (moment,) = entities(offer, "date_time")
    assert moment["date_time_format"] == "t"
    assert texts(group) == []
    eve.dm.started = True
    assert (await stage.access("pair", code)).code == 0
    assert "Paired" in (await eve.next_message())["text"]
    eve.command("/pair", chat=group)
    await stage.tg.wait_for(lambda: len(eve.ephemerals) == 2)
    assert "You're paired" in eve.ephemerals[1]["text"]
    ann.send("@sandbox_bot hello", chat=group)
    assert (await host.event()).meta["user"] == "ann"
    assert len(host.events) == 1


async def test_an_answer_that_cannot_be_private_goes_to_the_direct_chat(stage: Stage) -> None:
    """Never to the group."""
    group, _, _ = await team(stage, "ann")
    eve = stage.tg.person("eve")
    eve.dm.started = True
    group.add(eve)
    await stage.reading()
    await stage.tg.wait_for(lambda: stage.tg.state.commands or None, 20)
    stage.tg.faults.add("error", method="sendMessage", status=400, times=1)
    eve.command("/pair", chat=group)
    assert "pairing code" in (await eve.next_message())["text"]
    assert (texts(group), eve.ephemerals) == ([], [])


async def test_a_pair_that_everybody_sees_is_answered_without_a_code(old: Stage) -> None:
    """An older server sends it as any command: strangers get nothing, members are told to write directly."""
    group, ann, bob = await team(old, "ann")
    host = await old.reading()
    await old.tg.wait_for(lambda: old.tg.state.commands or None, 20)
    bob.command("/pair", chat=group)
    ann.command("/pair", chat=group)
    answer = await group.next_message()
    assert answer["text"] == "To pair, write to @sandbox_bot directly."
    assert texts(group) == ["/pair", "/pair", answer["text"]]
    assert host.events == []


# ---- keyboards


async def test_a_question_with_other_opens_the_reply_field(stage: Stage) -> None:
    """What is typed there is a reply to the question, and its answer; a question without it opens nothing."""
    ann = stage.person()
    host = await stage.reading()
    call = host.calling("ask", chat_id=ann.id, text="Which?", buttons=[["Red", "Blue"]], other=True)
    question = await ann.next_message()
    assert question["reply_markup"]["force_reply"] is True
    ann.send("teal", reply_to=question["message_id"])
    assert json.loads((await host.answered(call)).text)["text"] == "teal"
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[0]))
    await host.done("reply", chat_id=ann.id, text="Which?", buttons=[["Red"]])
    assert "force_reply" not in (await ann.next_message())["reply_markup"]


async def test_an_older_server_takes_the_keyboard_away(old: Stage) -> None:
    """A disabled button is refused there: the same call takes the keyboard away, and later ones do not try again."""
    ann = old.person()
    host = await old.reading()
    for number in range(2):
        await host.done("reply", chat_id=ann.id, text="Ship?", buttons=[["Yes", "No"]])
        message = await ann.next_message()
        ann.tap(message["message_id"], label="Yes")
        await host.event()
        await old.tg.wait_for(lambda: "reply_markup" not in ann.messages()[-1])
        assert "Yes · ann" in ann.messages()[-1]["text"]
        codes = [call.response_code for call in old.tg.calls_of("editMessageText")]
        assert codes == [400, 200, 200][: number + 2]


async def test_a_refusal_for_another_reason_is_not_taken_for_that(stage: Stage) -> None:
    """A question that cannot be edited any more costs two calls; the next one still keeps its choice."""
    ann = stage.person()
    host = await stage.reading()
    for lost in (True, False):
        await host.done("reply", chat_id=ann.id, text="Ship?", buttons=[["Yes"]])
        message = await ann.next_message()
        if lost:
            stage.tg.faults.add("error", method="editMessage*", status=400, times=2)
        ann.tap(message["message_id"], label="Yes")
        await host.event()
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[-1]))
    assert ann.messages()[-1]["reply_markup"] == {"inline_keyboard": [[{"text": "Yes", "disabled": {}}]]}


# ---- moments


async def test_times_are_shown_in_the_readers_own_zone(stage: Stage) -> None:
    """A code's end is a time of the day, the oldest saved message a day; both stand in words too."""
    ann, eve = stage.person(), stage.tg.person("eve")
    host = await stage.reading()
    eve.start()
    offer = await eve.next_message()
    (moment,) = entities(offer, "date_time")
    assert "UTC" in offer["text"]
    assert (moment["date_time_format"], moment["length"]) == ("t", len("14:05 UTC"))
    assert [one["length"] for one in entities(offer, "code")] == [8]
    ann.send("hello")
    await host.event()
    ann.send("/session status")
    (moment,) = entities(await ann.next_message(), "date_time")
    assert (moment["date_time_format"], moment["length"]) == ("D", len("2026-08-01"))


@pytest.mark.parametrize("old", ["9.4"], indirect=True)
async def test_an_older_server_gets_the_words_alone(old: Stage) -> None:
    """The entity is refused there once; the same call sends the text without it, and later ones do not try again."""
    eve, dan = old.tg.person("eve"), old.tg.person("dan")
    await old.reading()
    for number, person in enumerate((eve, dan)):
        person.start()
        offer = await person.next_message()
        assert "UTC" in offer["text"]
        assert (entities(offer, "date_time"), len(entities(offer, "code"))) == ([], 1)
        codes = [call.response_code for call in old.tg.calls_of("sendMessage")]
        assert codes == [400, 200, 200][: number + 2]


async def test_a_command_to_run_can_be_copied(stage: Stage) -> None:
    """Under a code, and under what an approver has to do; nothing is sent back."""
    bob, eve = stage.person("bob"), stage.tg.person("eve")
    await stage.reading()
    eve.start()
    code, command = copied(await eve.next_message())
    assert command.endswith(f" pair {code}")
    bob.send("/loop go on")
    assert copied(await bob.next_message()) == [f"channels access telegram approver add {bob.id}"]
