"""Chats the bot has seen, whether or not it may speak there."""

from __future__ import annotations

import time

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.store.database import Store

__all__ = ["Chats", "Threads"]


class Chats:
    """The table chats."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def seen(self, chat: Chat, sender: Person, *, present: bool = True) -> None:
        """Remembers where the bot is and whose direct chat is whose."""
        with self.store.transaction() as db:
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


class Threads:
    """The table threads: their names, as far as they were heard."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def name(self, chat_id: str, thread_id: str, name: str, *, anew: bool = True) -> None:
        """A thread has a name; without `anew` one that is known stays, since it may be newer."""
        verb = "REPLACE" if anew else "IGNORE"
        with self._store.transaction() as db:
            db.execute(f"INSERT OR {verb} INTO threads VALUES (?, ?, ?)", (chat_id, thread_id, name))

    def called(self, chat_id: str, thread_id: str) -> str | None:
        """A thread's name; None when it was never heard."""
        found: str | None = self._store.value(
            "SELECT name FROM threads WHERE chat_id = ? AND thread_id = ?", chat_id, thread_id
        )
        return found
