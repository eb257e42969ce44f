"""Chats and threads the bot has seen, whether or not it may speak there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from agent_channels.core.contract.messages import Chat, Person, Place
from agent_channels.core.frozen import frozen
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["UNNAMED", "Chats", "KnownChat"]

# Chats that nobody enabled and people whom nobody let in: of so many the newest are known.
STRANGE_MAX = 1000
# When a chat was seen last is written down once in this time: it orders lists, and says what is too old to keep.
SEEN_EVERY_S = 60.0
# Keys of threads that people have not named, before the chat and thread; the value is since when (epoch seconds).
UNNAMED = "unnamed:"


@frozen
class KnownChat:
    """A chat that the bot has seen. `user_id` is whose direct chat it is, `parent_id` the chat of a thread."""

    chat_id: str
    kind: str
    user_id: str | None
    title: str
    parent_id: str | None


class Chats:
    """The tables chats, joins and threads, and what people chose for a chat."""

    def __init__(self, store: Store, key_values: KeyValue) -> None:
        self.store, self._key_values = store, key_values

    def record(self, chat: Chat, sender: Person, *, present: bool = True) -> None:
        """Remember a chat, and whose direct chat it is; `present` is False if the bot was removed or blocked."""
        now, facts = time.time(), (chat.title, present, chat.parent_id)
        known = self.store.memory.recall(("chat", chat.id), lambda: self._record(chat.id))
        if known is not None and known[0] == facts and now - SEEN_EVERY_S < known[1] <= now:
            return
        # When it was seen is nothing that anybody keeps in memory.
        same = known is not None and known[0] == facts
        with self.store.transaction() if same else self.store.changing() as db:
            db.execute(
                "INSERT INTO chats (chat_id, kind, user_id, title, present, seen_at, parent_id) VALUES "
                "(?, ?, ?, ?, ?, ?, ?) ON CONFLICT (chat_id) DO UPDATE SET title = excluded.title, "
                "present = excluded.present, seen_at = excluded.seen_at, parent_id = excluded.parent_id",
                (
                    chat.id, chat.kind, sender.id if chat.kind == "direct" else None, chat.title, present, now,
                    chat.parent_id,
                ),
            )  # fmt: skip
        self.store.memory.keep(("chat", chat.id), (facts, now))

    def _record(self, chat_id: str) -> tuple[tuple[str | None, bool, str | None], float] | None:
        row = self.store.row("SELECT title, present, parent_id, seen_at FROM chats WHERE chat_id = ?", chat_id)
        return None if row is None else ((row["title"], bool(row["present"]), row["parent_id"]), row["seen_at"])

    def migrate(self, old_id: str, new_id: str) -> None:
        """Give a chat its new id."""
        with self.store.changing() as db:
            db.execute("UPDATE OR REPLACE chats SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
            db.execute("UPDATE OR REPLACE joins SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))
            if choice := self._key_values.get(f"rich:{old_id}"):
                self._key_values.set(f"rich:{new_id}", choice)

    def has_blocked(self, user_id: str) -> bool:
        """Return True if this person blocked the bot in their direct chat."""
        return (
            self.store.value("SELECT 1 FROM chats WHERE kind = 'direct' AND user_id = ? AND NOT present", user_id)
            is not None
        )

    def blocked_by(self) -> set[str]:
        """Return everybody who blocked the bot in their direct chat."""
        rows = self.store.rows("SELECT user_id FROM chats WHERE kind = 'direct' AND NOT present")
        return {row["user_id"] for row in rows}

    def is_direct(self, chat_id: str) -> bool:
        """Return True if this is somebody's direct chat."""
        return self.store.value("SELECT 1 FROM chats WHERE chat_id = ? AND kind = 'direct'", chat_id) is not None

    def title(self, chat_id: str) -> str:
        """Return what a chat is called: its title, or whose direct chat it is; empty if that is not known."""
        found = self.store.value(
            "SELECT coalesce(nullif(c.title, ''), nullif(p.name, ''), p.username) FROM chats c "
            "LEFT JOIN people p ON c.kind = 'direct' AND p.user_id = c.user_id WHERE c.chat_id = ?",
            chat_id,
        )
        return str(found or "")

    def is_present(self, chat_id: str) -> bool:
        """Return True if the bot is in this chat, as far as it knows."""
        return self.store.value("SELECT 1 FROM chats WHERE chat_id = ? AND present", chat_id) is not None

    def set_progress(self, chat_id: str, level: str) -> None:
        """Remember what people in a chat want to see of a turn."""
        with self.store.changing() as db:
            db.execute("UPDATE chats SET progress = ? WHERE chat_id = ?", (level, chat_id))

    def progress(self, chat_id: str) -> str | None:
        """Return what people in a chat want to see of a turn; a thread has what was chosen in its chat."""
        found: str | None = self.store.value(
            "SELECT coalesce(c.progress, p.progress) FROM chats c LEFT JOIN chats p ON p.chat_id = c.parent_id "
            "WHERE c.chat_id = ?",
            chat_id,
        )
        return found

    def set_rich(self, chat_id: str, choice: str) -> None:
        """Remember whether people in a chat want messages in the platform's rich form."""
        self._key_values.set(f"rich:{chat_id}", choice)

    def rich(self, chat_id: str) -> str | None:
        """Return whether people in a chat want rich forms; a thread has what was chosen in its chat."""
        if choice := self._key_values.get(f"rich:{chat_id}"):
            return choice
        parent = self.store.value("SELECT parent_id FROM chats WHERE chat_id = ?", chat_id)
        return self._key_values.get(f"rich:{parent}") if parent else None

    def groups_with_progress(self, level: str) -> list[str]:
        """Return the groups, and threads that are chats of their own, in which this level was chosen."""
        rows = self.store.rows(
            "SELECT chat_id FROM chats WHERE progress = ? AND kind = 'group' AND present ORDER BY chat_id", level
        )
        return [row["chat_id"] for row in rows]

    def groups_not_enabled(self) -> list[tuple[str, str]]:
        """Return the groups that the bot is in and that are not enabled, newest first: (id, title)."""
        rows = self.store.rows(
            "SELECT coalesce(parent_id, chat_id) AS id, max(CASE WHEN parent_id IS NULL THEN title END) AS title "
            "FROM chats WHERE kind = 'group' AND present AND coalesce(parent_id, chat_id) NOT IN "
            "(SELECT chat_id FROM groups) AND chat_id NOT IN (SELECT chat_id FROM groups) "
            "GROUP BY id ORDER BY max(seen_at) DESC LIMIT 50"
        )
        return [(row["id"], row["title"] or "") for row in rows]

    def known(self) -> list[KnownChat]:
        """Return every chat and thread that is remembered, the one seen last first."""
        rows = self.store.rows("SELECT * FROM chats ORDER BY seen_at DESC")
        return [
            KnownChat(row["chat_id"], row["kind"], row["user_id"], row["title"] or "", row["parent_id"]) for row in rows
        ]

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` chats, not seen since then (epoch seconds) or above `STRANGE_MAX`, and their threads.

        Chats of people who may write, or wait to be let in, and enabled groups stay.
        """
        strange = (
            "coalesce(user_id, '') NOT IN (SELECT user_id FROM people UNION SELECT user_id FROM pairings) "
            "AND chat_id NOT IN (SELECT chat_id FROM groups) "
            "AND coalesce(parent_id, '') NOT IN (SELECT chat_id FROM groups)"
        )
        with self.store.changing() as db:
            deleted = db.execute(
                f"DELETE FROM chats WHERE chat_id IN (SELECT chat_id FROM chats WHERE {strange} AND seen_at < max(?, "
                f"coalesce((SELECT seen_at FROM chats WHERE {strange} ORDER BY seen_at DESC LIMIT 1 OFFSET ?), 0)) "
                "LIMIT ?)",
                (before, STRANGE_MAX - 1, limit),
            ).rowcount
            if deleted:
                db.execute("DELETE FROM threads WHERE chat_id NOT IN (SELECT chat_id FROM chats)")
        return deleted

    def prune_joins(self, before: float, limit: int) -> int:
        """Delete at most `limit` joins before then (epoch seconds), whose history is gone; return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM joins WHERE rowid IN (SELECT rowid FROM joins WHERE at < ? LIMIT ?)", (before, limit)
            ).rowcount

    # ---- who joined when

    def record_join(self, chat_id: str, user_ids: Sequence[str], after: int) -> None:
        """Remember that people joined a group; `after` is the id of the last history line that they could not read."""
        with self.store.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO joins VALUES (?, ?, ?, ?)",
                [(chat_id, user_id, after, time.time()) for user_id in user_ids],
            )

    def joined_after(self, chat_id: str, user_id: str) -> int:
        """Return the id of the history line after which a person joined a chat; 0 if they were there all along."""
        found = self.store.value("SELECT after FROM joins WHERE chat_id = ? AND user_id = ?", chat_id, user_id)
        return int(found or 0)

    # ---- threads

    def name_thread(self, chat_id: str, thread_id: str, name: str, *, replace: bool = True) -> None:
        """Remember a thread's name; without `replace` a known name stays, since it may be newer."""
        verb = "REPLACE" if replace else "IGNORE"
        with self.store.transaction() as db:
            db.execute(f"INSERT OR {verb} INTO threads VALUES (?, ?, ?)", (chat_id, thread_id, name))

    def threads_of(self, chat_id: str) -> Iterator[tuple[str, Place]]:
        """Yield the name of each known thread of a chat and where its messages go, the newest first."""
        within = self.store.rows("SELECT thread_id, name FROM threads WHERE chat_id = ? ORDER BY rowid DESC", chat_id)
        for row in within:
            yield row["name"], Place(chat_id, row["thread_id"])
        own = self.store.rows(
            "SELECT chat_id, title FROM chats WHERE parent_id = ? AND present ORDER BY seen_at DESC", chat_id
        )
        for row in own:
            yield row["title"] or "", Place(row["chat_id"], None)

    def parent_of(self, chat_id: str) -> tuple[str, str | None] | None:
        """Return the chat of a thread that is a chat of its own, and the thread's name; None for any other chat."""
        row = self.store.row("SELECT parent_id, title FROM chats WHERE chat_id = ?", chat_id)
        return None if row is None or row["parent_id"] is None else (row["parent_id"], row["title"])

    def forget_thread(self, place: Place) -> None:
        """Forget a thread that is gone, so that it is not found by its name."""
        with self.store.changing() as db:
            db.execute("DELETE FROM threads WHERE chat_id = ? AND thread_id = ?", place)
            if place.thread_id is None:
                db.execute("UPDATE chats SET present = 0 WHERE chat_id = ?", (place.chat_id,))

    def thread_name(self, chat_id: str, thread_id: str) -> str | None:
        """Return a thread's name; None if it was never seen."""
        found: str | None = self.store.value(
            "SELECT name FROM threads WHERE chat_id = ? AND thread_id = ?", chat_id, thread_id
        )
        return found
