"""Hubs on both engines, for tests that hold on each of them alike."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.core.hub.address import HubAddress
from agent_channels.core.hub.members import MemberFacts
from agent_channels.core.hub.project_hub import ProjectHub
from postgres import Cluster

__all__ = ["BOT", "ENGINES", "Hub", "facts_of"]

BOT = "mychat:1"
ENGINES = ("local", "postgresql")


@dataclass
class Hub:
    """An empty hub; `text` is its address as a setting. `path` is the file of one on this machine."""

    text: str
    path: Path | None
    cluster: Cluster | None
    database: str = ""

    @classmethod
    def made(cls, engine: str, data: Path, cluster: Cluster | None, bot: str = BOT) -> Hub:
        """A new one. `data`: the user's data folder, as CHANNELS_DATA_DIR names it."""
        if engine == "local":
            return cls("local", data / "hub" / f"{bot.replace(':', '-')}.db", None)
        assert cluster is not None
        database = cluster.create()
        return cls(cluster.url(database), None, cluster, database)

    @property
    def address(self) -> HubAddress:
        """Its address."""
        return HubAddress.of(self.text, {})

    @asynccontextmanager
    async def open(self, project: str = "aaaaaaaa", bot: str = BOT) -> AsyncIterator[ProjectHub]:
        """The hub as a project sees it, until the block's end."""
        hub = ProjectHub.of(self.address, bot, project)
        try:
            yield hub
        finally:
            await hub.db.close()

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Executes a statement beside the program; returns its rows."""
        if self.cluster is not None:
            return self.cluster.execute(self.database, sql)
        assert self.path is not None
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT, 0o600))
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as db:
            return list(db.execute(sql))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Holds the file of a hub on this machine locked: nobody else commits meanwhile."""
        assert self.path is not None
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as db:
            db.execute("BEGIN EXCLUSIVE")
            yield
            db.execute("ROLLBACK")


def facts_of(project: str, name: str = "", **changes: Any) -> MemberFacts:
    """What a project of these tests says of itself."""
    values: dict[str, Any] = {
        "project": project,
        "name": name or project,
        "folder": f"/home/me/{name or project}",
        "machine": "laptop",
        "people": frozenset({"1"}),
        "approvers": frozenset({"1"}),
        "enabled": {"1": 1000.0},
        "groups": {},
        "waiting": frozenset(),
        "session_state": "idle",
    }
    return MemberFacts(**(values | changes))
