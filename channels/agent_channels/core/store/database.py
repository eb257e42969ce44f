"""One SQLite database per state folder, in WAL mode, shared by the server, the command line and the hooks.

Transactions are short and take the write lock at once, so that two processes queue instead of failing half-way.
A commit survives the death of this process; `sync` makes it survive the death of the machine.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent_channels.core.errors import StoreError
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.private_files import ensure_private_dir, ensure_private_file
from agent_channels.core.settings.state_folder import is_empty, make_state_folder, require_own_file
from agent_channels.core.settings.watchers import Watchers
from agent_channels.core.store.faults import (
    CALLERS_FAULT,
    VALUE_FAULTS,
    as_store_error,
    explain,
    explained,
    unreadable_value,
)
from agent_channels.core.store.memory import Memory
from agent_channels.core.store.migrations import MIGRATIONS

__all__ = ["Changing", "Row", "Savepoint", "Store", "Transaction"]

Row = sqlite3.Row
BUSY_TIMEOUT_MS = 5000
# How long a program of an older version is waited for, which would not understand the migrated database.
ALONE_S = 1.0
# After so many commits, about 5 MB, the log is moved into the database and begun anew. A longer one would grow for
# longer, and to write a file that grows to disk takes longer than to overwrite it.
MOVE_AFTER = 150
# SQLite does it by itself in the commit that makes the log so many pages long: where nobody calls `sync`, so rarely.
LOG_PAGES = 4000
_IN_MEMORY = Path(":memory:")


class Transaction:
    """Hold the write lock for a block, and commit at its end or roll back after any error.

    Entered again while it is open, it is joined: the outermost block commits. A message enters it a dozen times, so it
    is one reusable object instead of a generator.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, memory: Memory, watchers: Watchers) -> None:
        self._db, self._path, self._memory, self._watchers = db, path, memory, watchers
        self._depth = self._changes = 0
        self.commits = 0
        """How many there were."""

    @property
    def open(self) -> bool:
        """Whether a block is being executed."""
        return self._depth > 0

    def __enter__(self) -> sqlite3.Connection:
        if not self._depth:
            self._execute("BEGIN IMMEDIATE")
        self._depth += 1
        return self._db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._memory.is_current = False
            self._end(error)
        elif error is None or isinstance(error, CALLERS_FAULT) or not isinstance(error, sqlite3.DatabaseError):
            return
        if error is not None and (explained_error := as_store_error(self._path, error)) is not None:
            raise explained_error from error

    def _end(self, error: BaseException | None) -> None:
        try:
            if error is None:
                self.commits += 1
                self._execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        if error is not None:
            self._roll_back()
        elif self._changes != self._db.total_changes:
            self._changes = self._db.total_changes
            self._watchers.wake()

    def _roll_back(self) -> None:
        self._memory.forget()
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")

    def _execute(self, sql: str) -> None:
        try:
            self._db.execute(sql)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise explain(self._path, error) from error


class Savepoint:
    """Undo a block of an open transaction alone if it fails."""

    def __init__(self, db: sqlite3.Connection, path: Path, memory: Memory) -> None:
        self._db, self._path, self._memory = db, path, memory

    def __enter__(self) -> None:
        self._execute("SAVEPOINT part")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return self._execute("RELEASE part")
        self._memory.forget()
        if self._db.in_transaction:
            # A full disk rolls back the whole transaction by itself, and the savepoint with it.
            self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")
        return None

    def _execute(self, sql: str) -> None:
        try:
            self._db.execute(sql)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise explain(self._path, error) from error


class Changing:
    """A transaction after which everything in the memory is read again."""

    def __init__(self, transaction: Transaction, memory: Memory) -> None:
        self._transaction, self._memory = transaction, memory

    def __enter__(self) -> sqlite3.Connection:
        return self._transaction.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory.forget()
        self._transaction.__exit__(kind, error, trace)


class Store:
    """An open database. Used from one thread; every table's service takes one.

    As a block it takes what fails on a value for a value that this program did not write, and raises `StoreError`.
    """

    def __init__(self, path: Path, *, migrations: Sequence[Sequence[str]] | None = MIGRATIONS) -> None:
        """Open (and create, and migrate) the database at `path`; with None for `migrations` it is left as it is.

        Raises `StoreError` when it cannot be used, saying why; nothing is overwritten then.
        """
        self.path = path
        self.memory = Memory(self.revision, lambda: self.in_transaction)
        """What is asked for with every message, and what who may write and what is asked of people follows from."""
        self.watchers = Watchers(path.parent if path != _IN_MEMORY else None)
        """The other processes that want to hear of each commit."""
        # The number of commits when the log was last moved into the database.
        self._moved_at = 0
        with explained(path):
            if path != _IN_MEMORY:
                _prepare(path)
            deadline = time.monotonic() + ALONE_S
            while not self._connect(migrations):
                if time.monotonic() > deadline:
                    raise StoreError(
                        sentence(
                            "{path} is still open in a program of an older version, which would stop working; end the "
                            "agent's sessions in this project, or restart their hosts, and end `channels open`",
                            path=path,
                        )
                    )
                # Two that want to migrate must not wait for each other in step.
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - no secret

    def _connect(self, migrations: Sequence[Sequence[str]] | None) -> bool:
        """Connect and migrate; return False, with the connection closed, if an older program may have it open."""
        self._db = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        done = False
        try:
            self._configure()
            done = migrations is None or self._migrate(migrations)
        finally:
            if not done:
                self._db.close()
        return done

    def _configure(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._transaction = Transaction(self._db, self.path, self.memory, self.watchers)
        self._changing = Changing(self._transaction, self.memory)
        self._savepoint = Savepoint(self._db, self.path, self.memory)
        _turn_wal_on(self._db)
        for pragma in (
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            "secure_delete = FAST",
            f"wal_autocheckpoint = {LOG_PAGES}",
        ):
            self._db.execute(f"PRAGMA {pragma}").fetchall()

    @classmethod
    def open(cls, state_dir: Path) -> Store:
        """Open the database of a state folder, which is created if there is none.

        Raises `UntrustedState` if this user's program neither made nor adopted the folder, and `StoreError`.
        """
        return cls(make_state_folder(state_dir) / "channel.db")

    @classmethod
    def open_existing(cls, state_dir: Path) -> Store:
        """Like `open`, for looking: where there is no database, return an empty one in memory, and create nothing."""
        if os.path.lexists(state_dir / "channel.db"):
            return cls.open(state_dir)
        if not is_empty(state_dir):
            make_state_folder(state_dir)
        return cls(_IN_MEMORY)

    @classmethod
    def open_read_only(cls, path: Path) -> Store:
        """Open the database at `path` through a connection that cannot change anything. Raises `StoreError`."""
        return cls(path).read_only()

    def empty_journal(self) -> None:
        """Move what was committed into the database and empty its journal, unless somebody reads right now.

        What was overwritten or deleted is then in neither.
        """
        with explained(self.path), self.waiting_at_most(0):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def read_only(self) -> Self:
        """Refuse every change through this connection from now on; return it."""
        self._db.execute("PRAGMA query_only = ON")
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, VALUE_FAULTS):
            raise unreadable_value(self.path, error) from error

    def close(self) -> None:
        """Close the database; what was committed stays."""
        self._db.close()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, which may still be rolled back."""
        return self._transaction.open

    def transaction(self) -> Transaction:
        """Return the block that holds the write lock; an open one is joined, any error rolls it back."""
        return self._transaction

    def changing(self) -> Changing:
        """Return a transaction for a change to what `memory` may keep."""
        return self._changing

    def savepoint(self) -> Savepoint:
        """Return the block that is undone alone if it fails, inside an open transaction."""
        return self._savepoint

    @contextlib.contextmanager
    def waiting_at_most(self, seconds: float) -> Iterator[None]:
        """Within this block, wait no longer for another process that writes; the statement fails then."""
        self._db.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """Return every row of a query. Raises `StoreError`."""
        try:
            return self._db.execute(sql, values).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise explain(self.path, error) from error

    def rows_as_found(self, sql: str, *values: Any) -> list[Row]:
        """Like `rows`, for what another program may have written: bytes that are not UTF-8 are shown as escapes."""
        self._db.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
        try:
            return self.rows(sql, *values)
        finally:
            self._db.text_factory = str

    def row(self, sql: str, *values: Any) -> Row | None:
        """Return the first row of a query, or None. Raises `StoreError`."""
        try:
            found: Row | None = self._db.execute(sql, values).fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise explain(self.path, error) from error
        return found

    def value(self, sql: str, *values: Any) -> Any:
        """Return the first column of the first row, or None. Raises `StoreError`."""
        row = self.row(sql, *values)
        return None if row is None else row[0]

    def revision(self) -> int:
        """Return a number that changes whenever another process commits."""
        return int(self.value("PRAGMA data_version"))

    def state(self) -> tuple[int, int]:
        """Return a value that changes whenever anybody changes the database, this process too."""
        return self.revision(), self._db.total_changes

    def copy_to(self, target: Path, tell: Callable[[int, int], None]) -> None:
        """Copy the database as it is at this moment into a new file while others write. Raises `StoreError`.

        `tell` gets how many pages are copied, and of how many. The copy is one file, without a log beside it.
        """
        with explained(self.path), contextlib.closing(sqlite3.connect(target)) as copy:
            # A read transaction: otherwise the copy begins again whenever another process commits.
            self._db.execute("BEGIN")
            try:
                self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                self._db.backup(copy, pages=1024, progress=lambda _, left, total: tell(total - left, total))
            finally:
                self._db.execute("ROLLBACK")
            copy.execute("PRAGMA journal_mode = DELETE")

    def lock_out_others(self) -> bool:
        """Keep every other connection out until this one is closed; return False if another one is open.

        Raises `StoreError`.
        """
        try:
            self._db.execute("PRAGMA journal_mode = DELETE")
            self._db.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if "locked" not in str(error):
                raise explain(self.path, error) from error
            return False
        return True

    async def sync(self) -> None:
        """Return once every commit so far is on disk. Raises `StoreError` if the disk does not take it."""
        # Imported here: hooks share this file and never get here.
        import asyncio

        try:
            await asyncio.get_running_loop().run_in_executor(None, self._to_disk)
        except OSError as error:
            raise as_store_error(self.path, error) or error from error

    def _to_disk(self) -> None:
        """Write the log to disk, and move it into the database if it is long: a commit would wait for that."""
        _fsync(self.path)
        if (commits := self._transaction.commits) - self._moved_at >= MOVE_AFTER:
            self._moved_at = commits
            # Where it fails, the log stays, and SQLite does it later.
            with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self.path)) as db:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _migrate(self, migrations: Sequence[Sequence[str]]) -> bool:
        """Bring the schema up to date; return False if an older program may have the database open."""
        known, found = len(migrations), self._version()
        if found > known:
            raise StoreError(
                sentence(
                    "{path} was written by a newer version (schema {found}, this program knows {known}); update this "
                    "program, or name another state folder",
                    path=self.path,
                    found=found,
                    known=known,
                )
            )
        if found == known:
            return True
        if found and not self._is_alone():
            return False
        with self.transaction() as db:
            # Read again under the lock: another process may have migrated in between.
            for number in range(self._version() + 1, known + 1):
                for statement in migrations[number - 1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
        return True

    def _is_alone(self) -> bool:
        """Return whether no other connection is open: only then does SQLite leave WAL mode."""
        try:
            self._db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        _turn_wal_on(self._db)
        return True

    def _version(self) -> int:
        return int(self.value("PRAGMA user_version"))


def _prepare(path: Path) -> None:
    ensure_private_dir(path.parent)
    for suffix in ("", "-wal", "-shm", "-journal"):
        require_own_file(path.with_name(path.name + suffix))
    ensure_private_file(path)


def _turn_wal_on(db: sqlite3.Connection) -> None:
    # When two processes create the database together, this statement alone does not wait for the other's lock.
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


def _fsync(path: Path) -> None:
    # Commits live in the WAL until a checkpoint, which syncs by itself. SQLite's locks are on the database file and
    # the -shm file, never on the -wal file, so closing this descriptor drops none of them.
    try:
        descriptor = os.open(f"{path}-wal", os.O_RDWR)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR)
    try:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
