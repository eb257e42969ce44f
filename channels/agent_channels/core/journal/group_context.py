"""What was said in a group lately, and not to the bot: kept where a setting asks for it, shown with what is for it.

And what threads are called, which a message seldom says.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from agent_channels.core.contract.messages import Message
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import attribute

__all__ = [
    "GroupContext",
]

TEXT_MAX = 500
KEPT_S = 86_400.0


class GroupContext:
    """The table overheard; `count`: how many of a chat's messages are kept, 0 for none."""

    def __init__(self, store: Store, count: int) -> None:
        self._store, self.count = store, count

    def add(self, message: Message, text: str) -> None:
        """Keeps a message that is not for the bot; the oldest above the count go, and what is older than a day."""
        place = (message.chat.id, message.thread_id)
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO overheard (chat_id, thread_id, message_id, user, user_id, text, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *place, message.message_id, attribute(message.sender.display_name), message.sender.id,
                    attribute(text, TEXT_MAX), message.ts.timestamp(),
                ),
            )  # fmt: skip
            db.execute(
                "DELETE FROM overheard WHERE chat_id = ? AND thread_id IS ? AND id NOT IN (SELECT id FROM overheard "
                "WHERE chat_id = ? AND thread_id IS ? ORDER BY id DESC LIMIT ?)",
                (*place, *place, self.count),
            )
            db.execute("DELETE FROM overheard WHERE at < ?", (time.time() - KEPT_S,))

    def take(self, chat_id: str, thread_id: str | None) -> str | None:
        """What was kept of a chat, as JSON, oldest first: it is shown once. None when there is nothing."""
        if not self.count:
            return None
        rows = self._store.rows(
            "SELECT * FROM overheard WHERE chat_id = ? AND thread_id IS ? ORDER BY id", chat_id, thread_id
        )
        if not rows:
            return None
        with self._store.transaction() as db:
            db.execute("DELETE FROM overheard WHERE chat_id = ? AND thread_id IS ?", (chat_id, thread_id))
        lines = [
            {
                "addressed": False,
                "message_id": row["message_id"],
                "user": row["user"],
                "user_id": row["user_id"],
                "ts": datetime.fromtimestamp(row["at"], UTC).isoformat().replace("+00:00", "Z"),
                "text": row["text"],
            }
            for row in rows
        ]
        return json.dumps(lines, ensure_ascii=False)

    def forget(self, chat_id: str) -> None:
        """Deletes what was kept of a chat."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM overheard WHERE chat_id = ?", (chat_id,))
