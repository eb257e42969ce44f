"""What was said in each chat, both ways: what the gate let through, and what the agent sent.

A line is written in the transaction that opens an entry or records a message as sent. What strangers said before
somebody let them in is not here. The search index is brought up to date when somebody searches and in quiet moments,
so that it costs nothing on a message's way.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.log import redact
from agent_channels.core.store.database import Row, Store
from agent_channels.core.text.sanitize import CAPS, attribute, content, file_name

__all__ = ["History", "HistoryLine", "Kind", "holds_words", "received_line", "without_escapes"]

Kind = Literal["message", "tap", "reaction"]
# What a line's own cursor begins with; a platform's message ids never do.
CURSOR = "#"
# SQLite's trigram tokenizer finds nothing shorter; CJK words often are.
TRIGRAM = 3
TERMS_MAX = 16
# Rows indexed in one transaction: the write lock is never held for long.
INDEX_STEP = 500
PAGE = 500
# What SQLite says without FTS5, or with one from before the trigram tokenizer (3.34).
_NO_INDEX = ("no such module", "no such tokenizer", "vtable constructor failed")


@frozen
class HistoryLine:
    """One line of a chat. `at` is in epoch seconds; `files` are names, or kinds where a file has no name.

    `own`: the agent sent it. `id` only orders; it is 0 until the line is stored.
    """

    chat_id: str
    message_id: str
    user: str
    user_id: str
    text: str
    at: float
    kind: Kind = "message"
    own: bool = False
    reply_to: str | None = None
    reply_user: str | None = None
    reply_text: str | None = None
    thread_id: str | None = None
    thread_name: str | None = None
    files: tuple[str, ...] = ()
    forward_from: str | None = None
    edited: bool = False
    id: int = 0

    @property
    def cursor(self) -> str:
        """Names exactly this line; a message's id may also stand for its taps and reactions."""
        return f"{CURSOR}{self.id}"


def received_line(
    chat_id: str, message_id: str, text: str, meta: Mapping[str, str], thread_id: str | None, *, image: bool
) -> HistoryLine:
    """Return what a person said as a line: `text` and `meta` as the agent is shown them; `image`: it has a picture."""
    kind: Kind = "tap" if meta.get("button") else "reaction" if meta.get("reaction") else "message"
    attachments = meta.get("attachments")
    files = json.loads(attachments) if attachments else [{"kind": "photo"}] * image
    return HistoryLine(
        chat_id=chat_id,
        message_id=message_id,
        user=meta.get("user", ""),
        user_id=meta.get("user_id", ""),
        text=text,
        at=_epoch(meta.get("ts")),
        kind=kind,
        reply_to=meta.get("reply_to_message_id"),
        reply_user=meta.get("reply_to_user"),
        reply_text=meta.get("reply_to_text"),
        thread_id=thread_id,
        thread_name=meta.get("thread_name"),
        files=tuple(str(file.get("name") or file.get("kind") or "file") for file in files),
        forward_from=meta.get("forward_from"),
        edited=meta.get("edited") == "true",
    )


class History:
    """The history table and its search index."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._searchable: bool | None = None

    # ---- writing

    def add(self, line: HistoryLine) -> None:
        """Store a line without the credentials in it; an edit of a known message replaces its text."""
        safe = redact(line.text), line.reply_text and redact(line.reply_text), tuple(map(redact, line.files))
        if safe != (line.text, line.reply_text, line.files):
            text, reply_text, files = safe
            line = replace(line, text=text, reply_text=reply_text, files=files)
        with self.store.transaction() as db:
            if line.edited and self._replace(line):
                return
            db.execute(
                "INSERT INTO history (chat_id, message_id, kind, own, user, user_id, text, sought, at, reply_to, "
                "reply_user, reply_text, thread_id, thread_name, files, forward_from, edited) VALUES "
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    line.chat_id, line.message_id, line.kind, line.own, line.user, line.user_id, line.text,
                    _search_text(line), line.at, line.reply_to, line.reply_user, line.reply_text, line.thread_id,
                    line.thread_name, json.dumps(line.files, ensure_ascii=False) if line.files else "[]",
                    line.forward_from, line.edited,
                ),
            )  # fmt: skip

    def add_received(
        self, chat_id: str, message_id: str, text: str, meta: Mapping[str, str], thread_id: str | None, *, image: bool
    ) -> None:
        """Store what a person said; see `received_line`."""
        self.add(received_line(chat_id, message_id, text, meta, thread_id, image=image))

    def add_sent(
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
        """Store what the agent sent. `user` is the bot's name, `files` are names."""
        self.add(
            HistoryLine(
                chat_id, message_id, attribute(user) or "bot", "", content(text), time.time(), own=True,
                files=tuple(map(file_name, files)), reply_to=reply_to, thread_id=thread_id,
            )
        )  # fmt: skip

    def edit_sent(self, chat_id: str, message_id: str, text: str) -> None:
        """Replace the text of a message that the agent sent; one that is not kept any more stays forgotten."""
        row = self._newest(chat_id, message_id)
        if row is not None and row["own"]:
            self._update(row, content(text))

    def complete(self, chat_id: str, message_id: str, text: str) -> None:
        """Replace what a person said by its complete text: a voice note was transcribed."""
        row = self._newest(chat_id, message_id)
        if row is not None and not row["own"]:
            self._update(row, text, edited=row["edited"])

    def migrate_chat(self, old_id: str, new_id: str) -> None:
        """Move a chat's lines to its new id."""
        with self.store.transaction() as db:
            db.execute("UPDATE history SET chat_id = ? WHERE chat_id = ?", (new_id, old_id))

    def _replace(self, line: HistoryLine) -> bool:
        row = self._newest(line.chat_id, line.message_id)
        if row is None or row["own"]:
            return False
        self._update(row, line.text)
        return True

    def _newest(self, chat_id: str, message_id: str) -> Row | None:
        return self.store.row(
            "SELECT * FROM history WHERE chat_id = ? AND message_id = ? AND kind = 'message' ORDER BY id DESC LIMIT 1",
            chat_id,
            message_id,
        )

    def _update(self, row: Row, text: str, *, edited: bool = True) -> None:
        text = redact(text)
        with self.store.transaction() as db:
            if row["indexed"]:
                self._drop_from_index(db, "id = ?", (row["id"],))
            db.execute(
                "UPDATE history SET text = ?, sought = ?, edited = ?, indexed = 0 WHERE id = ?",
                (text, _search_text(_line(row), text), edited, row["id"]),
            )

    # ---- reading

    def page(self, chat_id: str, limit: int, before: str | None = None, query: str = "") -> list[HistoryLine] | None:
        """Return the newest lines of a chat, oldest of them first, with every word of `query` in them.

        `before` is a message's id or a line's `cursor`. None if nothing is known of that message.
        """
        cursor = self._cursor(chat_id, before)
        if cursor is None:
            return None
        terms = _fold(query).split()[:TERMS_MAX]
        rows = self._search(chat_id, cursor, limit, terms) if terms else self._latest(chat_id, cursor, limit)
        return [_line(row) for row in reversed(rows)]

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

    def _search(self, chat_id: str, cursor: int, limit: int, terms: Sequence[str]) -> list[Row]:
        """Return lines with every term: the index leads to the long ones, then each line is checked for all."""
        long = [term for term in terms if len(term) >= TRIGRAM]
        if long and not self._index_all():
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

    def find(self, chat_id: str, message_id: str) -> HistoryLine | None:
        """Return a message of a chat as it reads now."""
        row = self._newest(chat_id, message_id)
        return None if row is None else _line(row)

    def newest_by_chat(self) -> dict[str, int]:
        """Return the id of the newest line of every chat that has one, the latest chat first."""
        rows = self.store.rows("SELECT chat_id, max(id) AS last FROM history GROUP BY chat_id ORDER BY last DESC")
        return {row["chat_id"]: row["last"] for row in rows}

    def last_id(self) -> int:
        """Return the id of the newest line; 0 if there is none."""
        return int(self.store.value("SELECT max(id) FROM history") or 0)

    def count(self, chat_id: str, after: int = 0) -> int:
        """Return how many lines of a chat after a line's id are stored."""
        return int(self.store.value("SELECT count(*) FROM history WHERE chat_id = ? AND id > ?", chat_id, after))

    def since(self, chat_id: str, after: int = 0) -> float | None:
        """Return when the first line of a chat after a line's id was said (epoch seconds); None if there is none."""
        query = "SELECT at FROM history WHERE chat_id = ? AND id > ? ORDER BY id LIMIT 1"
        found: float | None = self.store.value(query, chat_id, after)
        return found

    def lines(self, chat_id: str | None = None, since: float = 0.0, after: int = 0) -> Iterator[HistoryLine]:
        """Yield every line after a line's id, oldest first, of one chat or of all, said since then (epoch seconds)."""
        last = after
        while True:
            # In pages: a read that is held open would keep the database from being checkpointed.
            rows = self.store.rows(
                "SELECT * FROM history WHERE id > ? AND at >= ? AND (? IS NULL OR chat_id = ?) ORDER BY id LIMIT ?",
                last, since, chat_id, chat_id, PAGE,
            )  # fmt: skip
            yield from map(_line, rows)
            if len(rows) < PAGE:
                return
            last = rows[-1]["id"]

    # ---- forgetting

    def forget(self, chat_id: str) -> int:
        """Delete everything said in a chat; return how many lines."""
        return self._delete("chat_id = ?", (chat_id,))

    def matching(self, chat_id: str, wanted: Callable[[str], bool]) -> list[int]:
        """Return the ids of a chat's lines that are `wanted` by what a search looks at."""
        rows = self.store.rows("SELECT id, sought FROM history WHERE chat_id = ?", chat_id)
        return [row["id"] for row in rows if wanted(row["sought"])]

    def forget_lines(self, ids: Iterable[int]) -> None:
        """Delete lines."""
        with self.store.transaction():
            for one in ids:
                self._delete("id = ?", (one,))

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` lines said before then (epoch seconds); return how many."""
        return self._delete("id IN (SELECT id FROM history WHERE at < ? LIMIT ?)", (before, limit))

    def _delete(self, where: str, values: tuple[object, ...]) -> int:
        with self.store.transaction() as db:
            self._drop_from_index(db, where, values)
            return db.execute(f"DELETE FROM history WHERE {where}", values).rowcount

    # ---- the index

    def index(self) -> int:
        """Index some lines that are not yet; return how many. 0: all are, or this SQLite has no such index."""
        if not self.store.value("SELECT 1 FROM history WHERE indexed = 0 LIMIT 1"):
            return 0
        with self.store.transaction() as db:
            if not self._can_search(db):
                return 0
            rows = self.store.rows("SELECT id, sought FROM history WHERE indexed = 0 ORDER BY id LIMIT ?", INDEX_STEP)
            db.executemany(
                "INSERT INTO history_index (rowid, sought) VALUES (?, ?)", [(row["id"], row["sought"]) for row in rows]
            )
            db.executemany("UPDATE history SET indexed = 1 WHERE id = ?", [(row["id"],) for row in rows])
            return len(rows)

    def _index_all(self) -> bool:
        while self.index():
            pass
        with self.store.transaction() as db:
            return self._can_search(db)

    def _can_search(self, db: sqlite3.Connection) -> bool:
        """Create the index if SQLite can; an older one searches without."""
        if self._searchable is None:
            try:
                db.execute(
                    "CREATE VIRTUAL TABLE IF NOT EXISTS history_index USING "
                    "fts5(sought, content='history', content_rowid='id', tokenize='trigram')"
                )
                db.execute("SELECT rowid FROM history_index LIMIT 1").fetchone()
                self._searchable = True
            except sqlite3.OperationalError as error:
                if not str(error).startswith(_NO_INDEX):
                    raise
                self._searchable = False
        return self._searchable

    def _drop_from_index(self, db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> None:
        # If another process indexed a row and this SQLite cannot, its words lead to a row that is gone: to nothing.
        if self.store.value("SELECT 1 FROM sqlite_master WHERE name = 'history_index'") and self._can_search(db):
            db.execute(
                "INSERT INTO history_index (history_index, rowid, sought) "
                f"SELECT 'delete', id, sought FROM history WHERE indexed = 1 AND {where}",
                values,
            )


def _line(row: Row) -> HistoryLine:
    return HistoryLine(
        row["chat_id"], row["message_id"], row["user"], row["user_id"], row["text"], row["at"], row["kind"],
        bool(row["own"]), row["reply_to"], row["reply_user"], row["reply_text"], row["thread_id"], row["thread_name"],
        tuple(json.loads(row["files"])), row["forward_from"], bool(row["edited"]), row["id"],
    )  # fmt: skip


def _epoch(ts: str | None) -> float:
    try:
        return datetime.fromisoformat(ts or "").timestamp()
    except ValueError:
        return time.time()


def _fold(text: str) -> str:
    """Return text as it is compared: no case, full-width forms as narrow ones, half-width kana as full ones."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _search_text(line: HistoryLine, text: str | None = None) -> str:
    """Return what a search looks at: the text, who said it, and the names of files."""
    return _fold("\n".join((line.text if text is None else text, line.user, *line.files)))[: 2 * CAPS["content"]]


def holds_words(words: str) -> Callable[[str], bool]:
    """Return whether a text holds every one of the words, whatever their case or width; without a word, none does."""
    terms = _fold(words).split()

    def holds(text: str) -> bool:
        folded = _fold(text)
        return bool(terms) and all(term in folded for term in terms)

    return holds


def without_escapes(text: str) -> str:
    """Return JSON with its escapes undone, as far as searching for words in it goes."""
    return re.sub(r"(?:\\u[0-9a-fA-F]{4})+", lambda match: str(json.loads(f'"{match[0]}"')), text)


def _escaped(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
