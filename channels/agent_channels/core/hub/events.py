"""The events table: what the reader read, until each project has it in its own inbox."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import ALWAYS, HubDatabase, Row, Statement, chunks
from agent_channels.core.hub.lease import Lease
from agent_channels.core.hub.routes import HUB, Decision, RouteTarget
from agent_channels.core.hub.sent import OwnedMessage, record_messages, record_statements
from agent_channels.core.hub.wakeups import HubWakeups

__all__ = [
    "NOTHING_TO_TELL",
    "TOLD",
    "UNDECIDED",
    "ClaimedEvent",
    "Events",
    "OpenCommand",
    "Pending",
    "RoutedEvent",
    "Waiting",
]

UNDECIDED = ""
"""The project of an event about which a person is asked."""
# How long a project may take to journal what it claimed, before another process of the same project may.
CLAIM_S = 60.0
_CHUNK = 50
_WAITING = "id, event_id, payload, chat_id, thread_id, user_id, {now} - received_at AS waited_s"
TOLD, NOTHING_TO_TELL = 1, 2


def _open(table: str = "events") -> str:
    """The condition for an event that its project does not have yet, as the index of those has it."""
    return f"{table}.state <> 'done' AND {table}.state IN ('waiting', 'claimed')"


# SQLite takes an index of a part only where its own condition is repeated.
_NOBODY = "state <> 'done' AND state = 'nobody'"
_UNDECIDED = "project = '' AND state = 'waiting'"
_COMMANDS = f"bot = ? AND project = '{HUB}' AND {_open()}"
_ANY_OPEN = f"SELECT id FROM events WHERE bot = ? AND project = ? AND {_open()} LIMIT 1"


@frozen
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
    is_kept: bool = True
    """Whether it is kept and counted if nobody gets it."""


@frozen
class ClaimedEvent:
    """An event that its project may journal now. `waited_s`: for how long it has been in the hub."""

    id: int
    event: RawEvent
    waited_s: float


@frozen
class Waiting:
    """An event that no project has yet: its id in the table, and what is known of it."""

    id: int
    event: RawEvent
    chat_id: str
    thread_id: str
    user_id: str
    waited_s: float


@frozen
class OpenCommand:
    """A command, a tap or an answer that the hub has not obeyed yet: what comes after it may go elsewhere then."""

    id: int
    chat_id: str
    user_id: str

    def concerns(self, target: RouteTarget) -> bool:
        """Return whether it may change where something goes: it is the same person's, or was written in its chat."""
        return self.chat_id in {target.chat_id, target.chat_key} or self.user_id == target.user_id != ""


@frozen
class Pending:
    """What must be done before the next message is routed, each oldest first."""

    commands: Sequence[OpenCommand]
    undecided: Sequence[Waiting]
    """The events of which nobody knows yet whose they are."""


class Events:
    """The events and cursors tables of one bot."""

    def __init__(self, db: HubDatabase, bot: str, wakeups: HubWakeups) -> None:
        self._db, self._bot, self._wakeups = db, bot, wakeups
        self._claimer = ""

    # ---- the reader

    async def cursors(self) -> dict[str, str]:
        """Return how far the bot was read, by the adapter's own names. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows("SELECT name, value FROM cursors WHERE bot = ?", self._bot)
        return {row["name"]: row["value"] for row in rows}

    async def put(
        self, events: Sequence[RoutedEvent], cursors: Mapping[str, str | None], lease: Lease
    ) -> frozenset[str]:
        """Store events, then settle them and move the cursors; return the projects that have something new.

        Raises as `store` does.
        """
        woken = await self.store(events, lease)
        await self.settle(events, cursors, lease)
        return woken

    async def store(
        self, events: Sequence[RoutedEvent], lease: Lease, *, provided: Statement = ALWAYS
    ) -> frozenset[str]:
        """Store events, if the condition `provided` holds; return the projects that have something new.

        An event that is there already stays with whom it is. Projects get what is new before it is surely on disk:
        see `HubDatabase.sync`, after which the platform may be told. Raises `LeaseLost`, with nothing written, and
        other `StoreError`s. Nothing stored with a condition may also mean that the lease is lost.
        """
        unique = _unique(events)
        if not unique:
            return frozenset()
        named = {project for routed in unique for project in routed.projects if project}
        hearing = {project for project in named if project != self._wakeups.project and self._wakeups.hears(project)}
        inserts = self._inserts(unique, hearing, lease, provided)
        results = await self._db.at_once(*inserts, *self._wakeups.notifications(sorted(named - hearing)))
        stored = {(row["event_id"], row["project"]): row["state"] for rows in results[: len(inserts)] for row in rows}
        if not stored and provided is ALWAYS:
            # All of it was there already, or it was not for this process to write any more.
            lease.require(*await self._db.at_once(lease.fence))
        woken = frozenset(project for _, project in stored if project)
        for project in woken:
            claimed = [one.event for one in unique if stored.get((one.event.event_id, project)) == "claimed"]
            if not claimed or not self._wakeups.hand_over(project, claimed):
                self._wakeups.send({project})
        return woken

    async def settle(self, events: Sequence[RoutedEvent], cursors: Mapping[str, str | None], lease: Lease) -> None:
        """Record what belongs to events that are stored, and how far the bot was read. Raises as `store` does."""
        # Nobody waits for these: without, events are read again, and are there already.
        if rest := [*self._records(_unique(events), lease), *self._moves(cursors, lease)]:
            fenced, *_ = await self._db.at_once(lease.fence, *rest)
            lease.require(fenced)

    def _inserts(
        self, events: Sequence[RoutedEvent], hearing: Collection[str], lease: Lease, provided: Statement
    ) -> list[Statement]:
        """Return what stores the events that are not there, and returns those.

        What is for a project that this machine works for, this process or one that is `hearing`, is claimed for it at
        once, unless something else still waits for it.
        """
        claimers = dict.fromkeys(hearing, f"{lease.domain}:handed over")
        claimers[self._wakeups.project] = self._claimer
        fence, fencing = lease.fence
        condition, conditioned = provided
        statements: list[Statement] = []
        for chunk in _whole_events(events):
            values: list[object] = []
            for routed, project in chunk:
                # What nobody gets is kept a while, done as it is: the doctor says how much there was.
                values += (
                    routed.event.event_id, project or UNDECIDED, routed.event.payload, routed.route_key,
                    routed.chat_id, routed.thread_id, routed.user_id, "nobody" if project is None else "waiting",
                    claimers.get(project or UNDECIDED, ""),
                )  # fmt: skip
            places = ", ".join(f"({number}, ?, ?, ?, ?, ?, ?, ?, ?, ?)" for number in range(len(chunk)))
            sql = (
                f"WITH fence AS ({fence}), new (n, event_id, project, payload, route_key, chat_id, thread_id, user_id, "
                f"state, claimer) AS (VALUES {places}), sorted AS MATERIALIZED (SELECT new.*, CASE WHEN claimer <> '' "
                f"AND NOT EXISTS (SELECT 1 FROM events AS o WHERE o.bot = ? AND o.project = new.project AND "
                f"{_open('o')}) "
                "THEN claimer ELSE '' END AS holder FROM new) INSERT INTO events (bot, event_id, project, payload, "
                "route_key, chat_id, thread_id, user_id, state, received_at, claimed_by, claimed_until, done_at) "
                "SELECT ?, event_id, project, payload, route_key, chat_id, thread_id, user_id, CASE WHEN holder = '' "
                "THEN state ELSE 'claimed' END, {now}, holder, CASE WHEN holder = '' THEN 0 ELSE {now} + ? END, 0 "
                f"FROM sorted, fence WHERE {condition} AND NOT EXISTS (SELECT 1 FROM events AS o WHERE o.bot = ? "
                "AND o.event_id = sorted.event_id) ORDER BY n RETURNING event_id, project, state"
            )
            statements.append((sql, (*fencing, *values, self._bot, self._bot, CLAIM_S, *conditioned, self._bot)))
        return statements

    def _records(self, events: Sequence[RoutedEvent], lease: Lease) -> list[Statement]:
        """Return what records the messages in events as their project's, unless the event was another's before."""
        messages = [
            OwnedMessage(one.chat_id, one.message_id, one.projects[0], one.event.event_id)
            for one in events
            if one.message_id and len(one.projects) == 1 and one.projects[0] != UNDECIDED
        ]
        guard, guarding = lease.guard
        condition = (
            f"{guard} AND EXISTS (SELECT 1 FROM events AS e WHERE e.bot = ? AND e.event_id = new.event_id "
            "AND e.project = new.project)"
        )
        return record_statements(self._bot, messages, condition=(condition, (*guarding, self._bot)))

    def _moves(self, cursors: Mapping[str, str | None], lease: Lease) -> list[Statement]:
        """Return what moves cursors."""
        guard, guarding = lease.guard
        kept = (
            f"INSERT INTO cursors (bot, name, value) SELECT ?, ?, ? WHERE {guard} "
            "ON CONFLICT (bot, name) DO UPDATE SET value = excluded.value"
        )
        gone = f"DELETE FROM cursors WHERE bot = ? AND name = ? AND {guard}"
        return [
            (gone, (self._bot, name, *guarding)) if value is None else (kept, (self._bot, name, value, *guarding))
            for name, value in cursors.items()
        ]

    # ---- the project's worker

    @contextmanager
    def claiming(self, claimer: str) -> Iterator[None]:
        """Claim what this process reads for its own project as it is stored, until the block's end."""
        self._claimer = claimer
        try:
            yield
        finally:
            self._claimer = ""
            # What was not taken is claimed again.
            self._wakeups.handed_over()

    async def claim(
        self, project: str, claimer: str, domain: str | None, limit: int, *, expected: bool = False
    ) -> list[ClaimedEvent]:
        """Claim a project's next events for a while, oldest first. Raises `StoreError`.

        Of those with one route key none is claimed while another process has an older one. What a process of the same
        lock domain claimed is claimed again: the caller holds the lock that it had. `domain`: that one; None if nobody
        else anywhere can be at work on it. `expected`: there is said to be one, so it is not looked first whether
        anything has to be written.
        """
        own = (0, "") if domain is None else (len(domain) + 1, f"{domain}:")
        free = (
            "e.state <> 'done' AND (e.state = 'waiting' OR (e.state = 'claimed' AND "
            "(e.claimed_until < {now} OR substr(e.claimed_by, 1, ?) = ?)))"
        )
        taken = (
            "o.state <> 'done' AND o.state = 'claimed' AND o.claimed_until >= {now} AND substr(o.claimed_by, 1, ?) <> ?"
        )
        if not expected:
            async with self._db.reading() as tx:
                if not await tx.rows(_ANY_OPEN, self._bot, project):
                    return []
        # Two that claim for one project take turns, or one could overtake the other.
        turn = "UPDATE members SET seen_at = {now} WHERE bot = ? AND project = ?"
        claim = (
            "UPDATE events AS e SET state = 'claimed', claimed_by = ?, claimed_until = {now} + ? WHERE e.id IN ("
            f"SELECT e.id FROM events AS e WHERE e.bot = ? AND e.project = ? AND {free} "
            "AND NOT EXISTS (SELECT 1 FROM events AS o WHERE o.bot = e.bot AND o.project = e.project "
            f"AND o.route_key = e.route_key AND o.id < e.id AND {taken}) ORDER BY e.id LIMIT ?) AND {free} "
            "RETURNING id, event_id, payload, {now} - received_at AS waited_s"
        )
        _, rows = await self._db.at_once(
            (turn, (self._bot, project)),
            (claim, (claimer, CLAIM_S, self._bot, project, *own, *own, limit, *own)),
        )
        return [
            ClaimedEvent(int(row["id"]), _event(row), float(row["waited_s"]))
            for row in sorted(rows, key=lambda row: int(row["id"]))
        ]

    async def holds(self, event_id: int, claimer: str) -> bool:
        """Return whether an event, by its id in the table, is still claimed by a process. Raises `StoreError`."""
        async with self._db.reading() as tx:
            return bool(
                await tx.rows(
                    "SELECT 1 FROM events WHERE id = ? AND state = 'claimed' AND claimed_by = ?", event_id, claimer
                )
            )

    async def done(self, project: str, events: Collection[RawEvent]) -> bool:
        """Record that the project has these events in its own inbox; return whether more is there for it.

        Raises `StoreError`.
        """
        done = "UPDATE events SET state = 'done', done_at = {now} WHERE bot = ? AND project = ? AND event_id IN "
        *_, more = await self._db.at_once(
            *(
                (f"{done} ({_marks(chunk)})", (self._bot, project, *chunk))
                for chunk in chunks([event.event_id for event in events], _CHUNK * 10)
            ),
            (_ANY_OPEN, (self._bot, project)),
        )
        return bool(more)

    # ---- what waits

    async def last(self, number: int) -> list[tuple[RawEvent, Decision]]:
        """Return the bot's events of the last `number` rows, oldest first, and who got each. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                "SELECT event_id, payload, project, state, {now} - received_at AS waited_s FROM events "
                "WHERE bot = ? AND id > (SELECT coalesce(max(id), 0) - ? FROM events) AND payload <> '' ORDER BY id",
                self._bot, number,
            )  # fmt: skip
        return [(_event(row), _decision(row["project"], row["state"])) for row in rows]

    async def waiting(self) -> dict[str, int]:
        """Return how many events wait, by project; `UNDECIDED` is one too. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT project, count(*) AS n FROM events WHERE bot = ? AND {_open()} GROUP BY project",
                self._bot,
            )
        return {row["project"]: int(row["n"]) for row in rows}

    async def waiting_messages(self) -> dict[str, int]:
        """Return `waiting` without what nobody said, such as a new topic, and what nobody expects an answer to.

        Raises `StoreError`.
        """
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT project, count(*) AS n FROM events WHERE bot = ? AND {_open()} AND user_id <> '' "
                f"AND told <> {NOTHING_TO_TELL} GROUP BY project",
                self._bot,
            )
        return {row["project"]: int(row["n"]) for row in rows}

    async def pending(
        self, route_keys: Collection[str] | None = None, *, after: int = 0, before: int | None = None
    ) -> Pending:
        """Return what waits for the hub, and what waits for a decision. Raises `StoreError`.

        Of the latter only what has one of these route keys, and an id between these two.
        """
        # SQLite would go through the whole table by a plain id.
        undecided = f"SELECT {_WAITING} FROM events WHERE bot = ? AND {_UNDECIDED} AND id + 0 > ?"
        values: list[object] = [self._bot, after]
        if before is not None:
            undecided, values = f"{undecided} AND id + 0 < ?", [*values, before]
        queries = [(undecided, values)]
        if route_keys is not None:
            queries = [
                (f"{undecided} AND route_key IN ({_marks(chunk)})", [*values, *chunk])
                for chunk in chunks(sorted(set(route_keys)), _CHUNK * 10)
            ]
        async with self._db.reading() as tx:
            # The commands first: one that is obeyed meanwhile still counts, and what it changed is read after this.
            commands, *found = await tx.each(
                (f"SELECT id, chat_id, user_id FROM events WHERE {_COMMANDS} ORDER BY id", (self._bot,)), *queries
            )
        return Pending(
            [OpenCommand(int(row["id"]), row["chat_id"], row["user_id"]) for row in commands],
            sorted((_waiting(row) for rows in found for row in rows), key=lambda one: one.id),
        )

    async def undecided_counts(self) -> dict[str, int]:
        """Return how many events wait for a decision, by route key. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT route_key, count(*) AS n FROM events WHERE bot = ? AND {_UNDECIDED} GROUP BY route_key",
                self._bot,
            )
        return {row["route_key"]: int(row["n"]) for row in rows}

    def nothing_pending(self, target: RouteTarget) -> Statement:
        """Return the condition that nothing before an event waits for a decision, or may change where it goes."""
        undecided = f"SELECT 1 FROM events WHERE bot = ? AND route_key = ? AND {_UNDECIDED}"
        commands = f"SELECT 1 FROM events WHERE {_COMMANDS} AND (user_id = ? OR chat_id IN (?, ?))"
        return (
            f"NOT EXISTS ({undecided}) AND NOT EXISTS ({commands})",
            (self._bot, target.route_key, self._bot, target.user_id, target.chat_id, target.chat_key),
        )

    async def decide(self, ids: Collection[int], project: str, messages: Sequence[OwnedMessage] = ()) -> int:
        """Give undecided events to a project; return how many were still undecided. Raises `StoreError`.

        `messages`: those in the events, which are the project's from now on.
        """
        decided = 0
        async with self._db.transaction() as tx:
            await record_messages(tx, self._bot, messages)
            for chunk in chunks(list(ids), _CHUNK * 10):
                decided += await tx.execute(
                    f"UPDATE events SET project = ? WHERE {_UNDECIDED} AND bot = ? AND id IN ({_marks(chunk)})",
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

    async def drop(self, ids: Collection[int], kept: Collection[int]) -> None:
        """Record of undecided events that no project is there for; only those in `kept` stay. Raises `StoreError`."""
        gone = [one for one in ids if one not in kept]
        async with self._db.transaction() as tx:
            for change, found in (("UPDATE events SET state = 'nobody'", kept), ("DELETE FROM events", gone)):
                for chunk in chunks(list(found), _CHUNK * 10):
                    await tx.execute(
                        f"{change} WHERE {_UNDECIDED} AND bot = ? AND id IN ({_marks(chunk)})", self._bot, *chunk
                    )

    async def migrate_chat(self, old_id: str, new_id: str) -> None:
        """Have what waits for a decision be from a chat's new id. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            await tx.execute(
                "UPDATE events SET chat_id = ?, route_key = CAST(? AS TEXT) || substr(route_key, ?) "
                f"WHERE bot = ? AND {_UNDECIDED} AND chat_id = ?",
                new_id, new_id, len(old_id) + 1, self._bot, old_id,
            )  # fmt: skip

    async def untold(self, project: str, waited_s: float, limit: int = 500) -> list[Waiting]:
        """Return the events that have waited so long for a project, in places where nobody was told that some wait.

        Raises `StoreError`.
        """
        async with self._db.reading() as tx:
            rows = await tx.rows(
                f"SELECT {_WAITING} FROM events AS e WHERE bot = ? AND project = ? AND {_open('e')} AND told = 0 "
                f"AND {{now}} - received_at >= ? AND NOT EXISTS (SELECT 1 FROM events AS o WHERE o.bot = e.bot "
                f"AND o.project = e.project AND {_open('o')} AND o.told = {TOLD} AND o.chat_id = e.chat_id "
                "AND o.thread_id = e.thread_id) ORDER BY id LIMIT ?",
                self._bot, project, waited_s, limit,
            )  # fmt: skip
        return [_waiting(row) for row in rows]

    async def tell(self, ids: Collection[int], told: int) -> None:
        """Record whether people were told that events wait: `TOLD` or `NOTHING_TO_TELL`. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            for chunk in chunks(list(ids), _CHUNK * 10):
                await tx.execute(f"UPDATE events SET told = ? WHERE id IN ({_marks(chunk)})", told, *chunk)

    async def nobody_count(self) -> int:
        """Return how many events of the last while no project was there for. Raises `StoreError`."""
        async with self._db.reading() as tx:
            rows = await tx.rows(f"SELECT count(*) AS n FROM events WHERE bot = ? AND {_NOBODY}", self._bot)
        return int(rows[0]["n"])

    # ---- retention

    async def forget(self, older_s: float, younger_s: float, limit: int) -> int:
        """Delete the texts of at most `limit` events that were done, or for nobody, between so many seconds ago.

        Their rows stay, so that none comes twice. Returns how many; raises `StoreError`.
        """
        async with self._db.transaction() as tx:
            gone = 0
            for condition in ("state = 'done' AND done_at", f"{_NOBODY} AND received_at"):
                gone += await tx.execute(
                    f"UPDATE events SET payload = '' WHERE id IN (SELECT id FROM events WHERE bot = ? AND {condition} "
                    "BETWEEN {now} - ? AND {now} - ? AND payload <> '' LIMIT ?)",
                    self._bot, younger_s, older_s, limit - gone,
                )  # fmt: skip
            return gone

    async def prune(self, hours: float, limit: int) -> int:
        """Delete at most `limit` events that were done so long ago; return how many. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            old = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE bot = ? AND {} < {{now}} - ? LIMIT ?)"
            gone = 0
            for condition in ("state = 'done' AND done_at", f"{_NOBODY} AND received_at"):
                gone += await tx.execute(old.format(condition), self._bot, hours * 3600, limit - gone)
            return gone


def _unique(events: Sequence[RoutedEvent]) -> list[RoutedEvent]:
    return list({one.event.event_id: one for one in events if one.projects or one.is_kept}.values())


def _whole_events(events: Sequence[RoutedEvent]) -> Iterator[list[tuple[RoutedEvent, str | None]]]:
    """Yield the rows of events, about `_CHUNK` at a time; those of one event are never apart.

    A later statement would find the event there already.
    """
    rows: list[tuple[RoutedEvent, str | None]] = []
    for routed in events:
        rows += [(routed, project) for project in (routed.projects or (None,))]
        if len(rows) >= _CHUNK:
            yield rows
            rows = []
    if rows:
        yield rows


def _waiting(row: Row) -> Waiting:
    return Waiting(
        int(row["id"]), _event(row), row["chat_id"], row["thread_id"], row["user_id"], float(row["waited_s"])
    )


def _decision(project: str, state: str) -> Decision:
    if project == HUB or state == "nobody":
        return Decision("hub" if project == HUB else "nobody")
    return Decision("project", (project,)) if project != UNDECIDED else Decision("ask")


def _event(row: Row) -> RawEvent:
    # By this machine's clock: the database's may be another.
    return RawEvent(row["event_id"], row["payload"], time.time() - float(row["waited_s"]))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
