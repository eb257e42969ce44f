"""The routes table: which project gets what is said in a thread, in a chat, or by a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import HubDatabase, Row, Statement, chunks
from agent_channels.core.hub.members import GATE, Members
from agent_channels.core.hub.routes import RouteKind, RouteTarget, RoutingFacts

__all__ = ["HubRoute", "RouteTable"]

_CHUNK = 100
Rows = Sequence[Sequence[str]]
KNOWN_MAX = 10_000


@frozen
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
        self._known: dict[tuple[str, str], str | None] = {}

    async def facts(self, targets: Sequence[RouteTarget]) -> RoutingFacts:
        """Return what is known that may decide about these. Raises `StoreError`."""
        messages = {(target.chat_id, found) for target in targets for found in target.message_ids}
        keys = {key for target in targets for key in target.route_keys}
        routes = self._projects("routes", ("kind", "key"), keys)
        async with self._db.reading() as tx:
            members, *found = await tx.each(
                self._members.query, *routes, *self._projects("sent", ("chat_id", "message_id"), messages)
            )
        facts = RoutingFacts(
            self._members.known_by(members),
            _by_pair(found[: len(routes)]),
            _by_pair(found[len(routes) :]),
        )
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known |= {key: facts.routes.get(key) for key in keys}
        return facts

    def known(self, target: RouteTarget) -> tuple[RoutingFacts, Statement] | None:
        """Return what was known last about a target, and the condition that it is still so; None if that is unknown.

        Nothing is asked: the condition goes into the statement that acts on it.
        """
        members, keys = self._members.known, target.route_keys
        if not members or target.message_ids or any(key not in self._known for key in keys):
            return None
        routes: dict[tuple[str, str], str] = {key: project for key in keys if (project := self._known[key]) is not None}
        still = [
            _counted("members", self._bot, len(members)),
            _counted(
                "members", self._bot, len(members), ("project", GATE), [(one.project, one.gate) for one in members]
            ),
            _counted("routes", self._bot, len(routes), ("kind", "key"), keys),
        ]
        if routes:
            bound = [(*key, project) for key, project in routes.items()]
            still.append(_counted("routes", self._bot, len(routes), ("kind", "key", "project"), bound))
        condition = " AND ".join(sql for sql, _ in still)
        return RoutingFacts(members, routes), (condition, tuple(value for _, values in still for value in values))

    def _projects(self, table: str, names: tuple[str, str], wanted: Collection[tuple[str, str]]) -> list[Statement]:
        """Return what asks for the project in each row with one of these pairs of values."""
        left, (first, second) = sorted(wanted), names
        found = f"SELECT {first} AS first, {second} AS second, project FROM"
        return [_matching(found, table, self._bot, names, chunk) for chunk in chunks(left, _CHUNK)]

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
            rows = await tx.rows(
                "SELECT kind, key, project, made_by, made_at FROM routes WHERE bot = ? ORDER BY kind, key", self._bot
            )
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


def _counted(table: str, bot: str, number: int, columns: Sequence[str] = (), rows: Rows = ()) -> Statement:
    """Return the condition that a table has so many rows of a bot's, of those whose columns are as one of `rows`."""
    sql, values = _matching("SELECT count(*) FROM", table, bot, columns, rows)
    return f"({sql}) = ?", (*values, number)


def _matching(select: str, table: str, bot: str, columns: Sequence[str], rows: Rows) -> Statement:
    """Return what selects a bot's rows of a table; if there are `rows`, those whose columns are as one of them.

    The rows come first: with IN (VALUES …), SQLite would go through all of a bot's, however many there are.
    """
    if not rows:
        return f"{select} {table} WHERE bot = ?", (bot,)
    wanted = ", ".join([f"({', '.join('?' * len(columns))})"] * len(rows))
    same = " AND ".join(f"{name} = wanted.column{number}" for number, name in enumerate(columns, 1))
    sql = f"{select} (VALUES {wanted}) AS wanted CROSS JOIN {table} WHERE bot = ? AND {same}"
    return sql, (*(value for row in rows for value in row), bot)


def _by_pair(found: Iterable[Sequence[Row]]) -> dict[tuple[str, str], str]:
    return {(row["first"], row["second"]): row["project"] for rows in found for row in rows}
