"""Two projects share one Slack app through the hub: each gets what answers it, whoever reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from harness import Event, SlackStage
from projects import Projects

NAMES = ("web", "api")


@pytest.fixture
async def shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SlackSandbox, Projects[SlackStage]]]:
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    async with SlackSandbox() as slack:
        made: dict[str, SlackStage] = {}
        for name in NAMES:
            (tmp_path / name).mkdir()
            made[name] = SlackStage(slack, tmp_path / name)
            made[name].env |= {"CHANNELS_MODE": "push"}
        async with Projects(made, tmp_path) as projects:
            yield slack, projects
        for stage in made.values():
            assert stage.impure() == []
            assert slack.token not in stage.everything_said()


def fresh(events: list[Event]) -> list[str]:
    """What came that does not say that it comes again."""
    return [event.content for event in events if event.meta.get("redelivered") != "true"]


async def test_threads_and_replies_reach_the_project_that_began_them(
    shared: tuple[SlackSandbox, Projects[SlackStage]],
) -> None:
    """In a channel of both, what is written in a thread goes to the project whose message began it.

    The process that reads is killed: the other one reads on, and what the first one missed comes when it is back.
    """
    slack, projects = shared
    ann = slack.person("ann")
    room = slack.channel("general", members=[ann])
    for name in NAMES:
        projects[name].allow(ann.id, "ann")
        with Store.open(projects[name].state) as store:
            Services.of(store).access.add_group(room.id, require_mention=True, senders=None)
    await projects.start(*NAMES)
    await slack.wait_for(lambda: slack.connected)
    began: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        await projects.hosts[name].done("reply", chat_id=room.id, text=f"{name} says hello")
        began[name] = room.messages()[-1]

    async def heard(name: str, *texts: str) -> None:
        host = projects.hosts[name]
        await host.until(lambda: set(texts) <= set(fresh(host.events)), what=f"{texts} in {name}")

    async def answers(person: SlackPerson, word: str) -> None:
        for name in reversed(NAMES):
            person.send(f"{word} for {name}", channel=room, thread=began[name])

    await answers(ann, "first")
    for name in NAMES:
        await heard(name, f"first for {name}")
        # Its answer goes into the same thread, and what is said there next comes back.
        await projects.hosts[name].done("reply", chat_id=room.id, thread_id=began[name]["ts"], text="seen")
    await answers(ann, "second")
    for name in NAMES:
        await heard(name, f"second for {name}")

    reader, other = NAMES
    await projects.hosts[reader].kill()
    await answers(ann, "away")
    ann.edit(room.messages()[-1], f"away, edited, for {reader}")
    await heard(other, f"away for {other}")
    before = fresh(projects.hosts[reader].events)
    await projects.start(reader)
    await heard(reader, f"away, edited, for {reader}")
    assert fresh(projects.hosts[other].events) == [f"{word} for {other}" for word in ("first", "second", "away")]
    assert [*before, *fresh(projects.hosts[reader].events)] == [
        f"first for {reader}",
        f"second for {reader}",
        f"away, edited, for {reader}",
    ]
