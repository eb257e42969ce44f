"""Commands from Discord's own menu: registered once, answered in time, only to the person who chose them, gated."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.taps import ComponentTap
from harness import DiscordStage, Host

PUT = "PUT /applications/*/commands"


async def registered(stage: DiscordStage) -> list[dict[str, Any]]:
    await stage.dc.wait_for(lambda: stage.dc.calls_of(PUT) or None)
    return list(stage.dc.interactions.commands.commands)


def names(commands: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in commands]


async def test_the_menu_is_told_once(stage: DiscordStage) -> None:
    """The first reader registers the commands; the next sessions do not, since nothing changed."""
    host = await stage.reading()
    commands = await registered(stage)
    assert names(commands) == ["status", "stop", "progress", "loop", "inbox", "cancel", "session", "help", "pair"]
    options = {one["name"]: one["options"] for one in commands}
    assert [one["value"] for one in options["session"][0]["choices"]] == ["status", "clear", "export"]
    assert [(one["required"], one["choices"]) for one in options["loop"]] == [(False, [])]
    await host.close()
    host = await stage.reading()
    ann = stage.person()
    tap = ann.command("status")
    await tap.next_message()
    await host.until(lambda: "has the menu of commands already" in host.log())
    assert len(stage.dc.calls_of(PUT)) == 1


async def test_a_refused_menu_stops_nothing(stage: DiscordStage) -> None:
    """A fault is tried again; what Discord refuses for good is logged, and messages come all the same."""
    ann = stage.person()
    stage.dc.faults.add("error", method=PUT, status=403, times=99)
    host = await stage.reading()
    await stage.dc.wait_for(lambda: stage.dc.calls_of(PUT) or None)
    ann.send("hello")
    assert (await host.event()).content == "hello"
    await host.close()
    stage.dc.faults.clear()
    stage.dc.faults.add("error", method=PUT, status=503, times=1)
    await stage.reading()
    await stage.dc.wait_for(lambda: names(stage.dc.interactions.commands.commands) or None, 20)
    assert [call.response_code for call in stage.dc.calls_of(PUT)][-2:] == [503, 200]


async def test_a_chosen_command_is_answered_to_the_one_who_chose_it(stage: DiscordStage) -> None:
    """Acknowledged at once, answered where only that person sees it, and no event for the agent."""
    ann, bob = stage.person(), stage.dc.person("bob")
    room = stage.dc.guild("Team", members=[ann, bob]).channel("general")
    assert (await stage.access("group", "add", str(room.id))).code == 0
    host = await stage.reading()
    await registered(stage)
    for where in (None, room):
        tap = ann.command("help", channel=where)
        answer = await tap.answered()
        assert (answer.type, answer.ephemeral) == (5, True)
        assert "/session export" in (await tap.next_message())["content"]
        assert not tap.failed
    assert len(ann.ephemerals) == 2
    assert bob.ephemerals == []
    assert stage.dc.messages(room) == []
    tap = ann.command("session", what="status")
    assert "No messages from this chat are saved" in (await tap.next_message())["content"]
    assert host.events == []


async def test_a_stranger_gets_what_a_stranger_gets(stage: DiscordStage) -> None:
    """A code in the direct chat; nothing in a channel that is not enabled, and no "thinking" that stays."""
    ann, eve = stage.person(), stage.dc.person("eve")
    room = stage.dc.guild("Team", members=[ann, eve]).channel("general")
    host = await stage.reading()
    await registered(stage)
    tap = eve.command("inbox")
    assert "pairing code" in (await tap.next_message())["content"]
    for person in (eve, ann):
        hidden = person.command("session", channel=room, what="clear")
        await hidden.answered()
        await stage.dc.wait_for(partial(gone, hidden))
        assert hidden.messages == []
    assert host.events == []


async def test_a_command_of_somebody_elses_making_is_the_agents(stage: DiscordStage) -> None:
    """One that an earlier program registered reaches the agent as text, and the person who chose it is told so."""
    ann = stage.person()
    host = await stage.reading()
    commands = await registered(stage)
    commands.append({**commands[0], "name": "deploy", "id": str(stage.dc.state.ids())})
    stage.dc.interactions.commands.commands = commands
    tap = ann.command("deploy")
    event = await host.event()
    assert event.content == "/deploy"
    assert event.meta["user_id"] == str(ann.id)
    assert (await tap.next_message())["content"] == "Sent to the agent."
    await host.done("reply", chat_id=ann.dm.id, text="deployed")
    # No mark is put on a message that is none.
    assert stage.dc.calls_of("PUT /channels/*/messages/*/reactions/*") == []


def gone(tap: ComponentTap) -> bool:
    """The answer was there and is not any more."""
    return tap.answer is not None and tap.answer.message is None


async def talked(stage: DiscordStage, host: Host, ann: DiscordPerson) -> None:
    ann.send("remember this")
    await host.event()
    await host.done("reply", chat_id=ann.dm.id, text="I do")


async def test_the_export_is_a_file_in_the_chat(stage: DiscordStage) -> None:
    """/session export sends the chat as a text file and leaves no copy behind."""
    ann = stage.person()
    host = await stage.reading()
    await registered(stage)
    await talked(stage, host, ann)
    tap = ann.command("session", what="export")
    assert (await tap.next_message())["content"] == "Sent."
    (file,) = ann.messages()[-1]["attachments"]
    assert file["filename"].startswith("history-")
    stored = next(one for one in stage.dc.state.files.by_id.values() if one.name == file["filename"])
    lines = stored.data.decode().splitlines()
    assert [line.split("] ", 1)[1] for line in lines] == ["ann: remember this", "sandbox-bot: I do"]
    assert list((stage.state / "files").iterdir()) == []


async def test_a_command_that_is_replayed_too_late_is_given_up(stage: DiscordStage) -> None:
    """One that Discord replays after the three seconds is not answered, and holds up nothing behind it."""
    ann = stage.person()
    host = await stage.reading()
    await registered(stage)
    await host.kill()
    tap = ann.command("status")
    stage.dc.advance(4)
    ann.send("after it")
    host = await stage.reading()
    assert (await host.event()).content == "after it"
    assert tap.failed
    assert "not said" not in host.log()


async def test_clear_is_an_approvers_in_a_room(stage: DiscordStage) -> None:
    """What belongs to a whole room is cleared by an approver only."""
    ann, bob = stage.person(), stage.dc.person("bob")
    room = stage.dc.guild("Team", members=[ann, bob]).channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    await registered(stage)
    bob.send("ours", channel=room)
    await host.event()
    assert "only an approver" in (await bob.command("session", channel=room, what="clear").next_message())["content"]
    assert "deleted: 1." in (await ann.command("session", channel=room, what="clear").next_message())["content"]
    event = await host.event()
    assert (event.meta["session"], event.meta["chat_id"]) == ("clear", str(room.id))


@pytest.mark.parametrize(
    ("name", "options"), [("session", {"what": "status"}), ("session", {"what": "export"}), ("cancel", {})]
)
async def test_what_is_the_operators_is_for_approvers_in_a_room(
    stage: DiscordStage, name: str, options: dict[str, str]
) -> None:
    """Whoever else chooses it is told so, alone, and gets nothing; an approver gets it."""
    ann, bob = stage.person(), stage.dc.person("bob")
    room = stage.dc.guild("Team", members=[ann, bob]).channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    await registered(stage)
    ann.send("ours", channel=room)
    await host.event()
    await host.done("reply", chat_id=room.id, text="Ship?", buttons=[["Yes"]])
    refused = bob.command(name, channel=room, **options)
    assert (await refused.next_message())["content"] == "In a group, only an approver can use this command."
    assert [message.get("attachments") for message in room.messages()] == [[], []]
    assert room.messages()[-1]["components"]
    allowed = ann.command(name, channel=room, **options)
    assert "approver" not in (await allowed.next_message())["content"]


async def test_a_forwarded_command_is_not_the_forwarders(stage: DiscordStage) -> None:
    """Somebody else's words are shown to the agent, and nothing is done."""
    ann, mallory = stage.person(), stage.dc.person("mallory")
    room = stage.dc.guild("Server", members=[ann, mallory]).channel("general")
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    ann.send("keep this")
    await host.event()
    ann.forward(mallory.send("/session clear", channel=room))
    event = await host.event()
    assert (event.content, event.meta["forward_from"]) == ("/session clear", "somebody")
    assert "keep this" in (await stage.cli("history", "export", "discord")).out
    assert ann.messages()[-1]["author"]["id"] == str(ann.id)
