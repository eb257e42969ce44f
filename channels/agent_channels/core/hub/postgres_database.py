"""A hub in PostgreSQL, for projects on several machines."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import anyio

from agent_channels.core.errors import ChannelError, HubRefused, HubUnavailable, StoreError
from agent_channels.core.hub.address import HubAddress, needs_extra
from agent_channels.core.hub.database import (
    ANSWER_WITHIN_S,
    DIGEST,
    HubReading,
    HubTransaction,
    Migrations,
    Row,
    Statement,
    migrate,
    storable,
)
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.log import redact

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresDatabase", "connect", "explained"]

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
POSTGRESQL_MIN = 150_000
# Outside of transactions a commit is on disk a moment later. All of one string is one round trip.
_SOON_DURABLE = b"SET synchronous_commit = off"
_BEGIN_DURABLE = b"BEGIN; SET LOCAL synchronous_commit = on"
# Any number, the same in every version: two programs that migrate wait for each other.
_MIGRATION_LOCK = 7_215_031_947


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
        # The library's own words, before the server says anything.
        if "no password supplied" in reason:
            raise HubRefused(
                sentence(
                    "the hub {address} asks for a password, and none is set; put PGPASSWORD=... into .env in the "
                    "channel's state folder, or give the whole address with --address-stdin",
                    address=address,
                )
            ) from error
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
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise HubRefused(
            sentence(
                "the hub {address} can only be read: it is a standby, or was set to read-only; give the address of the "
                "primary server, or allow writing (ALTER DATABASE … SET default_transaction_read_only = off)",
                address=address,
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


def _spoils(error: BaseException) -> bool:
    """Return whether a connection may fail again for what it remembers, such as a statement prepared earlier."""
    import psycopg

    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and not isinstance(cause, psycopg.IntegrityError)


def _needs_operator(reason: str) -> bool:
    """Return whether the server refused who asks, or what for: a wrong password, no such database.

    The library keeps no code of a refused connection. In another language it counts as what passes, and is told too.
    """
    return "FATAL:" in reason and not any(passing in reason for passing in _PASSING)


class _PostgresTransaction:
    def __init__(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        self._connection = connection

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        return await _fetched(await self._execute(sql, values))

    async def each(self, *queries: Statement) -> list[list[Row]]:
        async with self._connection.pipeline():
            cursors = [await self._execute(sql, values) for sql, values in queries]
        return [await _fetched(cursor) for cursor in cursors]

    async def execute(self, sql: str, *values: Any) -> int:
        return (await self._execute(sql, values)).rowcount

    async def _execute(self, sql: str, values: Sequence[Any]) -> psycopg.AsyncCursor[dict[str, Any]]:
        return await self._connection.execute(_for_postgres(sql), tuple(map(storable, values)))


async def _fetched(cursor: psycopg.AsyncCursor[dict[str, Any]]) -> list[Row]:
    """Return the rows of a statement; none of one that returns nothing, which cannot be fetched."""
    return cast("list[Row]", await cursor.fetchall() if cursor.description else [])


@lru_cache(maxsize=256)
def _for_postgres(sql: str) -> bytes:
    sql = sql.replace("%", "%%").replace("?", "%s")
    sql = sql.replace("{now}", "extract(epoch FROM clock_timestamp())::double precision")
    sql = DIGEST.sub(r"encode(sha256(convert_to(\1, 'UTF8')), 'hex')", sql)
    sql = sql.replace("{locked}", "FOR UPDATE")
    return sql.replace("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY").encode()


class PostgresDatabase:
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
                if not isinstance(error, ChannelError) or isinstance(error, HubUnavailable) or _spoils(error):
                    # Cancelled half-way, or broken: nobody knows what is still on its way.
                    await self._drop()
                raise

    async def _connected(self) -> psycopg.AsyncConnection[dict[str, Any]]:
        connection = await connect(self.address)
        try:
            async with connection.transaction():
                tx = _PostgresTransaction(connection)
                await tx.rows("SELECT pg_advisory_xact_lock(?)", _MIGRATION_LOCK)
                await migrate(tx, str(self.address), self._migrations)
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
