"""Commands on Telegram: the menu that people see, the export as a file, groups and topics."""

from __future__ import annotations

import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Stage

SET = "setMyCommands"


async def test_the_menu_is_told_once_and_again_when_it_changed(stage: Stage) -> None:
    """The first reader tells Telegram; the next sessions do not, until what was told is another menu."""
    host = await stage.reading()
    await stage.tg.wait_for(lambda: stage.tg.calls_of(SET) or None, 20)
    menu = stage.tg.state.commands["default", ""]
    names = [one["command"] for one in menu]
    assert names == ["status", "stop", "progress", "rich", "loop", "inbox", "cancel", "session", "help", "pair"]
    await host.close()
    host = await stage.reading()
    await host.until(lambda: "has the menu of commands already" in host.log())
    assert len(stage.tg.calls_of(SET)) == 1


async def test_a_refused_menu_stops_nothing(stage: Stage) -> None:
    """A fault is tried again, a refusal is logged, and messages come all the same."""
    stage.tg.faults.add("error", method=SET, status=500, times=1)
    ann = stage.person()
    host = await stage.reading()
    await stage.tg.wait_for(lambda: stage.tg.calls_of(SET) or None, 20)
    ann.send("hello")
    assert (await host.event()).content == "hello"
    await stage.tg.wait_for(lambda: stage.tg.state.commands or None, 20)


async def test_the_export_is_a_file_in_the_chat(stage: Stage) -> None:
    """/session export sends the chat as a text file and leaves no copy behind; an empty chat is told so."""
    ann, bob = stage.person(), stage.person("bob")
    host = await stage.reading()
    bob.send("/session export")
    assert (await bob.next_message())["text"] == "No messages from this chat are saved."
    ann.send("two\nlines 会議")
    await host.event()
    await host.done("reply", chat_id=ann.id, text="seen")
    await ann.next_message()
    ann.send("/session export")
    document = (await ann.next_message())["document"]
    assert document["file_name"].startswith("history-")
    text = stage.tg.state.files.by_id[document["file_id"]].data.decode()
    assert "] ann: two\nlines 会議\n" in text
    assert text.endswith("] sandbox_bot: seen\n")
    assert "bob" not in text
    await host.status_when(lambda _: not list((stage.state / "files").iterdir()))
    stage.tg.faults.add("error", method="sendDocument", status=400, times=1)
    ann.send("/session export")
    assert (await ann.next_message())["text"] == "The file could not be sent."
    assert list((stage.state / "files").iterdir()) == []


async def test_a_topics_questions_stay_in_their_topic(stage: Stage) -> None:
    """/cancel in a topic closes what was asked there, and is answered there."""
    ann = stage.person()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann], forum=True)
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    topics = [group.topic(name) for name in ("one", "two")]
    grids = []
    for topic in topics:
        ann.send("hello", chat=group, thread_id=topic.thread_id)
        meta = (await host.event()).meta
        sent = await host.done("reply", chat_id=group.id, text="Which?", buttons=[["A"]], thread_id=meta["thread_id"])
        grids.append(int("".join(filter(str.isdigit, sent))))
    ann.send("/cancel", chat=group, thread_id=topics[0].thread_id)
    await stage.tg.wait_for(lambda: any(m.get("text") == "1 question closed." for m in group.messages()) or None)
    shown = {m["message_id"]: m for m in group.messages()}
    await stage.tg.wait_for(
        lambda: "Cancelled" in {m["message_id"]: m for m in group.messages()}[grids[0]]["text"] or None
    )
    assert shown[grids[1]]["reply_markup"]
    told = next(m for m in group.messages() if m.get("text") == "1 question closed.")
    assert told["message_thread_id"] == shown[grids[0]]["message_thread_id"]


async def test_a_group_that_is_not_enabled_hears_nothing(stage: Stage) -> None:
    """A command in a group nobody enabled is silent; so is one for another bot."""
    ann = stage.person()
    host = await stage.reading()
    group = stage.tg.group("Other", members=[ann])
    ann.send("/inbox@sandbox_bot", chat=group)
    ann.send("/inbox@other_bot", chat=group)
    ann.send("only this")
    assert (await host.event()).content == "only this"
    assert stage.tg.calls_of("sendMessage") == []


async def test_a_group_is_cleared_by_an_approver_with_all_that_was_overheard(stage: Stage) -> None:
    """Anybody else is told so; after it nothing of before comes up again, not even as context."""
    ann, bob = stage.person(), stage.tg.person("bob")
    stage.config(grace_s=0, group_context=5)
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    bob.send("@sandbox_bot the secret", chat=group)
    assert (await host.event()).content == "@sandbox_bot the secret"
    bob.send("overheard secret", chat=group)
    bob.send("/session clear", chat=group)
    assert "only an approver" in (await group.next_message())["text"]
    ann.send("/session clear", chat=group)
    event = await host.event()
    assert (event.meta["session"], event.meta["chat_id"]) == ("clear", str(group.id))
    bob.send("@sandbox_bot again", chat=group)
    event = await host.event()
    assert event.content == "@sandbox_bot again"
    assert "context" not in event.meta
    assert "the secret" not in (await stage.cli("history", "export", "telegram")).out


@pytest.mark.parametrize("command", ["/session status", "/session export", "/session clear", "/end", "/cancel"])
async def test_what_is_the_operators_is_for_approvers_in_a_group(stage: Stage, command: str) -> None:
    """Whoever else types it is told so, learns nothing, gets no file, and changes nothing."""
    ann, bob = stage.person(), stage.tg.person("bob")
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    ann.send("@sandbox_bot hello", chat=group)
    await host.event()
    await host.done("reply", chat_id=group.id, text="Ship?", buttons=[["Yes", "No"]])
    grid = await group.next_message()
    bob.send(command, chat=group)
    assert (await group.next_message())["text"] == "In a group, only an approver can use this command."
    assert stage.tg.calls_of("sendDocument") == []
    bob.tap(grid["message_id"], label="Yes", chat=group)
    assert (await host.event()).meta["button_label"] == "Yes"
    ann.send("/session status", chat=group)
    assert "Saved messages from this chat: 3" in (await group.next_message())["text"]


async def test_in_a_group_the_inbox_lists_ones_own(stage: Stage) -> None:
    """Somebody who joined later does not read there what others had written; an approver reads it all."""
    ann, bob = stage.person(), stage.tg.person("bob")
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    ann.send("@sandbox_bot from ann", chat=group)
    bob.send("@sandbox_bot from bob", chat=group)
    await host.take(2)
    bob.send("/inbox", chat=group)
    listed = (await group.next_message())["text"]
    assert "from bob" in listed
    assert "from ann" not in listed
    ann.send("/inbox", chat=group)
    listed = (await group.next_message())["text"]
    assert "from ann" in listed
    assert "from bob" in listed


async def test_an_export_holds_what_the_asker_could_have_read(stage: Stage) -> None:
    """Nothing from before an approver joined, nothing from before they came back, nothing of another chat."""
    ann, bob = stage.person(), stage.person("bob")
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann])
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    for person in (ann, bob):
        assert (await stage.access("approver", "add", str(person.id))).code == 0
    host = await stage.reading()
    ann.send("to the bot alone")
    ann.send("before bob", chat=group)
    group.add(bob)
    ann.send("while bob is there", chat=group)
    await host.take(3)

    async def exported(person: TelegramPerson) -> str:
        person.send("/session export", chat=group)
        document = (await group.next_message())["document"]
        return stage.tg.state.files.by_id[document["file_id"]].data.decode()

    text = await exported(bob)
    assert "while bob is there" in text
    assert "before bob" not in text
    text = await exported(ann)
    assert "before bob" in text
    assert "to the bot alone" not in text
    bob.send("/session status", chat=group)
    assert "Saved messages from this chat: 1" in (await group.next_message())["text"]
    group.remove(bob)
    ann.send("without bob", chat=group)
    group.add(bob)
    bob.send("back again", chat=group)
    await host.take(2)
    text = await exported(bob)
    assert "back again" in text
    assert "without bob" not in text


async def test_an_edit_or_a_pause_shows_nobody_what_was_said_before_they_joined(stage: Stage) -> None:
    """Neither a message that is edited later, nor one from before the group was disabled for a while."""
    ann, bob, eve = stage.person(), stage.person("bob"), stage.person("eve")
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann])
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    for person in (bob, eve):
        assert (await stage.access("approver", "add", str(person.id))).code == 0
    host = await stage.reading()
    old = ann.send("before anybody", chat=group)
    await host.event()
    group.add(bob)
    ann.edit(old["message_id"], "before anybody, edited", chat=group)
    await host.event()
    assert (await stage.access("group", "rm", str(group.id))).code == 0
    group.add(eve)
    await stage.tg.wait_for(lambda: stage.tg.confirmed == stage.tg.state.updates.latest)
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    ann.send("with everybody", chat=group)
    await host.event()
    for person in (bob, eve):
        person.send("/session export", chat=group)
        document = (await group.next_message())["document"]
        text = stage.tg.state.files.by_id[document["file_id"]].data.decode()
        assert "with everybody" in text
        assert "before anybody" not in text


async def test_a_forwarded_command_is_not_the_forwarders(stage: Stage) -> None:
    """Somebody else's words are shown to the agent, with their author, and nothing is done."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    ann.send("keep this")
    await host.event()
    for command in ("/session clear", "/end", "/cancel"):
        ann.send(command, forward_from="Mallory")
        event = await host.event()
        assert (event.content, event.meta["forward_from"]) == (command, "Mallory")
    assert "keep this" in (await stage.cli("history", "export", "telegram")).out
    assert stage.tg.calls_of("sendMessage") == []
