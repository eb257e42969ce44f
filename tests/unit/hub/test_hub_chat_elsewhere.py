"""The same where a thread is a chat of its own and commands from a menu are answered to whoever chose them alone, and
where an answer to a message makes a thread of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.hub.starts import StartRequest
from agent_channels.core.inbound.command_menu import command_menu
from agent_channels.core.runtime.hub import away
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from hub_reading import HubReading, group, reading
from hubs import Hub

API, WEB = "apiapiap", "webwebwe"


@pytest.fixture
async def dc() -> AsyncIterator[DiscordSandbox]:
    async with DiscordSandbox() as made:
        yield made


@pytest.fixture
async def desk(dc: DiscordSandbox, made_hub: Hub, tmp_path: Path) -> AsyncIterator[HubReading]:
    async with reading(dc, made_hub, tmp_path) as made:
        await made.adapter.set_commands(command_menu(rich=False, hub=True))
        yield made


@pytest.fixture
def ann(dc: DiscordSandbox) -> DiscordPerson:
    person = dc.person("ann", "Ann")
    person.dm.started = True
    return person


def labels(message: dict[str, Any]) -> list[str]:
    """The labels of a message's buttons that can be tapped."""
    return [
        key["label"] for row in message.get("components") or () for key in row["components"] if not key.get("disabled")
    ]


async def test_a_question_in_a_direct_chat(desk: HubReading, ann: DiscordPerson) -> None:
    """Asked once, kept, answered by a tap; the chosen button stays and does nothing any more."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    ann.send("first")
    question = await ann.next_message()
    assert labels(question) == ["api", "web"]
    ann.tap(question["id"], label="web")
    await desk.until(WEB, ["first"])
    await desk.when(lambda: "→ web" in ann.inbox[0]["content"])
    assert labels(ann.inbox[0]) == []
    ann.send("second")
    await desk.until(WEB, ["first", "second"])
    assert len(ann.inbox) == 1


async def test_of_more_projects_than_buttons_the_others_can_be_named(desk: HubReading, ann: DiscordPerson) -> None:
    """The question says so, and a name counts as the tap does."""
    for number in range(30):
        await desk.member(f"{number:02}-site", ann.id)
    ann.send("first")
    question = await ann.next_message()
    assert len(labels(question)) == 25
    assert "answer with its name" in question["content"]
    ann.send("29-site")
    await desk.until("29-site2", ["first"])


async def test_projects_from_the_menu(dc: DiscordSandbox, desk: HubReading, ann: DiscordPerson) -> None:
    """In a direct chat with buttons; in a server as a list that nobody else sees, and by name."""
    room = dc.guild("Team", members=[ann]).channel("work")
    for name in ("api", "web"):
        await desk.member(name, ann.id, groups={room.id: group(ann.id)})
    ann.command("projects")
    assert labels(await ann.next_message()) == ["api", "web"]
    answer = await ann.command("projects", channel=room).next_message()
    assert "api – ready" in answer["content"]
    assert room.messages() == []
    answer = await ann.command("projects", channel=room, what="web").next_message()
    assert answer["content"] == "What you write goes to web from now on."
    ann.send(f"<@{dc.bot_id}> hello", channel=room)
    while WEB not in await desk.hub.events.waiting():
        await desk.settled()
    assert [route.kind for route in await desk.hub.routes.all()] == ["person"]


async def test_a_thread_is_opened_and_given_to_a_project(
    dc: DiscordSandbox, desk: HubReading, ann: DiscordPerson
) -> None:
    """From the channel, and from another of its threads; what is said in it goes there, elsewhere it is asked about."""
    room = dc.guild("Team", members=[ann]).channel("work")
    for name in ("api", "web"):
        await desk.member(name, ann.id, approvers=[ann.id], groups={room.id: group()})
    told = await ann.command("new", channel=room, what="api").next_message()
    assert told["content"] == "“api” is open, for api."
    (route,) = await desk.hub.routes.all()
    thread = dc.state.channels[int(route.key)]
    assert (route.kind, route.project, thread.name) == ("thread", API, "api")
    await desk.when(
        lambda: [one["content"] for one in thread.messages.values()] == ["What you write here goes to api."]
    )
    other = room.thread("Other", by=ann)
    told = await ann.command("here", channel=other, what="web").next_message()
    assert told["content"] == "This topic belongs to web from now on."
    ann.send(f"<@{dc.bot_id}> in other", channel=other)
    await desk.until(WEB, [f"@{dc.username} in other"])
    told = await ann.command("new", channel=other, what="api Second").next_message()
    assert told["content"] == "“Second” is open, for api."
    ann.send(f"<@{dc.bot_id}> somewhere", channel=room)
    found = await room.next_message()
    while not labels(found):
        found = await room.next_message()
    assert labels(found) == ["api", "web"]


async def test_what_is_not_allowed_is_answered(dc: DiscordSandbox, desk: HubReading, ann: DiscordPerson) -> None:
    """A stranger's command and tap, and those of somebody who approves nothing, are told so."""
    bob = dc.person("bob", "Bob")
    room = dc.guild("Team", members=[ann, bob]).channel("work")
    await desk.member("api", ann.id, groups={room.id: group(ann.id)})
    await desk.member("web", ann.id)
    for name in ("projects", "new", "here", "status"):
        told = await bob.command(name, channel=room).next_message()
        assert told["content"] == "None of this bot's projects lets you in here."
    told = await ann.command("here", channel=room, what="api").next_message()
    assert told["content"].startswith("Only an approver of api can do that.")
    assert await desk.hub.routes.all() == []


async def test_a_start_is_offered_and_asked_for(
    desk: HubReading, ann: DiscordPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To an approver, once a keeper may do it; Start asks for it where it was tapped, Later for nothing."""
    monkeypatch.setattr(away, "TELL_AFTER_S", -1.0)
    await desk.hub.keepers.beat("desk", "laptop", 1, {API})
    await desk.member("api", ann.id, approvers=[ann.id], session_state="none")
    ann.send("first")
    offer = await ann.next_message()
    assert labels(offer) == ["Start", "Later"]
    ann.tap(offer["id"], label="Later")
    await desk.when(lambda: not labels(ann.inbox[0]) and "Later. It is kept" in ann.inbox[0]["content"])
    await desk.until(API, ["first"])
    ann.send("second")
    offer = await ann.next_message()
    ann.tap(offer["id"], label="Start")
    await desk.when(lambda: not labels(ann.inbox[1]) and "Starting api… (" in ann.inbox[1]["content"])
    assert await desk.hub.starts.take([API]) == [StartRequest(API, str(ann.id), str(ann.dm.id), "")]


async def test_a_question_under_a_message_is_about_the_chat(made_hub: Hub, tmp_path: Path) -> None:
    """Asked in the thread that an answer to the message makes: the tap decides for the direct chat, and is kept."""
    async with SlackSandbox() as slack, reading(slack, made_hub, tmp_path) as desk:
        ann = slack.person("ann")
        for name in ("api", "web"):
            await desk.member(name, ann.id, enabled={})
        first = ann.send("first")
        question = await ann.next_message()
        assert question["thread_ts"] == first["ts"]
        ann.tap(question, label="web")
        await desk.until(WEB, ["first"])
        ann.send("second")
        await desk.until(WEB, ["first", "second"])
        await desk.when(lambda: "What you write next goes there too" in str(ann.inbox[0]["blocks"]))
        assert [(route.kind, route.key, route.project) for route in await desk.hub.routes.all()] == [
            ("person", ann.id, WEB)
        ]
        assert len(ann.inbox) == 1
