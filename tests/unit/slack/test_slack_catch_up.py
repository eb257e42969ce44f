"""Slack keeps nothing for an app that is away: what was missed is fetched, however slowly Slack lets that happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from agent_channels.core.contract.messages import Message
from agent_channels.core.errors import Unauthorized
from agent_channels.sandbox.slack.channels import SlackChannel
from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.slack.adapter import SlackAdapter
from agent_channels.slack.settings import SlackSettings
from contract_bench import Collected
from wire_host import PATIENCE_S

pytest_plugins = ["slack_fixtures"]


@dataclass
class Project(Collected):
    """A sink that an adapter reads into, again and again; `heard` are the chats that it reads."""

    adapter: SlackAdapter | None = None

    @property
    def said(self) -> list[str]:
        """What came, in order; edits and reactions are marked."""
        assert self.adapter is not None
        read = [self.adapter.to_inbound(event) for event in self.events]
        return [_words(one) for one in read if isinstance(one, Message)]

    @property
    def note(self) -> str:
        """What the status says now."""
        return self.notes[-1] if self.notes else ""

    def add_note(self, text: str) -> None:
        super().add_note(text)
        self.stored()

    def forget(self) -> None:
        """Retention: what was answered long ago is not known any more."""
        self.events.clear()


def _words(message: Message) -> str:
    mark = "edited: " if message.edited else "reaction: " if message.reaction else ""
    return f"{mark}{message.text}"


@pytest.fixture
def ann(slack: SlackSandbox) -> SlackPerson:
    return slack.person("ann")


@pytest.fixture
def room(slack: SlackSandbox, ann: SlackPerson) -> SlackChannel:
    return slack.channel("general", members=[ann])


@pytest.fixture
def project(slack: SlackSandbox, ann: SlackPerson, room: SlackChannel) -> Project:
    return Project(heard={ann.dm.id: 0.0, room.id: 0.0}, stored=slack.state.changed)


@asynccontextmanager
async def reading(slack: SlackSandbox, project: Project) -> AsyncIterator[None]:
    """A process that reads, for as long as the block lasts."""
    settings = SlackSettings.of({"app_token": slack.app_token, "api_root": slack.root})
    async with SlackAdapter(settings, slack.token) as adapter:
        project.adapter = adapter
        await adapter.identify()
        listening = asyncio.create_task(adapter.listen(project))
        listening.add_done_callback(lambda _: slack.state.changed())
        try:
            await slack.wait_for(lambda: slack.connected or listening.done())
            yield
        finally:
            ended = listening.done()
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            assert not ended
    await slack.wait_for(lambda: not slack.connected)


async def caught_up(slack: SlackSandbox, project: Project) -> None:
    await slack.wait_for(lambda: project.notes_of.get("sync") == "done")


async def read_once(slack: SlackSandbox, project: Project) -> None:
    """A process that reads until nothing is missed any more."""
    project.notes_of["sync"] = "behind"
    async with reading(slack, project):
        await caught_up(slack, project)


async def said(slack: SlackSandbox, project: Project, *texts: str) -> None:
    """All of this came, in any order, and nothing else."""
    await slack.wait_for(lambda: len(project.said) >= len(texts))
    assert sorted(project.said) == sorted(texts)


def limited(slack: SlackSandbox, method: str) -> int:
    """How often Slack refused to answer so soon."""
    return sum(call.response_code == 429 for call in slack.state.calls_of(method))


# ---- rate limits


async def test_sixty_threads_are_read_within_fifty_calls_a_window(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """A limit is waited for and the one page asked for again: each thread costs one answer, however many there are."""
    roots = [ann.send(f"root {number}", channel=room) for number in range(60)]
    for number, root in enumerate(roots):
        ann.send(f"first {number}", channel=room, thread=root)
    await read_once(slack, project)
    before = len(project.said)
    slack.state.calls.clear()
    for number, root in enumerate(roots):
        ann.send(f"missed {number}", channel=room, thread=root)
    slack.set_limit("conversations.replies", 50, per_s=4)
    await read_once(slack, project)
    assert project.said[before:] == [f"missed {number}" for number in range(60)]
    answers = [call for call in slack.state.calls_of("conversations.replies") if call.response_code == 200]
    assert len(answers) == 60
    assert 1 <= limited(slack, "conversations.replies") <= 3


async def test_what_is_complete_is_kept_while_slack_asks_to_wait(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """Each chat's messages are journalled with its cursor; the status says what is left; what is new comes at once.

    The cursor of the chat that waits stays before what was not fetched, also when the process ends there.
    """
    await read_once(slack, project)
    ann.send("missed directly")
    ann.send("missed in the room", channel=room)
    mark = project.notes_of[f"last:{room.id}"]
    slack.faults.add("flood", method="conversations.history", chat=room.id, retry_after=1)
    project.notes_of["sync"] = "behind"
    async with reading(slack, project):
        await slack.wait_for(lambda: "missed directly" in project.said and "chats left: 1" in project.note)
        assert "fetching what was missed, since" in project.note
        ann.send("new in the room", channel=room)
        await slack.wait_for(lambda: "new in the room" in project.said)
        assert project.notes_of[f"last:{room.id}"] == mark
        assert project.notes_of["sync"] == "behind"
    slack.faults.clear()
    await read_once(slack, project)
    assert project.said == ["missed directly", "new in the room", "missed in the room"]
    assert project.note == ""
    assert float(project.notes_of[f"last:{room.id}"]) > float(mark)
    assert f"ahead:{room.id}" not in project.notes_of


async def test_a_second_gap_while_the_first_is_fetched(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """A connection that breaks while a history is fetched: that goes on, and what the second gap hid comes too."""
    await read_once(slack, project)
    slack.set_limit("conversations.history", 1, per_s=1)
    texts = [f"first gap {number}" for number in range(3)]
    for number, text in enumerate(texts):
        ann.send(text, channel=(None, room)[number % 2])
    project.notes_of["sync"] = "behind"
    async with reading(slack, project):
        await slack.wait_for(lambda: limited(slack, "conversations.history") > 0)
        slack.hold_events()
        slack.faults.drop_sockets()
        for number in range(4):
            texts.append(f"second gap {number}")
            ann.send(texts[-1], channel=(None, room)[number % 2])
        await slack.wait_for(lambda: len(project.said) == len(texts))
        await caught_up(slack, project)
        slack.release()
        ann.send("after")
        await said(slack, project, *texts, "after")


async def test_connections_that_keep_breaking_let_every_chat_be_read(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """Each chat has its turn: one that is fetched again and again does not keep the others waiting for ever."""
    await read_once(slack, project)
    ann.send("directly")
    ann.send("in the room", channel=room)
    slack.faults.add("delay", method="conversations.history", seconds=0.3)
    async with reading(slack, project):

        async def keep_breaking() -> None:
            while True:
                await slack.wait_for(lambda: slack.connected)
                opened = slack.socket.opened
                await asyncio.sleep(0.2)
                slack.faults.drop_sockets()
                await slack.wait_for(lambda: slack.socket.opened > opened)  # noqa: B023

        breaking = asyncio.create_task(keep_breaking())
        await slack.wait_for(lambda: len(project.said) == 2)
        breaking.cancel()


# ---- edits


async def test_edits_that_were_missed_come_as_edits(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """A message that was handed over and edited since comes as it would have live, in threads too; live ones once."""
    first = ann.send("first wording")
    root = ann.send("root wording", channel=room)
    reply = ann.send("reply wording", channel=room, thread=root)
    # What was said last lies an hour back, and the rest of it before that.
    slack.advance(3600)
    project.notes_of["sync"] = "behind"
    async with reading(slack, project):
        await caught_up(slack, project)
        live = ann.send("seen live", channel=room)
        ann.edit(live, "seen live, edited")
        await slack.wait_for(lambda: len(project.said) == 5)
    before = project.said
    assert before[-1] == "edited: seen live, edited"
    ann.edit(first, "second wording")
    ann.edit(root, "root, edited")
    ann.edit(reply, "reply, edited")
    await read_once(slack, project)
    assert sorted(project.said[5:]) == ["edited: reply, edited", "edited: root, edited", "edited: second wording"]
    await read_once(slack, project)
    assert len(project.said) == 8


async def test_what_was_edited_before_it_was_seen_comes_once_as_it_is(
    slack: SlackSandbox, project: Project, ann: SlackPerson
) -> None:
    """Written and edited in one gap: the message as it is now, and no edit of it after the next gap either."""
    await read_once(slack, project)
    ann.edit(ann.send("wrong"), "right")
    for _ in range(2):
        await read_once(slack, project)
        assert project.said == ["right"]
    # Edited once more: that is news.
    slack.advance(2)
    ann.edit(ann.messages()[-1], "better")
    ann.edit(ann.messages()[-1], "best")
    await read_once(slack, project)
    assert project.said == ["right", "edited: best"]


async def test_what_was_edited_before_it_was_seen_comes_once_behind_what_is_new(
    slack: SlackSandbox, project: Project, ann: SlackPerson
) -> None:
    """Something newer came live before the history was read: what the gap hid was never seen for all that."""
    await read_once(slack, project)
    ann.edit(ann.send("wrong"), "right")
    slack.faults.add("flood", method="conversations.history", chat=ann.dm.id, retry_after=1)
    project.notes_of["sync"] = "behind"
    async with reading(slack, project):
        ann.send("live")
        await slack.wait_for(lambda: "live" in project.said)
        slack.faults.clear()
        await caught_up(slack, project)
    assert project.said == ["live", "right"]
    await read_once(slack, project)
    assert project.said == ["live", "right"]


@pytest.mark.parametrize("wording", ["old", "in the gap"])
async def test_an_edit_that_comes_live_is_not_overtaken_by_what_it_replaced(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel, wording: str
) -> None:
    """A chat was read, another one takes long, and then somebody edits what was read: no older wording comes after."""
    await read_once(slack, project)
    message = ann.send("old")
    if wording != "old":
        ann.edit(message, wording)
    held = slack.faults.add("slow", method="conversations.history", chat=room.id, times=1, seconds=60.0)
    project.notes_of["sync"] = "behind"
    async with reading(slack, project):
        # The direct chat is read, and the room is asked about.
        async with asyncio.timeout(PATIENCE_S):
            while held.times:  # noqa: ASYNC110 - nothing tells of a call that has not ended
                await asyncio.sleep(0.01)
        ann.edit(message, "new")
        await slack.wait_for(lambda: "edited: new" in project.said)
        slack.faults.clear()
        await caught_up(slack, project)
    assert project.said == ["edited: new", "new"]


async def test_an_edit_of_what_came_while_the_chat_was_behind(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """A message came live while its chat was behind, and was edited in the next gap: the edit comes."""
    await read_once(slack, project)
    slack.faults.add("flood", method="conversations.history", chat=room.id, retry_after=1)
    async with reading(slack, project):
        live = ann.send("as it came", channel=room)
        await slack.wait_for(lambda: project.said == ["as it came"])
    slack.faults.clear()
    ann.edit(live, "as it is")
    await read_once(slack, project)
    assert project.said == ["as it came", "edited: as it is"]


async def test_reactions_to_replies_of_the_last_day(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """Missed reactions are found on replies in threads too, hours after these were written."""
    root = ann.send("root", channel=room)
    reply = ann.send("reply", channel=room, thread=root)
    slack.advance(3600)
    ann.send("later", channel=room)
    await read_once(slack, project)
    ann.react(reply, "🎉")
    await read_once(slack, project)
    assert project.said[3:] == ["reaction: 🎉"]


async def test_nothing_comes_again_that_is_not_known_any_more(
    slack: SlackSandbox, project: Project, ann: SlackPerson
) -> None:
    """The last message of a quiet chat was answered and deleted a month ago: it does not come a second time."""
    ann.edit(ann.send("long ago"), "long ago, edited")
    await read_once(slack, project)
    slack.advance(40 * 86_400)
    await read_once(slack, project)
    project.forget()
    await read_once(slack, project)
    assert project.said == []


# ---- what cannot be read


async def test_a_fault_in_one_chat_is_repeated_and_keeps_nobody_waiting(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """Slack fails for one chat: the other one is read, this one again until it works; the status says why."""
    await read_once(slack, project)
    ann.send("in the room", channel=room)
    ann.send("directly")
    fault = slack.faults.add("error", method="conversations.history", chat=room.id)
    async with reading(slack, project):
        await slack.wait_for(lambda: project.said == ["directly"] and "cannot be read" in project.note)
        assert f"the history of #general ({room.id}) cannot be read: Slack has a fault (HTTP 500)" in project.note
        slack.faults.rules.remove(fault)
        await slack.wait_for(lambda: project.said == ["directly", "in the room"])
        await slack.wait_for(lambda: project.note == "")


@pytest.mark.parametrize("how", ["scope", "membership"])
async def test_a_history_that_slack_refuses_is_told_and_read_once_it_may_be(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel, how: str
) -> None:
    """The status names the scope that is missing, or says to let the bot in; then what was missed comes after all."""
    await read_once(slack, project)
    scopes = list(slack.state.app.bot_scopes)
    if how == "scope":
        slack.without_scope("channels:history")
    else:
        room.remove_bot()
    ann.send("missed", channel=room)
    async with reading(slack, project):
        await slack.wait_for(lambda: "cannot be read" in project.note)
        assert ("lacks the scope channels:history" if how == "scope" else "not_in_channel") in project.note
        # All that can be read was.
        await caught_up(slack, project)
        ann.send("directly")
        await slack.wait_for(lambda: project.said == ["directly"])
        if how == "scope":
            slack.set_scopes(*scopes)
            # To get the scope the app is installed again, which ends its connections.
            slack.faults.close_sockets()
        else:
            room.add_bot()
        await slack.wait_for(lambda: project.said == ["directly", "missed"])
        await slack.wait_for(lambda: project.note == "")


async def test_what_was_said_while_the_bot_was_out(
    slack: SlackSandbox, project: Project, ann: SlackPerson, room: SlackChannel
) -> None:
    """Removed from a channel and let in again under one connection: what was said meanwhile comes first."""
    async with reading(slack, project):
        await caught_up(slack, project)
        ann.send("in", channel=room)
        await slack.wait_for(lambda: project.said == ["in"])
        room.remove_bot()
        ann.send("out", channel=room)
        room.add_bot()
        ann.send("in again", channel=room)
        await slack.wait_for(lambda: len(project.said) == 3)
    assert project.said == ["in", "out", "in again"]


async def test_a_chat_that_is_read_no_more_is_not_told_of(
    slack: SlackSandbox, project: Project, room: SlackChannel
) -> None:
    """The operator disables a channel whose history Slack refuses: the status is silent about it."""
    room.remove_bot()
    async with reading(slack, project):
        await slack.wait_for(lambda: "not_in_channel" in project.note)
        del project.heard[room.id]
        await slack.wait_for(lambda: project.note == "")


async def test_people_whose_direct_chat_is_not_known(slack: SlackSandbox, project: Project) -> None:
    """Somebody who was let in by their id and wrote while we were away: asked for again when Slack says to wait.

    With an account that is deactivated there is no chat, and nothing to tell.
    """
    bob, gone = slack.person("bob"), slack.person("gone")
    gone.user.deleted = True
    project.heard |= {bob.id: 0.0, gone.id: 0.0}
    bob.send("missed")
    slack.faults.add("flood", method="conversations.open", times=1, retry_after=1)
    async with reading(slack, project):
        await caught_up(slack, project)
        bob.send("live")
        await said(slack, project, "missed", "live")
    assert project.note == ""


@pytest.mark.parametrize("payload", ["null", "[1]", "7", '"text"', '{"event": 7}', '{"event": {"type": "message"}}'])
async def test_an_odd_envelope_costs_no_connection(slack: SlackSandbox, project: Project, payload: str) -> None:
    """What a socket brings that Slack does not promise is acknowledged, and kept for inspection."""
    ann = slack.person("ann")
    async with reading(slack, project):
        await caught_up(slack, project)
        (socket,) = slack.socket.connections
        slack.faults.garble_sockets(f'{{"type": "events_api", "envelope_id": "odd", "payload": {payload}}}')
        ann.send("after")
        await slack.wait_for(lambda: project.said == ["after"])
        await slack.wait_for(lambda: any('"odd"' in text for text in socket.received))
        assert slack.socket.connections == [socket]


async def test_a_revoked_token_ends_the_reading(slack: SlackSandbox, project: Project) -> None:
    """A token that was revoked while missed messages were fetched is not one chat's fault."""
    slack.faults.add("flood", method="conversations.history", retry_after=1)
    settings = SlackSettings.of({"app_token": slack.app_token, "api_root": slack.root})
    async with SlackAdapter(settings, slack.token) as adapter:
        await adapter.identify()
        listening = asyncio.create_task(adapter.listen(project))
        await slack.wait_for(lambda: limited(slack, "conversations.history") > 0)
        slack.faults.clear()
        slack.revoke_token()
        with pytest.raises(Unauthorized):
            await listening


@pytest.mark.parametrize(
    "spoil",
    [
        lambda message: message.update(ts="soon"),
        lambda message: message.update(reactions=[{"users": 7}]),
        lambda message: message.update(edited=["never"]),
        lambda message: message.update(latest_reply="now", thread_ts=5),
        lambda message: message.update(user=["U1"], blocks="?"),
        lambda message: message.clear(),
    ],
)
async def test_one_odd_message_keeps_no_others_from_being_read(
    slack: SlackSandbox, project: Project, ann: SlackPerson, spoil: Callable[[dict[str, Any]], None]
) -> None:
    """What the history holds that Slack does not promise costs at most that message."""
    await read_once(slack, project)
    ann.send("before")
    odd = ann.send("odd")
    ann.send("after")
    record, found = slack.state.find(odd["ts"])
    render = slack.state.render

    def rendered(message: Mapping[str, Any]) -> dict[str, Any]:
        made = render(dict(message))
        if message is found:
            spoil(made)
        return made

    slack.state.render = rendered  # type: ignore[method-assign, assignment]
    assert record is ann.dm
    await read_once(slack, project)
    assert [text for text in project.said if text != "odd"] == ["before", "after"]
