"""What was said in a group lately to others than the bot: kept where a setting asks for it, shown with the next message
that is for the bot.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from agent_channels.core.contract.messages import Message
from agent_channels.core.log import redact
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import attribute
from agent_channels.core.text.times import utc_iso

__all__ = ["GroupContext"]

TEXT_MAX = 500
KEEP_S = 86_400.0


class GroupContext:
    """The group_context table."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, message: Message, text: str, *, keep: int) -> None:
        """Keep a message that is not for the bot; only the newest `keep` of its chat, and those of a day, stay."""
        place = (message.chat.id, message.thread_id)
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO group_context (chat_id, thread_id, message_id, user, user_id, text, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *place, message.message_id, attribute(message.sender.display_name), message.sender.id,
                    attribute(redact(text), TEXT_MAX), message.ts.timestamp(),
                ),
            )  # fmt: skip
            db.execute(
                "DELETE FROM group_context WHERE chat_id = ? AND thread_id IS ? AND id NOT IN "
                "(SELECT id FROM group_context WHERE chat_id = ? AND thread_id IS ? ORDER BY id DESC LIMIT ?)",
                (*place, *place, keep),
            )
            self.prune()

    def prune(self) -> int:
        """Delete what is older than a day; return 0, since nothing of it is left."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM group_context WHERE at < ?", (time.time() - KEEP_S,))
        return 0

    def take(self, chat_id: str, thread_id: str | None) -> str | None:
        """Remove what was kept of a chat and return it as JSON, oldest first; None if there is nothing."""
        where = "chat_id = ? AND thread_id IS ?"
        rows = self.store.rows(f"SELECT * FROM group_context WHERE {where} ORDER BY id", chat_id, thread_id)
        if not rows:
            return None
        with self.store.transaction() as db:
            db.execute(f"DELETE FROM group_context WHERE {where}", (chat_id, thread_id))
        lines = [
            {
                "addressed": False,
                "message_id": row["message_id"],
                "user": row["user"],
                "user_id": row["user_id"],
                "ts": utc_iso(datetime.fromtimestamp(row["at"], UTC)),
                "text": row["text"],
            }
            for row in rows
        ]
        return json.dumps(lines, ensure_ascii=False)

    def matching(self, chat_id: str, wanted: Callable[[str], bool], until: float) -> list[int]:
        """Return the ids of what was said in a chat until then (epoch seconds), was kept and is `wanted`."""
        rows = self.store.rows("SELECT id, user, text FROM group_context WHERE chat_id = ? AND at <= ?", chat_id, until)
        return [row["id"] for row in rows if wanted(f"{row['user']}\n{row['text']}")]

    def forget_lines(self, ids: Iterable[int]) -> None:
        """Delete some of what was kept."""
        with self.store.transaction() as db:
            db.executemany("DELETE FROM group_context WHERE id = ?", [(one,) for one in ids])

    def forget(self, chat_id: str) -> None:
        """Delete what was kept of a chat."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM group_context WHERE chat_id = ?", (chat_id,))
