"""Chats the bot has seen, whether or not it may speak there."""

from __future__ import annotations

import time

from channels.core.store import Store
from channels.core.types import Chat, Person

__all__ = ["Chats"]


class Chats:
    """The table chats."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def seen(self, chat: Chat, sender: Person, *, present: bool = True) -> None:
        """Remembers where the bot is and whose direct chat is whose."""
        with self.store.write() as db:
            db.execute(
                "INSERT INTO chats (chat_id, kind, user_id, title, present, seen_at, parent_id) VALUES "
                "(?, ?, ?, ?, ?, ?, ?) ON CONFLICT (chat_id) DO UPDATE SET title = excluded.title, "
                "present = excluded.present, seen_at = excluded.seen_at, parent_id = excluded.parent_id",
                (
                    chat.id, chat.kind, sender.id if chat.kind == "direct" else None, chat.title, present, time.time(),
                    chat.parent_id,
                ),
            )  # fmt: skip

    def left(self, user_id: str) -> bool:
        """Whether this person blocked the bot in their direct chat."""
        return (
            self.store.value("SELECT 1 FROM chats WHERE kind = 'direct' AND user_id = ? AND NOT present", user_id)
            is not None
        )

    def unlisted_groups(self) -> list[tuple[str, str]]:
        """Groups the bot is in that are not enabled, newest first: (id, title)."""
        rows = self.store.rows(
            "SELECT coalesce(parent_id, chat_id) AS id, max(CASE WHEN parent_id IS NULL THEN title END) AS title "
            "FROM chats WHERE kind = 'group' AND present AND coalesce(parent_id, chat_id) NOT IN "
            "(SELECT chat_id FROM groups) AND chat_id NOT IN (SELECT chat_id FROM groups) "
            "GROUP BY id ORDER BY max(seen_at) DESC LIMIT 50"
        )
        return [(row["id"], row["title"] or "") for row in rows]
