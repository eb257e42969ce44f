"""The events table: what the reader read, until each project has it in its own inbox."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.hub.database import HubDatabase, HubTransaction, Row
from agent_channels.core.hub.lease import Lease
from agent_channels.core.hub.sent import OwnedMessage, record_messages
from agent_channels.core.hub.wakeups import HubWakeups

__all__ = ["NOTHING_TO_TELL", "TOLD", "UNDECIDED", "ClaimedEvent", "Events", "RoutedEvent", "Waiting"]

T = TypeVar("T")
UNDECIDED = ""
"""The project of an event about which a person is asked."""
# How long a project may take to journal what it claimed, before another process of the same project may.
CLAIM_S = 60.0
_CHUNK = 50
_WAITING = "id, event_id, payload, chat_id, thread_id, user_id, {now} - received_at AS waited_s"
TOLD, NOTHING_TO_TELL = 1, 2


@dataclass(frozen=True, slots=True)
class RoutedEvent:
    """An event and who gets it: the ids of its `projects`, `UNDECIDED` among them or not; none at all is nobody."""

    event: RawEvent
    projects: tuple[str, ...]
    route_key: str = ""
    """Events with the same one are handed over in their order."""
    chat_id: str = ""
    thread_id: str = ""
    user_id: str = ""
    message_id: str = ""
    """Of a message that one project gets: its id, so that a new version of it, or an answer to it, goes there too."""


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that its project may journal now. `waited_s`: for how long it has been in the hub."""

    id: int
    event: RawEvent
    waited_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that no project has yet: its id in the table, and what is known of it."""

    id: int
    event: RawEvent
    chat_id: str
    thread_id: str
    user_id: str
    waited_s: float


class Events:
    """The events and cursors tables of one bot."""

    def __init__(self, db: HubDatabase, bot: str, wakeups: HubWakeups) -> None:
        self._db, self._bot, self._wakeups = db, bot, wakeups

    # ---- the reader

    async def cursors(self) -> dict[str, str]:
        """Return how far the bot was read, by the adapter's own names. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows("SELECT name, value FROM cursors WHERE bot = ?", self._bot)
        return {row["name"]: row["value"] for row in rows}

    async def put(
        self, events: Sequence[RoutedEvent], cursors: Mapping[str, str | None], lease: Lease
    ) -> frozenset[str]:
        """Store events and cursors in one transaction; return the projects that have something new.

        An event that is there already stays with whom it is. Returns before it is surely on disk: see
        `HubDatabase.sync`. Raises `LeaseLost`, with nothing written, and other `StoreError`s.
        """
        async with self._db.transaction() as tx:
            await lease.fence(tx)
            known = await self._known(tx, [routed.event.event_id for routed in events])
            new = {routed.event.event_id: routed for routed in events if routed.event.event_id not in known}
            await self._insert(tx, list(new.values()))
            await record_messages(
                tx, self._bot, [message for routed in new.values() for message in _message_of(routed)]
            )
            await self._set_cursors(tx, cursors)
            woken = frozenset(project for routed in new.values() for project in routed.projects if project)
            for project in sorted(woken):
                await self._wakeups.notify(tx, project)
        self._wakeups.send(woken)
        return woken

    async def _known(self, tx: HubTransaction, event_ids: Sequence[str]) -> set[str]:
        known: set[str] = set()
        for ids in _chunks(event_ids, _CHUNK * 10):
            rows = await tx.rows(
                f"SELECT event_id FROM events WHERE bot = ? AND event_id IN ({_marks(ids)})", self._bot, *ids
            )
            known |= {row["event_id"] for row in rows}
        return known

    async def _insert(self, tx: HubTransaction, events: Sequence[RoutedEvent]) -> None:
        # What nobody gets is kept a while, done as it is: the doctor says how much there was.
        rows = [(routed, project) for routed in events for project in (routed.projects or (None,))]
        for chunk in _chunks(rows, _CHUNK):
            values: list[object] = []
            for routed, project in chunk:
                state = "waiting" if project is not None else "nobody"
                values += (
                    self._bot, routed.event.event_id, project or UNDECIDED, routed.event.payload, routed.route_key,
                    routed.chat_id, routed.thread_id, routed.user_id, state,
                )  # fmt: skip
            await tx.execute(
                "INSERT INTO events (bot, event_id, project, payload, route_key, chat_id, thread_id, user_id, state, "
                "received_at, claimed_by, claimed_until, done_at) VALUES "
                + ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, {now}, '', 0, 0)"] * len(chunk)),
                *values,
            )

    async def _set_cursors(self, tx: HubTransaction, cursors: Mapping[str, str | None]) -> None:
        for name, value in cursors.items():
            if value is None:
                await tx.execute("DELETE FROM cursors WHERE bot = ? AND name = ?", self._bot, name)
            else:
                await tx.execute(
                    "INSERT INTO cursors (bot, name, value) VALUES (?, ?, ?) "
                    "ON CONFLICT (bot, name) DO UPDATE SET value = excluded.value",
                    self._bot, name, value,
                )  # fmt: skip

    # ---- the project's worker

    async def claim(
        self, project: str, claimer: str, domain: str, limit: int, *, expected: bool = False
    ) -> list[ClaimedEvent]:
        """Claim a project's next events for a while, oldest first. Raises `StoreError`.

        Of those with one route key none is claimed while another process has an older one. What a process of the same
        lock domain claimed is claimed again: the caller holds the lock that it had. `expected`: there is said to be
        one, so it is not looked first whether anything has to be written.
        """
        own = (len(domain) + 1, f"{domain}:")
        free = (
            "(e.state = 'waiting' OR (e.state = 'claimed' AND "
            "(e.claimed_until < {now} OR substr(e.claimed_by, 1, ?) = ?)))"
        )
        taken = "o.state = 'claimed' AND o.claimed_until >= {now} AND substr(o.claimed_by, 1, ?) <> ?"
        async with self._db.transaction() as tx:
            if not expected and not await tx.rows(
                "SELECT id FROM events WHERE bot = ? AND project = ? AND state IN ('waiting', 'claimed') LIMIT 1",
                self._bot, project,
            ):  # fmt: skip
                return []
            # Two that claim for one project take turns, or one could overtake the other.
            await tx.execute("UPDATE members SET seen_at = {now} WHERE bot = ? AND project = ?", self._bot, project)
            rows = await tx.rows(
                "UPDATE events AS e SET state = 'claimed', claimed_by = ?, claimed_until = {now} + ? WHERE e.id IN ("
                f"SELECT e.id FROM events AS e WHERE e.bot = ? AND e.project = ? AND {free} "
                "AND NOT EXISTS (SELECT 1 FROM events AS o WHERE o.bot = e.bot AND o.project = e.project "
                f"AND o.route_key = e.route_key AND o.id < e.id AND {taken}) ORDER BY e.id LIMIT ?) AND {free} "
                "RETURNING id, event_id, payload, {now} - received_at AS waited_s",
                claimer, CLAIM_S, self._bot, project, *own, *own, limit, *own,
            )  # fmt: skip
        return [
            ClaimedEvent(int(row["id"]), _event(row), float(row["waited_s"]))
            for row in sorted(rows, key=lambda row: int(row["id"]))
        ]

    async def done(self, ids: Collection[int]) -> None:
        """Record that the project has these events in its own inbox. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            for chunk in _chunks(list(ids), _CHUNK * 10):
                await tx.execute(
                    f"UPDATE events SET state = 'done', done_at = {{now}} WHERE id IN ({_marks(chunk)})", *chunk
                )

    # ---- what waits

    async def waiting(self) -> dict[str, int]:
        """Return how many events wait, by project; `UNDECIDED` is one too. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                "SELECT project, count(*) AS n FROM events WHERE bot = ? AND state IN ('waiting', 'claimed') "
                "GROUP BY project",
                self._bot,
            )
        return {row["project"]: int(row["n"]) for row in rows}

    async def waiting_for(self, project: str, limit: int = 1000) -> list[Waiting]:
        """Return the events that wait for a project, or that nobody decided yet, oldest first. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT {_WAITING} FROM events WHERE bot = ? AND project = ? AND state IN ('waiting', 'claimed') "
                "ORDER BY id LIMIT ?",
                self._bot, project, limit,
            )  # fmt: skip
        return [_waiting(row) for row in rows]

    async def undecided(self, limit: int = 1000) -> list[Waiting]:
        """Return the events of which nobody knows yet whose they are, oldest first. Raises `StoreError`."""
        return await self.waiting_for(UNDECIDED, limit)

    async def undecided_of(self, chat_id: str, thread_id: str, user_id: str) -> list[Waiting]:
        """Return every undecided event of a person in a place, oldest first. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT {_WAITING} FROM events WHERE bot = ? AND project = '' AND state IN ('waiting', 'claimed') "
                "AND chat_id = ? AND thread_id = ? AND user_id = ? ORDER BY id",
                self._bot, chat_id, thread_id, user_id,
            )  # fmt: skip
        return [_waiting(row) for row in rows]

    async def decide(self, ids: Collection[int], project: str, messages: Sequence[OwnedMessage] = ()) -> int:
        """Give undecided events to a project; return how many were still undecided. Raises `StoreError`.

        `messages`: those in the events, which are the project's from now on.
        """
        decided = 0
        async with self._db.transaction() as tx:
            await record_messages(tx, self._bot, messages)
            for chunk in _chunks(list(ids), _CHUNK * 10):
                decided += await tx.execute(
                    f"UPDATE events SET project = ? WHERE project = '' AND state = 'waiting' AND bot = ? "
                    f"AND id IN ({_marks(chunk)})",
                    project, self._bot, *chunk,
                )  # fmt: skip
            if decided:
                await self._wakeups.notify(tx, project)
        self._wakeups.send({project} if decided else ())
        return decided

    async def give(self, event_id: int, project: str) -> None:
        """Give an event that the hub had for itself to a project, or to nobody yet. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            await tx.execute(
                "UPDATE events SET project = ?, state = 'waiting', claimed_by = '', claimed_until = 0 WHERE id = ?",
                project, event_id,
            )  # fmt: skip
            if project:
                await self._wakeups.notify(tx, project)
        self._wakeups.send({project} if project else ())

    async def drop(self, ids: Collection[int]) -> None:
        """Record of undecided events that no project is there for. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            for chunk in _chunks(list(ids), _CHUNK * 10):
                await tx.execute(
                    "UPDATE events SET state = 'nobody' WHERE project = '' AND state = 'waiting' AND bot = ? "
                    f"AND id IN ({_marks(chunk)})",
                    self._bot, *chunk,
                )  # fmt: skip

    async def untold(self, project: str, waited_s: float, limit: int = 500) -> list[Waiting]:
        """Return the events that have waited so long for a project, in places where nobody was told that some wait.

        Raises `StoreError`.
        """
        open_ = "state IN ('waiting', 'claimed')"
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT {_WAITING} FROM events AS e WHERE bot = ? AND project = ? AND {open_} AND told = 0 "
                f"AND {{now}} - received_at >= ? AND NOT EXISTS (SELECT 1 FROM events AS o WHERE o.bot = e.bot "
                f"AND o.project = e.project AND o.{open_} AND o.told = {TOLD} AND o.chat_id = e.chat_id "
                "AND o.thread_id = e.thread_id) ORDER BY id LIMIT ?",
                self._bot, project, waited_s, limit,
            )  # fmt: skip
        return [_waiting(row) for row in rows]

    async def tell(self, ids: Collection[int], told: int) -> None:
        """Record whether people were told that events wait: `TOLD` or `NOTHING_TO_TELL`. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            for chunk in _chunks(list(ids), _CHUNK * 10):
                await tx.execute(f"UPDATE events SET told = ? WHERE id IN ({_marks(chunk)})", told, *chunk)

    async def nobody_count(self) -> int:
        """Return how many events of the last while no project was there for. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows("SELECT count(*) AS n FROM events WHERE bot = ? AND state = 'nobody'", self._bot)
        return int(rows[0]["n"])

    # ---- retention

    async def prune(self, hours: float, limit: int) -> int:
        """Delete at most `limit` events that were done so long ago; return how many. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            return await tx.execute(
                "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE bot = ? AND ((state = 'done' AND "
                "done_at < {now} - ?) OR (state = 'nobody' AND received_at < {now} - ?)) LIMIT ?)",
                self._bot, hours * 3600, hours * 3600, limit,
            )  # fmt: skip


def _message_of(routed: RoutedEvent) -> list[OwnedMessage]:
    if not routed.message_id or len(routed.projects) != 1 or routed.projects[0] == UNDECIDED:
        return []
    return [OwnedMessage(routed.chat_id, routed.message_id, routed.projects[0])]


def _waiting(row: Row) -> Waiting:
    return Waiting(
        int(row["id"]), _event(row), row["chat_id"], row["thread_id"], row["user_id"], float(row["waited_s"])
    )


def _event(row: Row) -> RawEvent:
    # By this machine's clock: the database's may be another.
    return RawEvent(row["event_id"], row["payload"], time.time() - float(row["waited_s"]))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
