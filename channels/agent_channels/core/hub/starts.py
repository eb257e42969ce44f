"""The starts table: which projects people asked to be started, until they were told what became of it."""

from __future__ import annotations

from collections.abc import Collection

from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import HubDatabase, Row
from agent_channels.core.hub.keepers import KEEPER
from agent_channels.core.hub.wakeups import HubWakeups

__all__ = ["EXPIRES_S", "StartRequest", "Starts"]

# After so long nobody is at it any more: longer than a keeper waits for a session.
EXPIRES_S = 180.0


@frozen
class StartRequest:
    """A project that somebody asked to be started, and where they did. `thread_id` is empty outside threads."""

    project: str
    user_id: str
    chat_id: str
    thread_id: str


class Starts:
    """What is asked of the keepers of one bot; of each project there is one request at most."""

    def __init__(self, db: HubDatabase, bot: str, wakeups: HubWakeups) -> None:
        self._db, self._bot, self._wakeups = db, bot, wakeups

    async def ask(self, request: StartRequest) -> bool:
        """Ask for a start and wake the keepers; return False if somebody did so already. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            asked = await tx.execute(
                "INSERT INTO starts (bot, project, state, user_id, chat_id, thread_id, asked_at) "
                "VALUES (?, ?, 'asked', ?, ?, ?, {now}) ON CONFLICT (bot, project) DO NOTHING",
                self._bot, request.project, request.user_id, request.chat_id, request.thread_id,
            )  # fmt: skip
            if asked:
                await self._wakeups.notify(tx, KEEPER)
        if asked:
            self._wakeups.send({KEEPER})
        return bool(asked)

    async def take(self, projects: Collection[str]) -> list[StartRequest]:
        """Return what was asked for these projects, to be done by the caller alone. Raises `StoreError`."""
        wanted = sorted(projects)
        if not wanted:
            return []
        async with self._db.transaction() as tx:
            rows = await tx.rows(
                "UPDATE starts SET state = 'begun' WHERE bot = ? AND state = 'asked' AND asked_at > {now} - ? "
                f"AND project IN ({', '.join('?' * len(wanted))}) RETURNING project, user_id, chat_id, thread_id",
                self._bot, EXPIRES_S, *wanted,
            )  # fmt: skip
        return [_request(row) for row in rows]

    async def end(self, project: str) -> None:
        """Forget a request: what became of it is told. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            await tx.execute("DELETE FROM starts WHERE bot = ? AND project = ?", self._bot, project)

    async def expired(self) -> list[StartRequest]:
        """Forget, and return, the requests that nobody carried out. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            rows = await tx.rows(
                "DELETE FROM starts WHERE bot = ? AND asked_at < {now} - ? "
                "RETURNING project, user_id, chat_id, thread_id",
                self._bot, EXPIRES_S,
            )  # fmt: skip
        return [_request(row) for row in rows]


def _request(row: Row) -> StartRequest:
    return StartRequest(row["project"], row["user_id"], row["chat_id"], row["thread_id"])
