"""Small facts that outlive a process: the access policy, moved chats, lockouts, versions."""

from __future__ import annotations

from agent_channels.core.store.database import Store

__all__ = ["KeyValue"]


class KeyValue:
    """The key_values table: text by key."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, key: str) -> str | None:
        """Return the value of a key, or None."""
        value: str | None = self.store.value("SELECT value FROM key_values WHERE key = ?", key)
        return value

    def set(self, key: str, value: str) -> None:
        """Store a value, replacing an earlier one."""
        with self.store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO key_values VALUES (?, ?)", (key, value))

    def add(self, key: str, value: str) -> bool:
        """Store a value unless the key has one; return True if it was stored."""
        with self.store.transaction() as db:
            return bool(
                db.execute("INSERT INTO key_values VALUES (?, ?) ON CONFLICT DO NOTHING", (key, value)).rowcount
            )

    def delete(self, key: str) -> bool:
        """Delete a key; return False if there was none."""
        with self.store.transaction() as db:
            return bool(db.execute("DELETE FROM key_values WHERE key = ?", (key,)).rowcount)

    def count(self, prefix: str) -> int:
        """Return how many keys have a prefix."""
        return int(
            self.store.value("SELECT count(*) FROM key_values WHERE substr(key, 1, ?) = ?", len(prefix), prefix) or 0
        )

    def delete_before(self, prefix: str, time: float) -> None:
        """Delete the keys with a prefix whose value is a time (epoch seconds) before `time`."""
        with self.store.transaction() as db:
            db.execute(
                "DELETE FROM key_values WHERE substr(key, 1, ?) = ? AND CAST(value AS REAL) < ?",
                (len(prefix), prefix, time),
            )
