"""What is offered to whom, and what came of it: an entry's way from ready to answered."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.store.database import Row, Store

__all__ = ["OPEN", "Entry", "Offers", "dump_files", "entry_of", "load_files"]

# Said word for word in the index inbox_chat_open: a query that says it, and names a chat, looks at nothing else.
OPEN = "('raw', 'joining', 'fetching', 'ready', 'offering', 'offered', 'asked')"


@dataclass(slots=True)
class Entry:
    """A journalled event that is for the agent, as it was read; only `offers` is counted on."""

    id: int
    delivery_id: str
    chat_id: str
    thread_id: str | None
    message_id: str
    content: str
    meta: dict[str, str]
    image: Attachment | None
    offers: int
    said_at: float | None = None
    fetch: tuple[Attachment, ...] = ()
    """Everything to be fetched before it is shown, `image` first where there is one."""


class Offers:
    """The part of the inbox table's SQL that follows an entry after its arrival."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ready(self, limit: int) -> list[Entry]:
        """The oldest entries to offer."""
        rows = self.store.rows("SELECT * FROM inbox WHERE state = 'ready' ORDER BY id LIMIT ?", limit)
        return [entry_of(row) for row in rows]

    def any_ready(self) -> bool:
        """Whether there is anything to offer."""
        return self.store.row("SELECT 1 FROM inbox WHERE state = 'ready' LIMIT 1") is not None

    def offering(self, entries: Sequence[Entry], session: str = "", mode: str = "push") -> list[Entry]:
        """Writes down that entries are about to be offered to a session; returns those that are, which count it.

        Written before the host sees them: a death in between must show up as `redelivered`, never as a duplicate that
        looks new.
        """
        now = time.time()
        with self.store.transaction() as db:
            # What another process has dropped or answered since it was read here stays so.
            offered = [
                entry
                for entry in entries
                if db.execute(
                    "UPDATE inbox SET state = 'offering', offers = offers + 1, offered_at = ?, session = ?, mode = ? "
                    "WHERE id = ? AND state IN ('ready', 'offered')",
                    (now, session, mode, entry.id),
                ).rowcount
            ]
        for entry in offered:
            entry.offers += 1
        return offered

    def offered(self, entry_ids: Sequence[int]) -> None:
        """Writes down that entries went through to the host."""
        with self.store.transaction() as db:
            db.executemany(
                "UPDATE inbox SET state = 'offered' WHERE id = ? AND state = 'offering'", [(i,) for i in entry_ids]
            )

    def withdraw(self, entries: Sequence[Entry]) -> None:
        """An offer that surely reached nobody: as if it had not been made."""
        with self.store.transaction() as db:
            db.executemany(
                "UPDATE inbox SET state = 'ready', offers = offers - 1 WHERE id = ? AND state = 'offering'",
                [(entry.id,) for entry in entries],
            )

    def escalate(self, session: str, mode: str, before: float) -> int:
        """What a session was offered by a mode before then, and did not answer, is to be offered another way."""
        with self.store.transaction() as db:
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
        return [entry_of(row) for row in rows]

    def modes_of(self, chat_id: str, session: str) -> list[str]:
        """By which modes a session was offered what is open in a chat."""
        rows = self.store.rows(
            f"SELECT DISTINCT mode FROM inbox WHERE state IN {OPEN} AND chat_id = ? AND session = ? "
            "AND state = 'offered'",
            chat_id,
            session,
        )
        return [row["mode"] for row in rows if row["mode"]]

    def unrung(self, session: str) -> int:
        """How many entries are ready that this session's bell has not rung for."""
        return int(self.store.value("SELECT count(*) FROM inbox WHERE state = 'ready' AND rung IS NOT ?", session) or 0)

    def rang(self, session: str) -> None:
        """The bell rang for everything that is ready."""
        with self.store.transaction() as db:
            db.execute("UPDATE inbox SET rung = ? WHERE state = 'ready'", (session,))

    def resume(self, session: str, through: Sequence[int]) -> None:
        """What this session was about to be offered, and is not known to have gone through, is ready again."""
        with self.store.transaction() as db:
            for row in self.store.rows("SELECT id FROM inbox WHERE state = 'offering' AND session = ?", session):
                if row["id"] not in through:
                    db.execute("UPDATE inbox SET state = 'ready' WHERE id = ?", (row["id"],))

    def reopen(self) -> int:
        """At a new session: whatever was offered and never answered is to be offered again."""
        with self.store.transaction() as db:
            return db.execute("UPDATE inbox SET state = 'ready' WHERE state IN ('offering', 'offered')").rowcount

    def shown(self, chat_id: str, session: str = "") -> list[int]:
        """What a session was offered of a chat and has not answered.

        What was reopened for another session, but not offered to it yet, counts too.
        """
        rows = self.store.rows(
            f"SELECT id FROM inbox WHERE state IN {OPEN} AND chat_id = ? AND session = ? AND "
            "(state = 'offered' OR (state = 'ready' AND offers > 0))",
            chat_id,
            session,
        )
        return [row["id"] for row in rows]

    def answered(self, chat_id: str, session: str = "", seen: Sequence[int] | None = None) -> int:
        """A session's agent acted on a chat: what it had been shown of it is answered. Returns how many entries.

        `seen`: what `shown` gave when the action began; what came while it was on its way is still open.
        """
        seen = self.shown(chat_id, session) if seen is None else seen
        with self.store.transaction() as db:
            return sum(
                db.execute(
                    "UPDATE inbox SET state = 'answered', answered_at = ? WHERE id = ? AND session = ? AND "
                    "(state = 'offered' OR (state = 'ready' AND offers > 0))",
                    (time.time(), entry_id, session),
                ).rowcount
                for entry_id in seen
            )

    def acknowledge(self, delivery_ids: Sequence[str]) -> int:
        """Answers entries by their delivery ids, whoever was offered them. Returns how many were open."""
        now = time.time()
        with self.store.transaction() as db:
            return sum(
                db.execute(
                    f"UPDATE inbox SET state = 'answered', answered_at = ? WHERE state IN {OPEN} AND id = "
                    "(SELECT coalesce(joined_to, id) FROM inbox WHERE delivery_id = ?)",
                    (now, delivery_id),
                ).rowcount
                for delivery_id in delivery_ids
            )

    def redeliver(self, delivery_id: str) -> bool:
        """Has an entry offered again, answered or not; False when no entry for the agent has this id."""
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    "UPDATE inbox SET state = 'ready', answered_at = NULL WHERE delivery_id = ? "
                    "AND content IS NOT NULL AND state NOT IN ('held', 'joining', 'joined', 'fetching')",
                    (delivery_id,),
                ).rowcount
            )

    def give_up(self, delivery_id: str) -> bool:
        """Drops an open entry by hand; False when none is open under this id."""
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    f"UPDATE inbox SET state = 'dropped' WHERE delivery_id = ? AND state IN {OPEN}",
                    (delivery_id,),
                ).rowcount
            )


def dump_files(files: Sequence[Attachment]) -> str:
    return json.dumps([[f.kind, f.file_id, f.name, f.mime, f.size] for f in files]) if files else "[]"


def load_files(text: str) -> list[Attachment]:
    return [Attachment(*fields) for fields in json.loads(text)] if text != "[]" else []


def entry_of(row: Row) -> Entry:
    fetch = load_files(row["image"])
    return Entry(
        id=row["id"],
        delivery_id=row["delivery_id"],
        chat_id=row["chat_id"],
        thread_id=row["thread_id"],
        message_id=row["message_id"],
        content=row["content"],
        meta=json.loads(row["meta"]),
        image=fetch[0] if fetch else None,
        offers=row["offers"],
        said_at=row["said_at"],
        fetch=tuple(fetch),
    )
