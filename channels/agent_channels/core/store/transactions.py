"""Transactions and savepoints."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from types import TracebackType

from agent_channels.core.store.faults import _CALLERS, _fault, _told

__all__ = ["Savepoint", "Transaction"]


class Transaction:
    """What `Store.transaction` gives; entered dozens of times for a message, so no generator stands behind it.

    Entered while it is open, it is joined; the outermost end commits it, or undoes it after any error.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path
        self._depth = 0

    @property
    def open(self) -> bool:
        """Whether it was entered and not left."""
        return self._depth > 0

    def __enter__(self) -> sqlite3.Connection:
        if not self._depth:
            self._do("BEGIN IMMEDIATE")
        self._depth += 1
        return self._db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._end(error)
        elif error is None:
            return
        elif isinstance(error, _CALLERS) or not isinstance(error, sqlite3.DatabaseError):
            # Among them a value that the database does not take: the caller may expect it.
            return
        if error is not None and (told := _told(self._path, error)) is not None:
            raise told from error

    def _end(self, error: BaseException | None) -> None:
        try:
            if error is None:
                return self._do("COMMIT")
        except BaseException:
            self._undo()
            raise
        return self._undo()

    def _do(self, sql: str) -> None:
        _run(self._db, self._path, sql)

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")


class Savepoint:
    """What `Store.savepoint` gives."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def __enter__(self) -> None:
        _run(self._db, self._path, "SAVEPOINT part")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            _run(self._db, self._path, "RELEASE part")
        elif self._db.in_transaction:
            # A full disk undoes the whole transaction by itself, and the savepoint with it.
            self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")


def _run(db: sqlite3.Connection, path: Path, sql: str) -> None:
    try:
        db.execute(sql)
    except sqlite3.DatabaseError as error:
        raise _fault(path, error) from error
