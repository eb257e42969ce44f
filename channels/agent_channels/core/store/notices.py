"""Messages of our own to people, which must go out whatever happens to the process that decided to send them."""

from __future__ import annotations

import time

from agent_channels.core.frozen import frozen
from agent_channels.core.store.database import Store

__all__ = ["Notice", "Notices"]

# A notice claimed by a process that died can be claimed again after this.
LEASE_S = 30.0


@frozen
class Notice:
    """A text to send to a chat, and to one of its threads if `thread_id` is set; `silent`: nobody is notified."""

    id: int
    chat_id: str
    thread_id: str | None
    text: str
    silent: bool = False


class Notices:
    """The notices table."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, chat_id: str, text: str, *, thread_id: str | None = None, silent: bool = False) -> None:
        """Queue a notice."""
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO notices (chat_id, thread_id, text, silent, created_at) VALUES (?, ?, ?, ?, ?)",
                (chat_id, thread_id, text, silent, time.time()),
            )

    def claim(self) -> Notice | None:
        """Return the oldest notice that nobody is sending, claimed for a while; None if there is none."""
        now = time.time()
        free = "coalesce(claimed_at, 0) < ?"
        if not self.store.value(f"SELECT 1 FROM notices WHERE {free}", now - LEASE_S):
            return None
        with self.store.transaction() as db:
            row = self.store.row(f"SELECT * FROM notices WHERE {free} ORDER BY id LIMIT 1", now - LEASE_S)
            if row is None:
                return None
            db.execute("UPDATE notices SET claimed_at = ? WHERE id = ?", (now, row["id"]))
            return Notice(row["id"], row["chat_id"], row["thread_id"], row["text"], bool(row["silent"]))

    def any(self) -> bool:
        """Return True if a notice has yet to be sent."""
        return self.store.row("SELECT 1 FROM notices LIMIT 1") is not None

    def release(self, notice: Notice) -> None:
        """Give a claimed notice back; it was not sent."""
        with self.store.transaction() as db:
            db.execute("UPDATE notices SET claimed_at = NULL WHERE id = ?", (notice.id,))

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` notices written before then (epoch seconds), which never went out; return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE created_at < ? LIMIT ?)", (before, limit)
            ).rowcount

    def delete(self, notice: Notice) -> None:
        """Delete a notice that was sent, or never can be."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM notices WHERE id = ?", (notice.id,))
