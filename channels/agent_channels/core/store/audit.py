"""The record of what changed who may do what, and of what people decided: rows that nobody can change unnoticed.

Each row holds the hash of the row before it and its own, so that a changed, removed, inserted or moved row is found.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.log import redact
from agent_channels.core.store.database import Row, Store
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["Audit", "Broken", "Verified"]

# The hash of the newest row, and of the newest one that was deleted because it was old.
_HEAD, _ANCHOR = "audit_head", "audit_anchor"
# What a record begins with if the newest hash was removed before it: the gap stays visible.
_LOST = "removed"
PAGE = 1000
DETAIL_MAX = 1000
FORGET = "forget"
# So many ids fit into one record.
FORGET_STEP = 50
ID_MIN, ID_MAX = -(2**63), 2**63 - 1


@frozen
class Broken:
    """A place where the record is not what was written: a row's id, and what is wrong there, in words."""

    row_id: int
    why: str


@frozen
class Verified:
    """What was found: how many rows, when the oldest of them was made, the newest's hash, and everything wrong."""

    rows: int
    since: float | None
    head: str
    broken: tuple[Broken, ...]


class Audit:
    """The audit table."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._facts = KeyValue(store)

    def add(self, what: str, subject: str | None = None, detail: str | None = None) -> None:
        """Record an action, such as `allow`; `subject` is the person or chat it concerns."""
        subject = None if subject is None else redact(subject)[:DETAIL_MAX]
        detail = None if detail is None else redact(detail)[:DETAIL_MAX]
        with self.store.transaction() as db:
            before, at = self._newest_hash(db), time.time()
            cursor = db.execute(
                "INSERT INTO audit (at, what, subject, detail) VALUES (?, ?, ?, ?)", (at, what, subject, detail)
            )
            self._chain(db, int(cursor.lastrowid or 0), before, (at, what, subject), detail)

    def _newest_hash(self, db: sqlite3.Connection) -> str:
        """Return the hash that the next row goes on from; rows of an earlier version are chained first."""
        head = self._facts.get(_HEAD)
        if head is None:
            head = _LOST if self._is_chained() else self._begin_chain(db)
        return head

    def _is_chained(self) -> bool:
        return bool(self.store.value("SELECT EXISTS (SELECT 1 FROM audit WHERE hash IS NOT NULL)"))

    def _begin_chain(self, db: sqlite3.Connection) -> str:
        """Chain the rows that an earlier version wrote, in order; return the last one's hash."""
        before = ""
        for row in self.store.rows("SELECT * FROM audit ORDER BY id"):
            before = self._chain(db, row["id"], before, (row["at"], row["what"], row["subject"]), row["detail"])
        return before

    def _chain(
        self, db: sqlite3.Connection, row_id: int, before: str, values: tuple[object, ...], detail: str | None
    ) -> str:
        salt = secrets.token_hex(16)
        words = _hash_of_words(salt, detail)
        own = _hash(before, row_id, (*values, words))
        db.execute(
            "UPDATE audit SET before = ?, hash = ?, salt = ?, words = ? WHERE id = ?",
            (before, own, salt, words, row_id),
        )
        self._facts.set(_HEAD, own)
        return own

    def count(self, what: str, *, since: float) -> int:
        """Return how often an action was recorded since then (epoch seconds)."""
        return int(self.store.value("SELECT count(*) FROM audit WHERE what = ? AND at > ?", what, since))

    def latest(self, limit: int) -> list[Row]:
        """Return the newest records, newest first, with every column; at: epoch seconds."""
        return self.store.rows_as_found("SELECT * FROM audit ORDER BY id DESC LIMIT ?", limit)

    def all(self, since: float | None = None) -> Iterator[Row]:
        """Yield every record, or those made since then (epoch seconds), oldest first, with every column.

        A row that something else wrote may have any id, and any value.
        """
        first: int | None = ID_MIN
        # In pages: a read that is held open would keep the database from being checkpointed.
        while first is not None and (
            rows := self.store.rows_as_found(
                "SELECT * FROM audit WHERE id >= ? AND (? IS NULL OR at >= ?) ORDER BY id LIMIT ?",
                first, since, since, PAGE,
            )
        ):  # fmt: skip
            yield from rows
            last = rows[-1]["id"]
            first = None if last == ID_MAX else last + 1

    def verify(self) -> Verified:
        """Look at every row; return what is wrong."""
        head = self._facts.get(_HEAD)
        broken: list[Broken] = []
        before, count, since = self._facts.get(_ANCHOR) or "", 0, None
        forgotten = {
            int(number)
            for row in self.store.rows_as_found("SELECT detail FROM audit WHERE what = ?", FORGET)
            for number in re.findall(r"\d+", str(row["detail"] or "").partition(":")[2])
        }
        # Without one, these are records of an earlier version, which had no chain; or somebody removed it.
        chained = head is not None or self._is_chained()
        for row in self.all():
            count += 1
            since = row["at"] if since is None else since
            if not chained:
                continue
            if not row["hash"]:
                broken.append(Broken(row["id"], sentence("this row was put in by something else")))
                continue
            if row["before"] != before:
                broken.append(Broken(row["id"], sentence("rows before this one were removed, added or moved")))
            own = _hash(row["before"], row["id"], (row["at"], row["what"], row["subject"], row["words"]))
            whole = row["words"] == _hash_of_words(row["salt"], row["detail"])
            is_forgotten = row["salt"] is None and row["detail"] is None and row["id"] in forgotten
            if row["hash"] != own or not (whole or is_forgotten):
                broken.append(Broken(row["id"], sentence("this row was changed")))
            before = row["hash"]
        if chained and before != head:
            newest = self.store.value("SELECT max(id) FROM audit") or 0
            why = (
                sentence("the hash of the newest row was removed")
                if head is None
                else sentence("rows after this one were removed")
            )
            broken.append(Broken(int(newest), why))
        return Verified(count, since, head or "", tuple(broken))

    def matching(self, subjects: Collection[str], wanted: Callable[[str], bool]) -> list[int]:
        """Return the ids of records whose words are `wanted`, and that concern one of these people and chats."""
        rows = self.store.rows_as_found(
            f"SELECT id, detail FROM audit WHERE subject IN ({', '.join('?' * len(subjects))}) AND what != ? "
            "AND typeof(detail) = 'text' ORDER BY id",
            *subjects,
            FORGET,
        )
        return [row["id"] for row in rows if wanted(row["detail"])]

    def forget(self, ids: Sequence[int], by: str) -> None:
        """Delete the words of records.

        That they were, and by whose wish, is a record of its own, which the chain asks for.
        """
        with self.store.transaction() as db:
            if ids:
                # What has no chain yet is chained while its words are there.
                self._newest_hash(db)
            for some in (ids[i : i + FORGET_STEP] for i in range(0, len(ids), FORGET_STEP)):
                db.executemany("UPDATE audit SET detail = NULL, salt = NULL WHERE id = ?", [(one,) for one in some])
                self.add(FORGET, by, f"the words of the records: {' '.join(map(str, some))}")

    def prune(self, before: float, keep_rows: int, limit: int) -> int:
        """Delete at most `limit` of the oldest records: those made before then, and those above `keep_rows`.

        `before` is in epoch seconds. The chain goes on behind them.
        """
        oldest_kept = (self.store.value("SELECT max(id) FROM audit") or 0) - keep_rows
        with self.store.transaction() as db:
            rows = self.store.rows_as_found(
                "SELECT id, at < ? AS is_old, hash FROM audit ORDER BY id LIMIT ?", before, limit
            )
            last = None
            for row in rows:
                if not row["is_old"] and row["id"] > oldest_kept:
                    break
                last = row
            if last is None:
                return 0
            self._facts.set(_ANCHOR, last["hash"] or "")
            return db.execute("DELETE FROM audit WHERE id <= ?", (last["id"],)).rowcount


def _hash_of_words(salt: str | None, detail: str | None) -> str:
    return _digest([salt, detail])


def _hash(before: str | None, row_id: int, values: tuple[object, ...]) -> str:
    return _digest([before, row_id, *values])


def _digest(values: list[object]) -> str:
    # Bytes, which this program never writes, are unlike every text.
    return hashlib.sha256(json.dumps(values, default=lambda value: {"bytes": value.hex()}).encode()).hexdigest()
