"""The record of what changed who may do what."""

from __future__ import annotations

import time

from agent_channels.core.store.database import Row, Store

__all__ = ["Audit"]


class Audit:
    """The audit table."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, what: str, subject: str | None = None, detail: str | None = None) -> None:
        """Record an action, such as `allow`; `subject` is the person or chat it concerns."""
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO audit (at, what, subject, detail) VALUES (?, ?, ?, ?)",
                (time.time(), what, subject, detail),
            )

    def count(self, what: str, *, since: float) -> int:
        """Return how often an action was recorded since then (epoch seconds)."""
        return int(self.store.value("SELECT count(*) FROM audit WHERE what = ? AND at > ?", what, since))

    def latest(self, limit: int) -> list[Row]:
        """Return the newest records, newest first: at (epoch seconds), what, subject, detail."""
        return self.store.rows("SELECT * FROM audit ORDER BY id DESC LIMIT ?", limit)

    def prune(self, before: float, keep_rows: int, limit: int) -> int:
        """Delete at most `limit` records: those made before then (epoch seconds), and the oldest above `keep_rows`."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? OR id <= "
                "(SELECT max(id) FROM audit) - ? LIMIT ?)",
                (before, keep_rows, limit),
            ).rowcount
