"""A shared bot on a platform that keeps no queue: how far it was read is in the hub, for whoever reads next."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from harness import DiscordStage, Host
from hub_stage import LEASE_S
from hubs import ENGINES, Hub
from wire_host import PATIENCE_S

pytestmark = pytest.mark.long


@dataclass
class Machines:
    """Two machines with a project each."""

    dc: DiscordSandbox
    web: DiscordStage
    api: DiscordStage


@pytest.fixture(params=ENGINES)
async def machines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machines]:
    cluster = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    with tempfile.TemporaryDirectory(prefix="hub") as name:
        folder = Path(name)
        monkeypatch.setenv("CHANNELS_DATA_DIR", str(folder / "data"))
        async with DiscordSandbox() as dc:
            hub = Hub.made(request.param, folder / "data", cluster, f"discord:{dc.bot_id}")
            for project in ("web", "api"):
                (folder / project).mkdir()
            async with DiscordStage(dc, folder / "web") as web, DiscordStage(dc, folder / "api") as api:
                for stage in (web, api):
                    stage.env |= {"CHANNELS_MODE": "push", "CHANNELS_HUB": hub.text}
                    stage.config(grace_s=0, hub_lease_s=LEASE_S)
                yield Machines(dc, web, api)
                assert dc.token not in web.everything_said() + api.everything_said()


def person(stage: DiscordStage, handle: str) -> DiscordPerson:
    return stage.person(handle)


async def working(stage: DiscordStage) -> Host:
    """A host in a project, once the hub knows that it is there."""
    host = await stage.host()
    await host.status_when(lambda found: bool((found["hub"] or {}).get("name")))
    return host


async def shows(host: Host, *texts: str) -> None:
    await host.until(lambda: set(texts) <= {event.content for event in host.events}, PATIENCE_S, str(texts))


@pytest.mark.parametrize("session", ["resumed", "forgotten"])
async def test_what_was_written_while_nobody_read_is_read_by_another_machine(machines: Machines, session: str) -> None:
    """The reader is killed; its session is resumed elsewhere, or is over and the messages are fetched: none is lost."""
    dc, web, api = machines.dc, machines.web, machines.api
    ann, bob = person(web, "ann"), person(api, "bob")
    gone = await working(web)
    await dc.wait_for(lambda: dc.connected, PATIENCE_S)
    stays = await working(api)
    ann.send("first")
    bob.send("second")
    await shows(gone, "first")
    await shows(stays, "second")
    await gone.kill()
    if session == "forgotten":
        dc.faults.forget_sessions()
    for number in range(5):
        ann.send(f"web {number}")
        bob.send(f"api {number}")
    await shows(stays, *(f"api {number}" for number in range(5)))
    back = await working(web)
    await shows(back, *(f"web {number}" for number in range(5)))
    assert [event.content for event in stays.events] == ["second", *(f"api {number}" for number in range(5))]
    new = [event.content for event in back.events if event.meta.get("redelivered") != "true"]
    assert new == [f"web {number}" for number in range(5)]


async def test_somebody_who_was_just_let_in_is_heard(machines: Machines) -> None:
    """In a project on another machine than the one that reads: it learns at once whom it has to listen to."""
    dc, web, api = machines.dc, machines.web, machines.api
    person(web, "ann")
    reader = await working(web)
    await dc.wait_for(lambda: dc.connected, PATIENCE_S)
    worker = await working(api)
    new = dc.person("carol")
    guild = dc.guild("team", members=[new])
    channel = guild.channel("general")
    allowed = await api.access("group", "add", str(channel.id))
    assert allowed.code == 0, allowed.err
    # The hub hears of it within a look at the store; what was said before is nobody's.
    async with asyncio.timeout(PATIENCE_S):
        while not worker.events:
            new.send(f"<@{dc.bot_id}> hello", channel=channel)
            with contextlib.suppress(TimeoutError):
                await worker.event(0.5)
    assert reader.events == []
