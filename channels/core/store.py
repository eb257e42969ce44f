"""One SQLite database per STATE_DIR, in WAL mode, shared by the server, the command line and the hooks.

Transactions are short and take the write lock at once, so that two processes queue instead of failing half-way.
A commit survives the death of this process; `durable` makes it survive the death of the machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from channels.core.errors import ConfigError, StoreError
from channels.core.migrations import MIGRATIONS
from channels.core.paths import private_file, private_state

__all__ = ["Row", "Store", "Transaction"]

Row = sqlite3.Row
BUSY_TIMEOUT_MS = 5000


class Store:
    """An open database. Used from one thread; every service module takes one."""

    def __init__(self, path: Path, *, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
        """Opens (and creates, and migrates) the database at `path`.

        Raises `StoreError` when it cannot be used, saying why; nothing is overwritten then.
        """
        self.path = path
        with _explained(path):
            private_state(path.parent)
            private_file(path)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
            try:
                self._db.row_factory = sqlite3.Row
                self._transaction = Transaction(self._db, path)
                self._part = Part(self._db, path)
                _turn_wal_on(self._db)
                for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
                    self._db.execute(f"PRAGMA {pragma}")
                self._migrate(migrations)
            except BaseException:
                self._db.close()
                raise

    @classmethod
    def of(cls, state_dir: Path) -> Store:
        """The database of a STATE_DIR."""
        return cls(state_dir / "channel.db")

    @classmethod
    def to_read(cls, state_dir: Path) -> Store:
        """The database of a STATE_DIR through a connection that cannot change it. Raises `StoreError` as `of` does."""
        store = cls.of(state_dir)
        store._db.execute("PRAGMA query_only = ON")  # noqa: SLF001 - its own class
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database; what was committed stays."""
        self._db.close()

    @property
    def writing(self) -> bool:
        """Whether a transaction is open, which may still be undone."""
        return self._transaction.open

    def write(self) -> Transaction:
        """A transaction which holds the write lock; joined when one is open already, rolled back on any error."""
        return self._transaction

    def part(self) -> Part:
        """A part of an open transaction that is undone alone when it fails."""
        return self._part

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """Every row of a query."""
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise _fault(self.path, error) from error

    def row(self, sql: str, *values: Any) -> Row | None:
        """The first row of a query, or None."""
        try:
            found: Row | None = self._db.execute(sql, values).fetchone()
        except sqlite3.DatabaseError as error:
            raise _fault(self.path, error) from error
        return found

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, *values)
        return None if row is None else row[0]

    def revision(self) -> int:
        """A number that changes whenever another process commits."""
        return int(self.value("PRAGMA data_version"))

    async def durable(self) -> None:
        """Returns once every commit so far is on disk.

        Raises `StoreError` when the disk does not take it.
        """
        # Imported here: hooks share this file and never get here.
        import anyio.to_thread

        with _explained(self.path):
            await anyio.to_thread.run_sync(_flush, self.path)

    def _migrate(self, migrations: Sequence[Sequence[str]]) -> None:
        known, found = len(migrations), self._version()
        if found > known:
            msg = (
                f"{self.path} was written by a newer version (schema {found}, this program knows {known}); "
                "update this program, or name another state folder"
            )
            raise StoreError(msg)
        if found == known:
            return
        with self.write() as db:
            # Read again under the lock: another process may have migrated in between.
            for number in range(self._version() + 1, known + 1):
                for statement in migrations[number - 1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")

    def _version(self) -> int:
        return int(self.value("PRAGMA user_version"))


class Transaction:
    """What `Store.write` gives; entered dozens of times for a message, so no generator stands behind it.

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


class Part:
    """What `Store.part` gives."""

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


def _turn_wal_on(db: sqlite3.Connection) -> None:
    # Two processes that create the database together: this statement alone does not wait for the other's lock.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _keep_aside(path: Path) -> str:
    """A copy of a damaged database, made once, named for when it was last changed; "" when it cannot be made."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(path.stat().st_mtime))
    copy = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        for ending in ("", "-wal"):
            source, target = path.with_name(path.name + ending), copy.with_name(copy.name + ending)
            if source.exists() and not target.exists():
                private_file(target)
                shutil.copyfile(source, target)
    except OSError:
        return ""
    return f" A copy is kept as {copy}."


def _flush(path: Path) -> None:
    # Commits live in the WAL until a checkpoint, which syncs by itself. SQLite's locks are on the database file and
    # the -shm file, never on the -wal file, so closing this descriptor drops none of them.
    wal = path.with_name(path.name + "-wal")
    descriptor = os.open(wal if wal.exists() else path, os.O_RDWR)
    try:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


_REASONS = (
    ("disk is full", "the disk is full; free some space"),
    ("readonly", "it cannot be written to; mend the permissions of the folder"),
    ("unable to open", "it cannot be opened; mend the permissions of the folder"),
    ("malformed", "it is damaged, and is not touched any more; move it away to start anew (people pair again)."),
    ("not a database", "it is no database, and is not touched; move it away to start anew (people pair again)."),
    ("i/o error", "the disk does not take or give it (is it full, or failing?); free some space"),
    ("closed database", "a setting was changed meanwhile and it was opened again; call again"),
    ("locked", "another process has held it for over five seconds; end that process"),
)


_CALLERS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


def _fault(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    text = str(error).lower()
    reason = next((words for sign, words in _REASONS if sign in text), str(error))
    if "malformed" in text or "not a database" in text:
        reason += _keep_aside(path)
    return StoreError(f"the database {path} cannot be used: {reason}")


def _told(path: Path, error: BaseException) -> StoreError | None:
    """A fault of the disk, the lock or the folder as the store's; None for any other error."""
    match error:
        case sqlite3.DatabaseError():
            return _fault(path, error)
        case ConfigError():
            return StoreError(f"the database {path} cannot be used: {error}")
        case PermissionError():
            return StoreError(
                f"the database {path} cannot be used: {error.strerror}; mend the permissions of the folder"
            )
        case OSError():
            return StoreError(f"the database {path} cannot be used: {error.strerror or error}")
        case _:
            return None


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, ConfigError, OSError) as error:
        raise _told(path, error) or error from error
