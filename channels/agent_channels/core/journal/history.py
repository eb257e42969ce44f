"""What was said in each chat, in both directions: what the gate let through, and what the agent sent.

A row is written in the transaction that opens an entry, or that notes a message as sent. What strangers said while
nobody has let them in is not here. The index for searching is brought up to date when somebody searches, and in quiet
moments, so that it costs nothing on a message's way.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence

from agent_channels.core.journal.history_line import CURSOR, HistoryLine, fold, said_of, sought
from agent_channels.core.store.database import Row, Store
from agent_channels.core.text.sanitize import attribute, content, file_name

__all__ = ["History"]

# SQLite's trigram tokenizer finds nothing shorter; CJK words often are.
TRIGRAM = 3
TERMS_MAX = 16
# Rows indexed in one transaction: the write lock is never held for long.
STEP = 500
# SQLite without FTS5, or with one from before the tokenizer (3.34).
_LACKING = ("no such module", "no such tokenizer", "vtable constructor failed")
PAGE = 500


class History:
    """The history table and its index."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._searchable: bool | None = None

    # ---- writing

    def add(self, said: HistoryLine) -> None:
        """Stores a line; an edit of one that is known replaces its text."""
        with self.store.transaction() as db:
            if said.edited and self._replace(said):
                return
            db.execute(
                "INSERT INTO history (chat_id, message_id, kind, own, user, user_id, text, sought, at, reply_to, "
                "reply_user, reply_text, thread_id, thread_name, files, forward_from, edited) VALUES "
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    said.chat_id, said.message_id, said.kind, said.own, said.user, said.user_id, said.text,
                    sought(said), said.at, said.reply_to, said.reply_user, said.reply_text, said.thread_id,
                    said.thread_name, json.dumps(said.files, ensure_ascii=False) if said.files else "[]",
                    said.forward_from, said.edited,
                ),
            )  # fmt: skip

    def heard(
        self, chat_id: str, message_id: str, text: str, meta: Mapping[str, str], thread_id: str | None, *, image: bool
    ) -> None:
        """The gate let somebody through; see `said_of`."""
        self.add(said_of(chat_id, message_id, text, meta, thread_id, image=image))

    def sent(
        self,
        chat_id: str,
        message_id: str,
        text: str,
        *,
        user: str,
        files: Sequence[str] = (),
        reply_to: str | None = None,
        thread_id: str | None = None,
    ) -> None:
        """The agent's message went out. `user`: the bot's name; `files`: names."""
        self.add(
            HistoryLine(
                chat_id, message_id, attribute(user) or "bot", "", content(text), time.time(), own=True,
                files=tuple(map(file_name, files)), reply_to=reply_to, thread_id=thread_id,
            )
        )  # fmt: skip

    def changed(self, chat_id: str, message_id: str, text: str) -> None:
        """The agent edited a message of its own; one that is not kept any more stays forgotten."""
        row = self._newest(chat_id, message_id)
        if row is not None and row["own"]:
            self._update(row, content(text))

    def _replace(self, said: HistoryLine) -> bool:
        row = self._newest(said.chat_id, said.message_id)
        if row is None or row["own"]:
            return False
        self._update(row, said.text)
        return True

    def _newest(self, chat_id: str, message_id: str) -> Row | None:
        return self.store.row(
            "SELECT * FROM history WHERE chat_id = ? AND message_id = ? AND kind = 'message' ORDER BY id DESC LIMIT 1",
            chat_id,
            message_id,
        )

    def completed(self, chat_id: str, message_id: str, text: str) -> None:
        """What a person said is known whole now: a voice note was written down."""
        row = self._newest(chat_id, message_id)
        if row is not None and not row["own"]:
            self._update(row, text, edited=row["edited"])

    def _update(self, row: Row, text: str, *, edited: bool = True) -> None:
        with self.store.transaction() as db:
            if row["indexed"]:
                self._drop_from_index(db, "id = ?", (row["id"],))
            words = sought(_said(row), text)
            db.execute(
                "UPDATE history SET text = ?, sought = ?, edited = ?, indexed = 0 WHERE id = ?",
                (text, words, edited, row["id"]),
            )

    def moved(self, old_id: str, new_id: str) -> None:
        """A chat lives on under a new id: so does what was said there."""
        with self.store.transaction() as db:
            db.execute("UPDATE history SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))

    # ---- reading

    def page(self, chat_id: str, limit: int, before: str | None = None, query: str = "") -> list[HistoryLine] | None:
        """The newest lines of a chat, oldest of them first: before a message, with every word of `query` in them.

        `before`: a message's id, or a line's `cursor`. None when nothing is known of that message.
        """
        cursor = self._cursor(chat_id, before)
        if cursor is None:
            return None
        terms = fold(query).split()[:TERMS_MAX]
        rows = self._found(chat_id, cursor, limit, terms) if terms else self._latest(chat_id, cursor, limit)
        return [_said(row) for row in reversed(rows)]

    def _cursor(self, chat_id: str, before: str | None) -> int | None:
        if before is None:
            return 1 << 62
        if before.startswith(CURSOR) and before[1:].isdigit():
            return int(before[1:])
        # A tap has the id of the message that it was on; that message comes first.
        found: int | None = self.store.value(
            "SELECT min(id) FROM history WHERE chat_id = ? AND message_id = ?", chat_id, before
        )
        return found

    def _latest(self, chat_id: str, cursor: int, limit: int) -> list[Row]:
        return self.store.rows(
            "SELECT * FROM history WHERE chat_id = ? AND id < ? ORDER BY id DESC LIMIT ?", chat_id, cursor, limit
        )

    def _found(self, chat_id: str, cursor: int, limit: int, terms: Sequence[str]) -> list[Row]:
        """Lines with every term. The index leads to those with the long ones; whether they hold all is looked at."""
        long = [term for term in terms if len(term) >= TRIGRAM]
        if long and not self._up_to_date():
            long = []
        where, values = ["h.chat_id = ?", "h.id < ?"], [chat_id, cursor]
        for term in terms:
            where.append("h.sought LIKE ? ESCAPE '\\'")
            values.append(f"%{_escaped(term)}%")
        source, order = "history h", "h.id"
        if long:
            # The index walks its rows backwards by itself, and stops at the limit.
            source, order = "history_index i JOIN history h ON h.id = i.rowid", "i.rowid"
            where.append("history_index MATCH ?")
            values.append(" ".join('"' + term.replace('"', '""') + '"' for term in long))
        return self.store.rows(
            f"SELECT h.* FROM {source} WHERE {' AND '.join(where)} ORDER BY {order} DESC LIMIT ?", *values, limit
        )

    def one(self, chat_id: str, message_id: str) -> HistoryLine | None:
        """A message of a chat, as it reads now."""
        row = self._newest(chat_id, message_id)
        return None if row is None else _said(row)

    def kept(self, chat_id: str) -> tuple[int, float | None]:
        """How many lines of a chat are stored, and since when (epoch seconds)."""
        row = self.store.row("SELECT count(*) AS n, min(at) AS since FROM history WHERE chat_id = ?", chat_id)
        return (0, None) if row is None else (row["n"], row["since"])

    def every(self, chat_id: str | None = None, since: float = 0.0) -> Iterator[HistoryLine]:
        """Every line, oldest first, of one chat or all, said since then (epoch seconds)."""
        last = 0
        while True:
            # In pages: a read that is held open would keep the database from being tidied.
            rows = self.store.rows(
                "SELECT * FROM history WHERE id > ? AND at >= ? AND (? IS NULL OR chat_id = ?) ORDER BY id LIMIT ?",
                last, since, chat_id, chat_id, PAGE,
            )  # fmt: skip
            yield from map(_said, rows)
            if len(rows) < PAGE:
                return
            last = rows[-1]["id"]

    # ---- forgetting

    def forget(self, chat_id: str) -> int:
        """Deletes everything said in a chat; returns how many lines."""
        return self._delete("chat_id = ?", (chat_id,))

    def prune(self, before: float, limit: int) -> int:
        """Deletes at most `limit` lines said before then (epoch seconds); returns how many."""
        return self._delete("id IN (SELECT id FROM history WHERE at < ? LIMIT ?)", (before, limit))

    def _delete(self, where: str, values: tuple[object, ...]) -> int:
        with self.store.transaction() as db:
            self._drop_from_index(db, where, values)
            return db.execute(f"DELETE FROM history WHERE {where}", values).rowcount

    # ---- the index

    def index(self) -> int:
        """Indexes some lines that are not yet; returns how many. 0: all are, or this SQLite has no such index."""
        if not self.store.value("SELECT 1 FROM history WHERE indexed = 0 LIMIT 1"):
            return 0
        with self.store.transaction() as db:
            if not self._can_search(db):
                return 0
            rows = self.store.rows("SELECT id, sought FROM history WHERE indexed = 0 ORDER BY id LIMIT ?", STEP)
            db.executemany(
                "INSERT INTO history_index (rowid, sought) VALUES (?, ?)", [(row["id"], row["sought"]) for row in rows]
            )
            db.executemany("UPDATE history SET indexed = 1 WHERE id = ?", [(row["id"],) for row in rows])
            return len(rows)

    def _up_to_date(self) -> bool:
        while self.index():
            pass
        with self.store.transaction() as db:
            return self._can_search(db)

    def _can_search(self, db: sqlite3.Connection) -> bool:
        """Makes the index where SQLite can; an older one searches without."""
        if self._searchable is None:
            try:
                db.execute(
                    "CREATE VIRTUAL TABLE IF NOT EXISTS history_index USING "
                    "fts5(sought, content='history', content_rowid='id', tokenize='trigram')"
                )
                db.execute("SELECT rowid FROM history_index LIMIT 1").fetchone()
                self._searchable = True
            except sqlite3.OperationalError as error:
                if not str(error).startswith(_LACKING):
                    raise
                self._searchable = False
        return self._searchable

    def _drop_from_index(self, db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> None:
        # What another process indexed and this SQLite cannot: its words lead to a row that is gone, and so to nothing.
        if self.store.value("SELECT 1 FROM sqlite_master WHERE name = 'history_index'") and self._can_search(db):
            db.execute(
                "INSERT INTO history_index (history_index, rowid, sought) "
                f"SELECT 'delete', id, sought FROM history WHERE indexed = 1 AND {where}",
                values,
            )


def _escaped(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _said(row: Row) -> HistoryLine:
    return HistoryLine(
        row["chat_id"], row["message_id"], row["user"], row["user_id"], row["text"], row["at"], row["kind"],
        bool(row["own"]), row["reply_to"], row["reply_user"], row["reply_text"], row["thread_id"], row["thread_name"],
        tuple(json.loads(row["files"])), row["forward_from"], bool(row["edited"]), row["id"],
    )  # fmt: skip
