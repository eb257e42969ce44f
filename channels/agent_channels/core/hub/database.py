"""The hub's database: SQLite or PostgreSQL behind one interface, which takes the same SQL for both.

Every value is bound to a `?`. `{now}` stands for the database's clock in epoch seconds, `{serial}` for a primary key
that it numbers, `{digest:…}` for a text that differs where its own does, and `{locked}`, at the end of a SELECT, for
nobody else changing the rows before the transaction ends. What was committed is on disk, at the latest after `sync`.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import anyio

from agent_channels.core.errors import ChannelError, HubRefused, HubUnavailable, StoreError
from agent_channels.core.hub.address import HubAddress, needs_extra
from agent_channels.core.hub.migrations import MIGRATIONS
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.log import redact
from agent_channels.core.settings.paths import data_dir
from agent_channels.core.store.database import Store

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "HubDatabase",
    "HubReading",
    "HubTransaction",
    "Row",
    "Statement",
    "chunks",
    "connect",
    "explained",
    "local_path",
    "open_database",
]

Row = Mapping[str, Any]
Statement = tuple[str, Sequence[Any]]
"""A statement and the values of its question marks."""
T = TypeVar("T")
Migrations = Sequence[Sequence[str]]

# How long a transaction may take before the database counts as unreachable: the lease outlives it.
ANSWER_WITHIN_S = 5.0
# What the address does not say: a wire that is dead is noticed within half a minute.
_CONNECTION = {
    "connect_timeout": "5",
    "application_name": "agent-channels",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "client_encoding": "utf8",
}
# What a server that is well again soon answers.
_PASSING = ("starting up", "shutting down", "recovery", "too many", "terminating connection", "remaining connection")
# SQLite's own wait stops the whole process, so it is short and repeated.
_BUSY_MS = 20
_AGAIN_AFTER_S = 0.02
SQLITE_MIN = (3, 38)
POSTGRESQL_MIN = 150_000
# Outside of transactions a commit is on disk a moment later. All of one string is one round trip.
_SOON_DURABLE = b"SET synchronous_commit = off"
_BEGIN_DURABLE = b"BEGIN; SET LOCAL synchronous_commit = on"
_DIGEST = re.compile(r"\{digest:([^}]*)\}")
# Any number, the same in every version: two programs that migrate wait for each other.
_MIGRATION_LOCK = 7_215_031_947


class HubReading(Protocol):
    """What can be asked."""

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        """Return every row of a query, by column name."""
        ...

    async def each(self, *queries: Statement) -> list[list[Row]]:
        """Return the rows of each query, in one round trip to the database."""
        ...


class HubTransaction(HubReading, Protocol):
    """An open transaction."""

    async def execute(self, sql: str, *values: Any) -> int:
        """Execute a statement; return how many rows it changed."""
        ...


class HubDatabase(Protocol):
    """An open hub. One transaction at a time: others wait for their turn, so none may be opened inside another."""

    address: HubAddress

    def transaction(self) -> AbstractAsyncContextManager[HubTransaction]:
        """Return a block that is committed at its end, or rolled back after any error.

        Raises `HubUnavailable` for what passes, `HubRefused` for what does not, `StoreError` for anything else. After
        a connection that broke during the commit nobody knows whether it was committed.
        """
        ...

    def reading(self) -> AbstractAsyncContextManager[HubReading]:
        """Return a block that only reads, without a transaction: each statement sees what is committed by then.

        Raises as `transaction` does.
        """
        ...

    async def at_once(self, *statements: Statement) -> list[list[Row]]:
        """Execute statements as one transaction, in one round trip; return the rows of each.

        Unlike a `transaction`'s, the commit may be undone if the database's machine dies before the next `sync`.
        Raises as `transaction` does.
        """
        ...

    async def sync(self) -> None:
        """Return once every commit so far would survive the death of the machine. Raises `StoreError`."""
        ...

    async def close(self) -> None:
        """Close it; what was committed stays."""
        ...


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield values in order, at most `size` at a time: a statement takes only so many."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def open_database(address: HubAddress, bot: str, *, migrations: Migrations = MIGRATIONS) -> HubDatabase:
    """Return the hub's database for a bot (`channel:bot_id`); it is connected to and migrated when it is first used."""
    if address.is_local:
        return _LocalDatabase(address, local_path(bot, data_dir()), migrations)
    return _PostgresDatabase(address, migrations)


def local_path(bot: str, data: Path) -> Path:
    """Return where the hub of a bot (`channel:bot_id`) lies in a user's data folder."""
    return data / "hub" / f"{bot.replace(':', '-')}.db"


async def _migrate(tx: HubTransaction, shown: str, migrations: Migrations) -> None:
    """Bring the schema up to date; the caller holds a lock. Raises `HubRefused`."""
    await tx.execute("CREATE TABLE IF NOT EXISTS hub_schema (version BIGINT NOT NULL)")
    found = await tx.rows("SELECT version FROM hub_schema")
    version, known = int(found[0]["version"]) if found else 0, len(migrations)
    if version > known:
        raise HubRefused(
            sentence(
                "the hub {address} was made by a newer version (schema {version}, this program knows {known}); update "
                "this program with `channels update`",
                address=shown,
                version=version,
                known=known,
            )
        )
    if version == known:
        return
    for statements in migrations[version:]:
        for statement in statements:
            await tx.execute(statement)
    await tx.execute("DELETE FROM hub_schema")
    await tx.execute("INSERT INTO hub_schema VALUES (?)", known)


def _clean(value: Any) -> Any:
    """Return a value as both databases can keep it: PostgreSQL takes no zero byte, and neither takes half a letter."""
    if isinstance(value, str) and ("\0" in value or not value.isascii()):
        return value.replace("\0", "�").encode("utf-8", "replace").decode()
    return value


# ---- SQLite


class _LocalReading:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        return [dict(row) for row in self._store.rows(_for_sqlite(sql), *map(_clean, values))]

    async def each(self, *queries: Statement) -> list[list[Row]]:
        return [await self.rows(sql, *values) for sql, values in queries]


class _LocalTransaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        return [dict(row) for row in self._db.execute(_for_sqlite(sql), tuple(map(_clean, values)))]

    async def each(self, *queries: Statement) -> list[list[Row]]:
        return [await self.rows(sql, *values) for sql, values in queries]

    async def execute(self, sql: str, *values: Any) -> int:
        return self._db.execute(_for_sqlite(sql), tuple(map(_clean, values))).rowcount


@lru_cache(maxsize=256)
def _for_sqlite(sql: str) -> str:
    sql = sql.replace("{now}", "((julianday('now') - 2440587.5) * 86400.0)")
    # It has no digests, and no wire to keep short.
    sql = _DIGEST.sub(r"(\1)", sql)
    # Who may write is alone anyway.
    sql = sql.replace("{locked}", "")
    return sql.replace("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT")


class _LocalDatabase:
    """A SQLite file in the user's data folder, shared by this user's processes."""

    def __init__(self, address: HubAddress, path: Path, migrations: Migrations) -> None:
        self.address, self.path = address, path
        self._migrations = migrations
        self._store: Store | None = None
        self._file: tuple[int, int] | None = None
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[HubTransaction]:
        async with self._turn, self._begun(await self._ready()) as tx:
            yield tx

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[HubReading]:
        async with self._turn:
            yield _LocalReading(await self._ready())

    async def at_once(self, *statements: Statement) -> list[list[Row]]:
        async with self.transaction() as tx:
            return await tx.each(*statements)

    async def _ready(self) -> Store:
        """Return the open database. Raises `StoreError`."""
        if self._store is not None and self._is_replaced():
            await self.close()
            raise self._replaced()
        if self._store is None:
            self._store = await self._opened()
            self._file = _identity(self.path)
        return self._store

    async def _opened(self) -> Store:
        if sqlite3.sqlite_version_info < SQLITE_MIN:
            raise HubRefused(
                sentence(
                    "a hub on this machine needs SQLite {needed}, and Python has {found} here; use a newer Python, or "
                    "a hub in PostgreSQL",
                    needed=".".join(map(str, SQLITE_MIN)),
                    found=sqlite3.sqlite_version,
                )
            )
        # Its own migrations wait until every other program has closed it, which a hub cannot.
        store = Store(self.path, migrations=None)
        try:
            store.rows(f"PRAGMA busy_timeout = {_BUSY_MS}")
            async with self._begun(store) as tx:
                await _migrate(tx, str(self.path), self._migrations)
        except BaseException:
            store.close()
            raise
        return store

    @asynccontextmanager
    async def _begun(self, store: Store) -> AsyncIterator[HubTransaction]:
        deadline = time.monotonic() + ANSWER_WITHIN_S
        block = store.transaction()
        while True:
            try:
                db = block.__enter__()
                break
            except StoreError as error:
                if "locked" not in str(error.__cause__):
                    raise
                if time.monotonic() > deadline:
                    raise HubUnavailable(
                        sentence(
                            "the hub {address} is held by another process for over {seconds:.0f} s; end it",
                            address=self.path,
                            seconds=ANSWER_WITHIN_S,
                        )
                    ) from error
            await anyio.sleep(_AGAIN_AFTER_S)
        with contextlib.ExitStack() as stack:
            stack.push(block)
            yield _LocalTransaction(db)

    def _is_replaced(self) -> bool:
        """Return whether another file, or none, is where the one that is open was: what it takes would be lost."""
        return _identity(self.path) != self._file

    def _replaced(self) -> HubUnavailable:
        return HubUnavailable(
            sentence("the hub {address} was moved or replaced while it was in use", address=self.path)
        )

    async def sync(self) -> None:
        if self._store is not None:
            if self._is_replaced():
                raise self._replaced()
            await self._store.sync()

    async def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, itself and not what it links to; None if there is none."""
    try:
        info = path.lstat()
    except OSError:
        return None
    return info.st_dev, info.st_ino


# ---- PostgreSQL


async def connect(address: HubAddress) -> psycopg.AsyncConnection[dict[str, Any]]:
    """Return a new connection to a hub in PostgreSQL. Raises `HubUnavailable` or `HubRefused`."""
    try:
        import psycopg
        from psycopg.conninfo import make_conninfo
        from psycopg.rows import dict_row
    except ImportError:
        raise needs_extra() from None
    given = make_conninfo("", **(_CONNECTION | dict(address.parameters or {})))
    with explained(address):
        connection = await psycopg.AsyncConnection.connect(given, autocommit=True, row_factory=dict_row)
        try:
            _require_suitable(address, connection)
            # Sent as statements: a pooler in between refuses them as start-up options.
            for name, value_ms in (
                ("statement_timeout", ANSWER_WITHIN_S * 1000),
                ("lock_timeout", ANSWER_WITHIN_S * 1000),
                ("idle_in_transaction_session_timeout", ANSWER_WITHIN_S * 2000),
            ):
                await connection.execute(f"SET {name} = {value_ms:.0f}".encode())
        except BaseException:
            await connection.close()
            raise
    return connection


def _require_suitable(address: HubAddress, connection: psycopg.AsyncConnection[Any]) -> None:
    """Raise `HubRefused` for a server that is too old, or a database that cannot keep every letter."""
    info = connection.info
    if info.server_version < POSTGRESQL_MIN:
        raise HubRefused(
            sentence(
                "the hub {address} is PostgreSQL {found}, and a hub needs {needed} or newer; update the server",
                address=address,
                found=info.server_version // 10_000,
                needed=POSTGRESQL_MIN // 10_000,
            )
        )
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise HubRefused(
            sentence(
                "the hub {address} keeps text as {encoding}, which has no place for most letters; make the database "
                "with `CREATE DATABASE channels ENCODING 'UTF8' TEMPLATE template0`",
                address=address,
                encoding=encoding,
            )
        )


@contextlib.contextmanager
def explained(address: HubAddress) -> Iterator[None]:
    """Raise what psycopg raises in the block as one of ours, without a secret."""
    import psycopg

    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
        reason = redact(" ".join(str(error).split())) or type(error).__name__
        if _needs_operator(reason):
            raise HubRefused(
                sentence(
                    "the hub {address} refuses: {reason}; fix the address or the database",
                    address=address,
                    reason=reason,
                )
            ) from error
        raise HubUnavailable(
            sentence(
                "the hub {address} cannot be reached: {reason}; is the database running?",
                address=address,
                reason=reason,
            )
        ) from error
    except psycopg.errors.DuplicateTable as error:
        raise HubRefused(
            sentence(
                "the hub {address} has tables of another program ({reason}); give the hub a database of its own",
                address=address,
                reason=redact(str(error)).splitlines()[0],
            )
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        reason = redact(str(error)).splitlines()[0]
        raise HubRefused(
            sentence(
                "the hub {address}: {reason}; make its user the owner of the database (ALTER DATABASE … OWNER TO …)",
                address=address,
                reason=reason,
            )
        ) from error
    except psycopg.Error as error:
        raise StoreError(
            sentence("the hub {address} failed: {reason}", address=address, reason=redact(" ".join(str(error).split())))
        ) from error


def _needs_operator(reason: str) -> bool:
    """Return whether the server refused who asks, or what for: a wrong password, no such database.

    The library keeps no code of a refused connection. In another language it counts as what passes, and is told too.
    """
    return "FATAL:" in reason and not any(passing in reason for passing in _PASSING)


class _PostgresTransaction:
    def __init__(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        self._connection = connection

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        cursor = await self._execute(sql, values)
        return cast("list[Row]", await cursor.fetchall() if cursor.description else [])

    async def each(self, *queries: Statement) -> list[list[Row]]:
        async with self._connection.pipeline():
            cursors = [await self._execute(sql, values) for sql, values in queries]
        return [cast("list[Row]", await cursor.fetchall() if cursor.description else []) for cursor in cursors]

    async def execute(self, sql: str, *values: Any) -> int:
        return (await self._execute(sql, values)).rowcount

    async def _execute(self, sql: str, values: Sequence[Any]) -> psycopg.AsyncCursor[dict[str, Any]]:
        return await self._connection.execute(_for_postgres(sql), tuple(map(_clean, values)))


@lru_cache(maxsize=256)
def _for_postgres(sql: str) -> bytes:
    sql = sql.replace("%", "%%").replace("?", "%s")
    sql = sql.replace("{now}", "extract(epoch FROM clock_timestamp())::double precision")
    sql = _DIGEST.sub(r"encode(sha256(convert_to(\1, 'UTF8')), 'hex')", sql)
    sql = sql.replace("{locked}", "FOR UPDATE")
    return sql.replace("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY").encode()


class _PostgresDatabase:
    """One connection to PostgreSQL, which is made again after it broke."""

    def __init__(self, address: HubAddress, migrations: Migrations) -> None:
        self.address = address
        self._migrations = migrations
        self._connection: psycopg.AsyncConnection[dict[str, Any]] | None = None
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[HubTransaction]:
        import psycopg

        async with self._open() as connection:
            await connection.execute(_BEGIN_DURABLE)
            try:
                yield _PostgresTransaction(connection)
            except Exception:
                with contextlib.suppress(psycopg.Error):
                    await connection.execute(b"ROLLBACK")
                raise
            await connection.execute(b"COMMIT")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[HubReading]:
        async with self._open() as connection:
            yield _PostgresTransaction(connection)

    async def at_once(self, *statements: Statement) -> list[list[Row]]:
        async with self._open() as connection:
            tx = _PostgresTransaction(connection)
            if len(statements) == 1:
                ((sql, values),) = statements
                return [await tx.rows(sql, *values)]
            # What is sent before an answer is waited for is one transaction.
            return await tx.each(*statements)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
        """The connection, for one block at a time; dropped where nobody knows what is still on its way."""
        async with self._turn:
            try:
                with anyio.fail_after(ANSWER_WITHIN_S * 2), explained(self.address):
                    if self._connection is None:
                        self._connection = await self._connected()
                    yield self._connection
            except TimeoutError as error:
                await self._drop()
                raise HubUnavailable(
                    f"the hub {self.address} did not answer within {ANSWER_WITHIN_S * 2:.0f} s; is the database well?"
                ) from error
            except BaseException as error:
                if not isinstance(error, ChannelError) or isinstance(error, HubUnavailable):
                    # Cancelled half-way, or broken: nobody knows what is still on its way.
                    await self._drop()
                raise

    async def _connected(self) -> psycopg.AsyncConnection[dict[str, Any]]:
        connection = await connect(self.address)
        try:
            async with connection.transaction():
                tx = _PostgresTransaction(connection)
                await tx.rows("SELECT pg_advisory_xact_lock(?)", _MIGRATION_LOCK)
                await _migrate(tx, str(self.address), self._migrations)
            await connection.execute(_SOON_DURABLE)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.CancelScope(shield=True):
                await connection.close()

    async def sync(self) -> None:
        # The log is written in order, so that a durable commit takes those before it along; it has to change something.
        async with self._open() as connection:
            await connection.execute(_BEGIN_DURABLE + b"; UPDATE hub_schema SET version = version; COMMIT")

    async def close(self) -> None:
        async with self._turn:
            await self._drop()
