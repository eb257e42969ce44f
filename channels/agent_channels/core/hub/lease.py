"""Who reads a bot: a lease in the hub's database, on the database's clock alone.

The epoch grows with each new owner, and what an earlier owner still writes is refused by it. The owner stops itself
before its lease is over, by a clock that nobody can set.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from agent_channels.core.errors import LeaseLost
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import HubDatabase, Row, Statement, parsed
from agent_channels.core.settings.paths import runtime_dir
from agent_channels.core.settings.private_files import write_atomically

__all__ = ["Lease", "LeaseHolder", "lock_domain", "steady_s"]

# The part of its lease after which the owner stops itself.
_OWN_PART = 0.8


def steady_s() -> float:
    """Return seconds of a clock that nobody can set, and that goes on while the machine sleeps where that is told."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def lock_domain() -> str:
    """Return a name that exactly the processes have in common that share kernel locks, and so never act twice.

    It lies beside the locks: neither a host's name nor a home folder tells two containers apart.
    """
    path = runtime_dir() / "domain"
    for _ in range(2):
        try:
            if found := path.read_text(encoding="ascii").strip():
                return found
        except (OSError, UnicodeDecodeError):
            pass
        write_atomically(path, os.urandom(8).hex())
    # Read back: of two processes that wrote it together, the second one's counts.
    return path.read_text(encoding="ascii").strip()


@frozen
class LeaseHolder:
    """Who reads a bot: its owner's name, for how many more seconds (below 0: no longer), and what it says of itself."""

    owner: str
    epoch: int
    left_s: float
    reader: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether anybody may take the lease."""
        return self.left_s <= 0


class Lease:
    """The lease on reading one bot, for one process."""

    def __init__(
        self, db: HubDatabase, bot: str, domain: str, lease_s: float, clock: Callable[[], float] = steady_s
    ) -> None:
        """`domain`: see `lock_domain`; the caller holds the bot's kernel lock in it while it takes the lease."""
        self._db, self._bot, self._lease_s, self._clock = db, bot, lease_s, clock
        self.domain = domain
        self.owner = f"{domain}:{os.getpid()}:{os.urandom(4).hex()}"
        self._epoch = 0
        self._deadline = -1.0

    @property
    def held(self) -> bool:
        """Whether this process may still read."""
        return self.left_s > 0

    @property
    def left_s(self) -> float:
        """For how many seconds this process may still read, if the lease is not renewed."""
        return self._deadline - self._clock()

    async def take(self, reader: dict[str, Any]) -> bool:
        """Take the lease if it is free, or was held in this lock domain; `reader` says who takes it, for people.

        Raises `StoreError`.
        """
        began = self._clock()
        async with self._db.transaction() as tx:
            found = await tx.rows(
                "INSERT INTO bots (bot, owner, epoch, lease_until, reader_json) VALUES (?, ?, 1, {now} + ?, ?) "
                "ON CONFLICT (bot) DO UPDATE SET owner = excluded.owner, epoch = bots.epoch + 1, "
                "lease_until = excluded.lease_until, reader_json = excluded.reader_json "
                "WHERE bots.lease_until < {now} OR substr(bots.owner, 1, ?) = ? RETURNING epoch",
                self._bot, self.owner, self._lease_s, json.dumps(reader), len(self.domain) + 1, f"{self.domain}:",
            )  # fmt: skip
        if not found:
            return False
        self._epoch, self._deadline = int(found[0]["epoch"]), began + self._lease_s * _OWN_PART
        return True

    async def renew(self, reader: dict[str, Any]) -> None:
        """Renew the lease. Raises `LeaseLost` if somebody else has taken it, and other `StoreError`s."""
        began = self._clock()
        async with self._db.transaction() as tx:
            if not await tx.execute(
                "UPDATE bots SET lease_until = {now} + ?, reader_json = ? WHERE bot = ? AND owner = ? AND epoch = ?",
                self._lease_s, json.dumps(reader), self._bot, self.owner, self._epoch,
            ):  # fmt: skip
                self._deadline = -1.0
                raise LeaseLost("another process reads this bot now")
        self._deadline = began + self._lease_s * _OWN_PART

    @property
    def fence(self) -> Statement:
        """What has to come first in a transaction of the owner's: nobody takes the lease before it ends.

        It returns a row while this process holds the lease; see `require`.
        """
        return (
            "SELECT epoch FROM bots WHERE bot = ? AND owner = ? AND epoch = ? {locked}",
            (self._bot, self.owner, self._epoch),
        )

    @property
    def guard(self) -> Statement:
        """A condition for what comes after the fence: whether this process holds the lease."""
        return (
            "EXISTS (SELECT 1 FROM bots WHERE bots.bot = ? AND bots.owner = ? AND bots.epoch = ?)",
            (self._bot, self.owner, self._epoch),
        )

    def require(self, fenced: Sequence[Row]) -> None:
        """Raise `LeaseLost` if the fence returned no row."""
        if not fenced:
            self._deadline = -1.0
            raise LeaseLost("another process reads this bot now; nothing was written")

    async def release(self) -> None:
        """Let anybody take the lease at once. Raises `StoreError`."""
        self._deadline = -1.0
        async with self._db.transaction() as tx:
            await tx.execute(
                "UPDATE bots SET lease_until = 0 WHERE bot = ? AND owner = ? AND epoch = ?",
                self._bot, self.owner, self._epoch,
            )  # fmt: skip

    async def holder(self) -> LeaseHolder | None:
        """Return who holds, or last held, the lease; None if nobody ever did. Raises `StoreError`."""
        return await lease_holder(self._db, self._bot)


async def lease_holder(db: HubDatabase, bot: str) -> LeaseHolder | None:
    """Return who holds, or last held, the lease on a bot; None if nobody ever did. Raises `StoreError`."""
    async with db.reading() as tx:
        rows = await tx.rows(
            "SELECT owner, epoch, lease_until - {now} AS left_s, reader_json FROM bots WHERE bot = ?", bot
        )
    if not rows:
        return None
    row = rows[0]
    reader = parsed("reader_json", row["reader_json"], dict[str, Any])
    return LeaseHolder(row["owner"], int(row["epoch"]), float(row["left_s"]), reader or {})
