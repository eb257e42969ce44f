"""How far a bot was read, where the platform keeps no queue of its own."""

from __future__ import annotations

from collections.abc import Mapping

from agent_channels.core.store.database import Store

__all__ = ["Cursors"]


class Cursors:
    """The cursors table: an adapter's own notes by bot, such as the last message seen in each chat."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, bot_id: str) -> dict[str, str]:
        """Return every cursor of a bot by name."""
        rows = self.store.rows("SELECT name, value FROM cursors WHERE bot_id = ?", bot_id)
        return {row["name"]: row["value"] for row in rows}

    def set(self, bot_id: str, cursors: Mapping[str, str | None]) -> None:
        """Store cursors; None removes one."""
        with self.store.transaction() as db:
            for name, value in cursors.items():
                if value is None:
                    db.execute("DELETE FROM cursors WHERE bot_id = ? AND name = ?", (bot_id, name))
                else:
                    db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (bot_id, name, value))
