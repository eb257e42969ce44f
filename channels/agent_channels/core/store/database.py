"""One SQLite database per STATE_DIR, in WAL mode, shared by the server, the command line and the hooks.

Transactions are short and take the write lock at once, so that two processes queue instead of failing half-way.
A commit survives the death of this process; `sync` makes it survive the death of the machine.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent_channels.core.errors import StoreError
from agent_channels.core.settings.paths import private_file, private_state
from agent_channels.core.store.faults import _explained, _fault
from agent_channels.core.store.migrations import MIGRATIONS
from agent_channels.core.store.transactions import Savepoint, Transaction

__all__ = [
    "Row",
    "Store",
]

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
                self._part = Savepoint(self._db, path)
                _turn_wal_on(self._db)
                for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
                    self._db.execute(f"PRAGMA {pragma}")
                self._migrate(migrations)
            except BaseException:
                self._db.close()
                raise

    @classmethod
    def open(cls, state_dir: Path) -> Store:
        """The database of a STATE_DIR."""
        return cls(state_dir / "channel.db")

    @classmethod
    def open_read_only(cls, state_dir: Path) -> Store:
        """Like `open`, through a connection that cannot change anything. Raises `StoreError` as `open` does."""
        store = cls.open(state_dir)
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
    def in_transaction(self) -> bool:
        """Whether a transaction is open, which may still be undone."""
        return self._transaction.open

    def transaction(self) -> Transaction:
        """A transaction which holds the write lock; joined when one is open already, rolled back on any error."""
        return self._transaction

    def savepoint(self) -> Savepoint:
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

    async def sync(self) -> None:
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
        with self.transaction() as db:
            # Read again under the lock: another process may have migrated in between.
            for number in range(self._version() + 1, known + 1):
                for statement in migrations[number - 1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")

    def _version(self) -> int:
        return int(self.value("PRAGMA user_version"))


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
