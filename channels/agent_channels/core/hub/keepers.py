"""The keepers table: the processes that read a bot while no session runs, and which projects each may start."""

from __future__ import annotations

import json
from collections.abc import Collection

from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import HubDatabase, parsed

__all__ = ["KEEPER", "Keepers", "RunningKeeper"]

KEEPER = "keeper"
"""What a keeper is called where a project has its id: no project's id is so short."""
# Three beats that did not come.
GONE_AFTER_S = 50.0


@frozen
class RunningKeeper:
    """A process that keeps a bot: where it runs, the ids of the projects it may start, and how long it was silent."""

    machine: str
    pid: int
    projects: frozenset[str]
    silent_s: float


class Keepers:
    """The keepers of one bot."""

    def __init__(self, db: HubDatabase, bot: str) -> None:
        self._db, self._bot = db, bot

    async def beat(self, keeper: str, machine: str, pid: int, projects: Collection[str]) -> None:
        """Record that a keeper is there, and which projects it may start. Raises `StoreError`.

        `keeper`: its lock domain, in which there is one at most.
        """
        async with self._db.transaction() as tx:
            await tx.execute(
                "INSERT INTO keepers (bot, keeper, machine, pid, projects, seen_at) VALUES (?, ?, ?, ?, ?, {now}) "
                "ON CONFLICT (bot, keeper) DO UPDATE SET machine = excluded.machine, pid = excluded.pid, "
                "projects = excluded.projects, seen_at = excluded.seen_at",
                self._bot, keeper, machine, pid, json.dumps(sorted(projects)),
            )  # fmt: skip

    async def leave(self, keeper: str) -> None:
        """Record that a keeper ends. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            await tx.execute("DELETE FROM keepers WHERE bot = ? AND keeper = ?", self._bot, keeper)

    async def running(self) -> list[RunningKeeper]:
        """Return the keepers that were heard of lately, by machine. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                "SELECT machine, pid, projects, {now} - seen_at AS silent_s FROM keepers WHERE bot = ? "
                "AND seen_at > {now} - ? ORDER BY machine, keeper",
                self._bot, GONE_AFTER_S,
            )  # fmt: skip
        return [
            RunningKeeper(row["machine"], int(row["pid"]), _projects(row["projects"]), float(row["silent_s"]))
            for row in rows
        ]

    async def startable(self) -> frozenset[str]:
        """Return the projects that some keeper may start now. Raises `StoreError`."""
        return frozenset(project for keeper in await self.running() for project in keeper.projects)


def _projects(text: str) -> frozenset[str]:
    return parsed("projects", text, lambda found: frozenset(map(str, found))) or frozenset()
