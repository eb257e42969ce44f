"""The journal of what people sent: one row per raw event, from arrival to the agent's answer.

received (journalled) -> offered (handed to a host) -> answered (the agent acted on the chat). A row that is not
answered is open, whatever happened to the processes in between, and is offered again with the same delivery id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from channels.core.store import Row, Store
from channels.core.types import Attachment, RawEvent

__all__ = ["Entry", "Event", "Inbox"]

OPEN = "('raw', 'fetching', 'ready', 'offering', 'offered', 'asked')"


@dataclass(frozen=True, slots=True)
class Event:
    """What the host will see of an entry: `content`, `meta`, and the picture to fetch before it is shown."""

    chat_id: str
    message_id: str
    user_id: str
    content: str
    meta: dict[str, str]
    thread_id: str | None = None
    image: Attachment | None = None
    attachments: tuple[Attachment, ...] = ()
    said_at: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A journalled event that is for the agent."""

    id: int
    delivery_id: str
    chat_id: str
    thread_id: str | None
    message_id: str
    content: str
    meta: dict[str, str]
    image: Attachment | None
    offers: int


class Inbox:
    """The inbox table's SQL."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def put(self, bot_id: str, events: Sequence[RawEvent]) -> int:
        """Journals raw events, skipping those already there; returns how many were new."""
        now = time.time()
        with self.store.write() as db:
            before = db.total_changes
            db.executemany(
                "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                [(bot_id, e.event_id, f"{bot_id}.{e.event_id}", e.payload, now) for e in events],
            )
            return db.total_changes - before

    def raw(self, limit: int) -> list[tuple[int, RawEvent]]:
        """The oldest journalled events nobody has looked at yet, in order."""
        rows = self.store.rows(
            "SELECT id, event_id, payload, received_at FROM inbox WHERE state = 'raw' ORDER BY id LIMIT ?", limit
        )
        return [(row["id"], RawEvent(row["event_id"], row["payload"], row["received_at"])) for row in rows]

    def open(self, entry_id: int, event: Event, *, held: bool = False, prompt_id: str | None = None) -> None:
        """Makes a raw row an entry for the agent.

        `held` keeps it back until its sender is paired; `prompt_id` until whoever asked has the answer, or is gone.
        """
        image = [event.image] if event.image else []
        state = "held" if held else "asked" if prompt_id else "fetching" if event.image else "ready"
        with self.store.write() as db:
            db.execute(
                "UPDATE inbox SET state = ?, chat_id = ?, thread_id = ?, message_id = ?, user_id = ?, content = ?, "
                "meta = ?, image = ?, attachments = ?, said_at = ?, prompt_id = ? WHERE id = ?",
                (
                    state, event.chat_id, event.thread_id, event.message_id, event.user_id, event.content,
                    json.dumps(event.meta), _dump(image), _dump([*image, *event.attachments]), event.said_at, prompt_id,
                    entry_id,
                ),
            )  # fmt: skip

    def drop(self, entry_id: int, state: str = "dropped") -> None:
        """Ends a row that is not for the agent; the row stays for deduplication, what was said does not."""
        with self.store.write() as db:
            db.execute("UPDATE inbox SET state = ?, payload = '' WHERE id = ?", (state, entry_id))

    def fail(self, entry_id: int) -> None:
        """Sets a row aside that could not be processed; its raw event is kept for inspection."""
        with self.store.write() as db:
            db.execute("UPDATE inbox SET state = 'failed' WHERE id = ?", (entry_id,))

    def held(self, user_id: str) -> int:
        """How many messages of an unpaired person are being kept."""
        return int(self.store.value("SELECT count(*) FROM inbox WHERE state = 'held' AND user_id = ?", user_id))

    def release(self, user_id: str) -> None:
        """Opens what a person said before being paired."""
        with self.store.write() as db:
            db.execute(
                "UPDATE inbox SET state = CASE WHEN image = '[]' THEN 'ready' ELSE 'fetching' END "
                "WHERE state = 'held' AND user_id = ?",
                (user_id,),
            )

    def forget(self, user_ids: Iterable[str]) -> None:
        """Drops what was kept of people who were denied or whose code expired."""
        with self.store.write() as db:
            db.executemany(
                "UPDATE inbox SET state = 'dropped', payload = '', content = NULL, meta = NULL "
                "WHERE state = 'held' AND user_id = ?",
                [(user_id,) for user_id in user_ids],
            )

    def fetching(self) -> list[Entry]:
        """Entries whose picture is still to be downloaded, oldest first."""
        return [_entry(row) for row in self.store.rows("SELECT * FROM inbox WHERE state = 'fetching' ORDER BY id")]

    def fetched(self, entry: Entry, content: str, meta: dict[str, str]) -> None:
        """Ends the download of an entry's picture, well or badly; the entry is ready to be offered."""
        with self.store.write() as db:
            db.execute(
                "UPDATE inbox SET state = 'ready', content = ?, meta = ? WHERE id = ? AND state = 'fetching'",
                (content, json.dumps(meta), entry.id),
            )

    def ready(self, limit: int) -> list[Entry]:
        """The oldest entries to offer."""
        rows = self.store.rows("SELECT * FROM inbox WHERE state = 'ready' ORDER BY id LIMIT ?", limit)
        return [_entry(row) for row in rows]

    def offering(self, entries: Sequence[Entry], session: str = "", mode: str = "push") -> list[Entry]:
        """Writes down that entries are about to be offered to a session, and returns them as they now are.

        Written before the host sees them: a death in between must show up as `redelivered`, never as a duplicate that
        looks new.
        """
        now = time.time()
        with self.store.write() as db:
            db.executemany(
                "UPDATE inbox SET state = 'offering', offers = offers + 1, offered_at = ?, session = ?, mode = ? "
                "WHERE id = ?",
                [(now, session, mode, entry.id) for entry in entries],
            )
        return [replace(entry, offers=entry.offers + 1) for entry in entries]

    def offered(self, entry_ids: Sequence[int]) -> None:
        """Writes down that entries went through to the host."""
        with self.store.write() as db:
            db.executemany(
                "UPDATE inbox SET state = 'offered' WHERE id = ? AND state = 'offering'", [(i,) for i in entry_ids]
            )

    def withdraw(self, entries: Sequence[Entry]) -> None:
        """An offer that surely reached nobody: as if it had not been made."""
        with self.store.write() as db:
            db.executemany(
                "UPDATE inbox SET state = 'ready', offers = offers - 1 WHERE id = ? AND state = 'offering'",
                [(entry.id,) for entry in entries],
            )

    def escalate(self, session: str, mode: str, before: float) -> int:
        """What a session was offered by a mode before then, and did not answer, is to be offered another way."""
        with self.store.write() as db:
            return db.execute(
                "UPDATE inbox SET state = 'ready' WHERE state = 'offered' AND session = ? AND mode = ? "
                "AND offered_at < ?",
                (session, mode, before),
            ).rowcount

    def pullable(self, session: str, limit: int, unproven: Sequence[str], before: float) -> list[Entry]:
        """What an agent that asks is to be shown: what is ready, what unproven modes carried, what it left long ago."""
        marks = ", ".join("?" for _ in unproven)
        rows = self.store.rows(
            "SELECT * FROM inbox WHERE state = 'ready' OR (state = 'offered' AND session = ? AND "
            f"(mode IN ({marks}) OR offered_at < ?)) ORDER BY id LIMIT ?",
            session, *unproven, before, limit,
        )  # fmt: skip
        return [_entry(row) for row in rows]

    def modes_of(self, chat_id: str, session: str) -> list[str]:
        """By which modes a session was offered what is open in a chat."""
        rows = self.store.rows(
            "SELECT DISTINCT mode FROM inbox WHERE state = 'offered' AND chat_id = ? AND session = ?", chat_id, session
        )
        return [row["mode"] for row in rows if row["mode"]]

    def unrung(self, session: str) -> int:
        """How many entries are ready that this session's bell has not rung for."""
        return int(self.store.value("SELECT count(*) FROM inbox WHERE state = 'ready' AND rung IS NOT ?", session) or 0)

    def rang(self, session: str) -> None:
        """The bell rang for everything that is ready."""
        with self.store.write() as db:
            db.execute("UPDATE inbox SET rung = ? WHERE state = 'ready'", (session,))

    def reopen(self) -> int:
        """At a new session: whatever was offered and never answered is to be offered again."""
        with self.store.write() as db:
            return db.execute("UPDATE inbox SET state = 'ready' WHERE state IN ('offering', 'offered')").rowcount

    def answered(self, chat_id: str, session: str = "") -> int:
        """A session's agent acted on a chat: what it was offered from there is answered. Returns how many entries.

        What was reopened for another session, but not offered to it yet, counts too: it has been answered after all.
        """
        with self.store.write() as db:
            return db.execute(
                "UPDATE inbox SET state = 'answered', answered_at = ? WHERE chat_id = ? AND session = ? AND "
                "(state = 'offered' OR (state = 'ready' AND offers > 0))",
                (time.time(), chat_id, session),
            ).rowcount

    def acknowledge(self, delivery_ids: Sequence[str]) -> int:
        """Answers entries by their delivery ids, whoever was offered them. Returns how many were open."""
        now = time.time()
        with self.store.write() as db:
            return sum(
                db.execute(
                    f"UPDATE inbox SET state = 'answered', answered_at = ? WHERE state IN {OPEN} AND delivery_id = ?",
                    (now, delivery_id),
                ).rowcount
                for delivery_id in delivery_ids
            )

    def redeliver(self, delivery_id: str) -> bool:
        """Has an entry offered again, answered or not; False when no entry for the agent has this id."""
        with self.store.write() as db:
            return bool(
                db.execute(
                    "UPDATE inbox SET state = 'ready', answered_at = NULL WHERE delivery_id = ? "
                    "AND content IS NOT NULL AND state NOT IN ('held', 'fetching')",
                    (delivery_id,),
                ).rowcount
            )

    def give_up(self, delivery_id: str) -> bool:
        """Drops an open entry by hand; False when none is open under this id."""
        with self.store.write() as db:
            return bool(
                db.execute(
                    f"UPDATE inbox SET state = 'dropped' WHERE delivery_id = ? AND state IN {OPEN}",
                    (delivery_id,),
                ).rowcount
            )

    def listed(self, *, only_open: bool, limit: int) -> list[Row]:
        """The newest entries, oldest of them first, with every column."""
        where = f"state IN {OPEN}" if only_open else "state != 'dropped'"
        rows = self.store.rows(f"SELECT * FROM inbox WHERE {where} ORDER BY id DESC LIMIT ?", limit)
        return rows[::-1]

    def open_in(self, chat_id: str) -> int:
        """How many entries of a chat are still open."""
        return int(self.store.value(f"SELECT count(*) FROM inbox WHERE state IN {OPEN} AND chat_id = ?", chat_id))

    def attachments(self, chat_id: str, message_id: str) -> list[Attachment] | None:
        """The files of a message that was delivered from a chat; None when no such message is known."""
        row = self.store.row(
            "SELECT attachments FROM inbox WHERE chat_id = ? AND message_id = ? AND attachments IS NOT NULL "
            "AND state NOT IN ('held', 'dropped') ORDER BY id DESC",
            chat_id,
            message_id,
        )
        return None if row is None else _load(row["attachments"])

    def known_file(self, chat_id: str, file_id: str) -> Attachment | None:
        """The attachment with this id among the chat's delivered messages."""
        rows = self.store.rows(
            "SELECT attachments FROM inbox WHERE chat_id = ? AND instr(attachments, ?) > 0 "
            "AND state NOT IN ('held', 'dropped') ORDER BY id DESC",
            chat_id,
            json.dumps(file_id),
        )
        found = (a for row in rows for a in _load(row["attachments"]) if a.file_id == file_id)
        return next(found, None)

    def counts(self) -> dict[str, int]:
        """How many entries came as far as each state: received >= offered >= answered; open are not answered."""
        by_state = {row[0]: row[1] for row in self.store.rows("SELECT state, count(*) FROM inbox GROUP BY state")}
        open_ = sum(by_state.get(s, 0) for s in ("raw", "fetching", "ready", "offering", "offered", "asked"))
        answered = by_state.get("answered", 0)
        offered = self.store.value(f"SELECT count(*) FROM inbox WHERE offers > 0 AND state IN {OPEN}")
        return {
            "received": open_ + answered,
            "open": open_,
            "offered": int(offered) + answered,
            "answered": answered,
            "held": by_state.get("held", 0),
            "failed": by_state.get("failed", 0),
        }

    def oldest_open(self) -> float | None:
        """When the oldest open entry arrived (seconds since the epoch)."""
        found: float | None = self.store.value(f"SELECT min(received_at) FROM inbox WHERE state IN {OPEN}")
        return found


def _dump(files: Iterable[Attachment]) -> str:
    return json.dumps([[f.kind, f.file_id, f.name, f.mime, f.size] for f in files])


def _load(text: str) -> list[Attachment]:
    return [Attachment(*fields) for fields in json.loads(text)]


def _entry(row: Row) -> Entry:
    image = _load(row["image"])
    return Entry(
        id=row["id"],
        delivery_id=row["delivery_id"],
        chat_id=row["chat_id"],
        thread_id=row["thread_id"],
        message_id=row["message_id"],
        content=row["content"],
        meta=json.loads(row["meta"]),
        image=image[0] if image else None,
        offers=row["offers"],
    )
