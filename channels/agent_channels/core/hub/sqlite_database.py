"""A hub on this machine: a SQLite file in the user's data folder."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import anyio

from agent_channels.core.errors import HubRefused, HubUnavailable, StoreError
from agent_channels.core.hub.address import HubAddress
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
from agent_channels.core.store.database import Store

__all__ = ["SqliteDatabase", "local_path"]

# SQLite's own wait stops the whole process, so it is short and repeated.
_BUSY_MS = 20
_AGAIN_AFTER_S = 0.02
SQLITE_MIN = (3, 38)


def local_path(bot: str, data: Path) -> Path:
    """Return where the hub of a bot (`channel:bot_id`) lies in a user's data folder."""
    return data / "hub" / f"{bot.replace(':', '-')}.db"


class _SqliteReading:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        return [dict(row) for row in self._store.rows(_for_sqlite(sql), *map(storable, values))]

    async def each(self, *queries: Statement) -> list[list[Row]]:
        return [await self.rows(sql, *values) for sql, values in queries]


class _SqliteTransaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        return [dict(row) for row in self._db.execute(_for_sqlite(sql), tuple(map(storable, values)))]

    async def each(self, *queries: Statement) -> list[list[Row]]:
        return [await self.rows(sql, *values) for sql, values in queries]

    async def execute(self, sql: str, *values: Any) -> int:
        return self._db.execute(_for_sqlite(sql), tuple(map(storable, values))).rowcount


@lru_cache(maxsize=256)
def _for_sqlite(sql: str) -> str:
    sql = sql.replace("{now}", "((julianday('now') - 2440587.5) * 86400.0)")
    # It has no digests, and no wire to keep short.
    sql = DIGEST.sub(r"(\1)", sql)
    # Who may write is alone anyway.
    sql = sql.replace("{locked}", "")
    return sql.replace("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT")


class SqliteDatabase:
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
            yield _SqliteReading(await self._ready())

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
                await migrate(tx, str(self.path), self._migrations)
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
            yield _SqliteTransaction(db)

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
