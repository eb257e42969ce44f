"""Several projects on several machines that share one sandbox bot through a hub, as real processes."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.hub.project_hub import project_id
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import Gate, Project, world
from harness import TOKEN, Host, Stage
from hubs import Hub
from postgres import Cluster
from wire_host import PATIENCE_S

__all__ = ["LEASE_S", "HubProject", "HubStage", "hub_stage"]

# Short, so that a test may wait for its end.
LEASE_S = 2.0


class HubProject(Project):
    """A project of the shared bot, on a machine: a runtime folder, and so kernel locks, of its own."""

    def __init__(self, stage: HubStage, name: str, machine: str, **settings: Any) -> None:
        super().__init__(stage.stage, name, **{"hub_lease_s": LEASE_S, **settings})
        runtime = stage.stage.folder / machine
        runtime.mkdir(mode=0o700, exist_ok=True)
        self.env |= {"XDG_RUNTIME_DIR": str(runtime), "CHANNELS_HUB": stage.address}

    @property
    def id(self) -> str:
        """Its id in the hub."""
        with Store.open(self.state) as store:
            return project_id(KeyValue(store))


class HubStage:
    """A sandbox bot and its hub; `gate` stands before the hub's database, where it has a wire."""

    def __init__(self, stage: Stage, hub: Hub, gate: Gate | None) -> None:
        self.stage, self.hub, self.gate = stage, hub, gate
        self.tg = stage.tg
        self.address = hub.text
        if gate is not None:
            assert hub.cluster is not None
            self.address = hub.cluster.url(hub.database, gate.port)

    def project(self, name: str, machine: str = "one", **settings: Any) -> HubProject:
        """Another project."""
        return HubProject(self, name, machine, **settings)

    def person(self, handle: str, *projects: HubProject) -> TelegramPerson:
        """Somebody whom these projects let in."""
        person = self.tg.person(handle)
        for project in projects:
            project.allow(person)
        person.dm.started = True
        return person

    async def reading(self, project: HubProject, **env: str | None) -> Host:
        """A host in a project, once its process reads the bot for all."""
        host = await project.host(**env)
        await host.status_when(lambda found: reads(found, host))
        await self.tg.wait_for(lambda: self.tg.polling, PATIENCE_S)
        return host

    async def working(self, project: HubProject, **env: str | None) -> Host:
        """A host in a project, once the hub knows that it is there."""
        host = await project.host(**env)
        # "idle": nobody reads the bot for the hub, this process does not either.
        await host.status_when(
            lambda found: bool(found["hub"] and found["owner"]) and found["reader"]["state"] in {"reading", "idle"}
        )
        return host

    @contextlib.asynccontextmanager
    async def unreachable(self) -> AsyncIterator[None]:
        """The hub's database cannot be used by anybody for a while."""
        if self.gate is None:
            with self.hub.held():
                yield
        else:
            await self.gate.refuse()
            yield
            await self.gate.open()

    @contextlib.contextmanager
    def blocked(self, lock: str = "events IN ACCESS EXCLUSIVE MODE") -> Any:
        """No event can be put into the hub, or marked as done in it, for a while."""
        if self.hub.cluster is None:
            with self.hub.held():
                yield
        else:
            import psycopg

            with psycopg.connect(self.hub.cluster.url(self.hub.database)) as connection:
                connection.execute(f"LOCK TABLE {lock}".encode())
                yield

    def unwritable(self) -> Any:
        """Who reads the bot, and which projects are there, can be read in the hub but not written for a while."""
        return self.blocked("bots, members IN EXCLUSIVE MODE")

    def owner(self) -> tuple[str, int]:
        """Who has the lease, and its epoch."""
        rows = self.hub.execute("SELECT owner, epoch FROM bots")
        return (str(rows[0][0]), int(rows[0][1])) if rows else ("", 0)

    def states(self) -> list[tuple[str, str]]:
        """Every event in the hub: its project and state, in order."""
        return [(str(row[0]), str(row[1])) for row in self.hub.execute("SELECT project, state FROM events ORDER BY id")]


def reads(status: dict[str, Any], host: Host) -> bool:
    """Whether a status says that this host's process reads the bot, as the hub knows it."""
    reader = (status.get("hub") or {}).get("reader") or {}
    return reader.get("pid") == host.process.pid and reader.get("state") == "reading"


@asynccontextmanager
async def hub_stage(engine: str, cluster: Cluster | None, *, gated: bool = True) -> AsyncIterator[HubStage]:
    """A stage with an empty hub on an engine, and a data folder of its own; `gated`: its wire can be cut."""
    bot = f"telegram:{TOKEN.partition(':')[0]}"
    async with contextlib.AsyncExitStack() as stack:
        # A short name: a socket's path has a hundred characters at most.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub")))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("CHANNELS_DATA_DIR", str(folder / "data"))
        hub = Hub.made(engine, folder / "data", cluster, bot)
        gate = await stack.enter_async_context(Gate(cluster.port)) if cluster is not None and gated else None
        stage = await stack.enter_async_context(world(folder / "w"))
        yield HubStage(stage, hub, gate)
