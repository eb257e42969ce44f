"""The hub's database: one interface to SQLite and PostgreSQL, which takes the same SQL for both.

Every value is bound to a `?`. `{now}` stands for the database's clock in epoch seconds, `{serial}` for a primary key
that it numbers, `{digest:…}` for a text that differs where its own does, and `{locked}`, at the end of a SELECT, for
nobody else changing the rows before the transaction ends. What was committed is on disk, at the latest after `sync`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from agent_channels.core.errors import HubRefused
from agent_channels.core.hub.address import HubAddress
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.patterns import lazy_pattern

__all__ = [
    "ALWAYS",
    "ANSWER_WITHIN_S",
    "DIGEST",
    "HubDatabase",
    "HubReading",
    "HubTransaction",
    "Migrations",
    "Row",
    "Statement",
    "chunks",
    "migrate",
    "parsed",
    "storable",
]

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]
Statement = tuple[str, Sequence[Any]]
"""A statement, or a condition in one, and the values of its question marks."""
ALWAYS: Statement = ("TRUE", ())
"""The condition that holds."""
T = TypeVar("T")
Migrations = Sequence[Sequence[str]]

# How long a transaction may take before the database counts as unreachable: the lease outlives it.
ANSWER_WITHIN_S = 5.0
DIGEST = lazy_pattern(r"\{digest:([^}]*)\}")


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


async def migrate(tx: HubTransaction, shown: str, migrations: Migrations) -> None:
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


def parsed(column: str, text: str, parse: Callable[[Any], T]) -> T | None:
    """Return what the JSON in a column says; None, which is logged, if it says nothing that this program can read.

    One row that somebody else wrote must not stop what concerns all the others.
    """
    try:
        return parse(json.loads(text))
    except (ValueError, TypeError, AttributeError, RecursionError):
        _warn_of(column, text)
        return None


@lru_cache(maxsize=64)
def _warn_of(column: str, text: str) -> None:
    logger.warning("a row of the hub is left out: its %s cannot be read (%d characters)", column, len(text))


def storable(value: Any) -> Any:
    """Return a value as both databases can keep it: PostgreSQL takes no zero byte, and neither takes half a letter."""
    if isinstance(value, str) and ("\0" in value or not value.isascii()):
        return value.replace("\0", "�").encode("utf-8", "replace").decode()
    return value
