"""The routes table: which project gets what is said in a thread, in a chat, or by a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from agent_channels.core.hub.database import HubDatabase, Row, Statement, chunks
from agent_channels.core.hub.members import Members
from agent_channels.core.hub.routes import RouteKind, RouteTarget, RoutingFacts

__all__ = ["HubRoute", "RouteTable"]

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class HubRoute:
    """What goes to a project: `key` is that of a `RouteTarget`. `made_by` is the id of a person, or says who else."""

    kind: RouteKind
    key: str
    project: str
    made_by: str
    made_at: float


class RouteTable:
    """The routes of one bot."""

    def __init__(self, db: HubDatabase, bot: str, members: Members) -> None:
        self._db, self._bot, self._members = db, bot, members

    async def facts(self, targets: Sequence[RouteTarget]) -> RoutingFacts:
        """Return what is known that may decide about these. Raises `StoreError`."""
        messages = {(target.chat_id, found) for target in targets for found in target.message_ids}
        keys = {key for target in targets for key in target.route_keys}
        routes = self._projects("routes", ("kind", "key"), keys)
        async with self._db.reading() as tx:
            members, *found = await tx.each(
                self._members.query, *routes, *self._projects("sent", ("chat_id", "message_id"), messages)
            )
        return RoutingFacts(
            self._members.known_by(members),
            _by_pair(found[: len(routes)]),
            _by_pair(found[len(routes) :]),
        )

    def _projects(self, table: str, names: tuple[str, str], wanted: Collection[tuple[str, str]]) -> list[Statement]:
        """Return what asks for the project in each row with one of these pairs of values."""
        left, first, second = sorted(wanted), *names
        query = (
            f"SELECT {first} AS first, {second} AS second, project FROM {table} WHERE bot = ? AND ({first}, {second})"
        )
        return [
            (
                f"{query} IN (VALUES {', '.join(['(?, ?)'] * len(chunk))})",
                (self._bot, *(value for pair in chunk for value in pair)),
            )
            for chunk in chunks(left, _CHUNK)
        ]

    async def set(self, kind: RouteKind, key: str, project: str, made_by: str) -> None:
        """Make a project the one that gets what is said there. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            await tx.execute(
                "INSERT INTO routes (bot, kind, key, project, made_by, made_at) VALUES (?, ?, ?, ?, ?, {now}) "
                "ON CONFLICT (bot, kind, key) DO UPDATE SET project = excluded.project, made_by = excluded.made_by, "
                "made_at = excluded.made_at",
                self._bot, kind, key, project, made_by,
            )  # fmt: skip

    async def remove(self, kind: RouteKind, key: str) -> bool:
        """Remove a route; return False if there was none. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            return bool(
                await tx.execute("DELETE FROM routes WHERE bot = ? AND kind = ? AND key = ?", self._bot, kind, key)
            )

    async def all(self) -> list[HubRoute]:
        """Return every route, by kind and key. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows("SELECT * FROM routes WHERE bot = ? ORDER BY kind, key", self._bot)
        return [
            HubRoute(row["kind"], row["key"], row["project"], row["made_by"], float(row["made_at"])) for row in rows
        ]

    async def migrate_chats(self, moves: Iterable[tuple[str, str]]) -> None:
        """Give chats, and their threads, their new ids: pairs of the old and the new one. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            for old, new in moves:
                rows = await tx.rows(
                    "SELECT kind, key FROM routes WHERE bot = ? AND ((kind IN ('chat', 'thread') AND key = ?) OR "
                    "(kind = 'thread' AND substr(key, 1, ?) = ?))",
                    self._bot, old, len(old) + 1, f"{old}/",
                )  # fmt: skip
                for row in rows:
                    key = new + row["key"].removeprefix(old)
                    await tx.execute(
                        "DELETE FROM routes WHERE bot = ? AND kind = ? AND key = ?", self._bot, row["kind"], key
                    )
                    await tx.execute(
                        "UPDATE routes SET key = ? WHERE bot = ? AND kind = ? AND key = ?",
                        key, self._bot, row["kind"], row["key"],
                    )  # fmt: skip


def _by_pair(found: Iterable[Sequence[Row]]) -> dict[tuple[str, str], str]:
    return {(row["first"], row["second"]): row["project"] for rows in found for row in rows}
