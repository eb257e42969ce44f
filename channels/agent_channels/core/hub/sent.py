"""The sent table: which project sent a message, so that an answer to it, or a tap on it, finds the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent_channels.core.hub.database import HubDatabase

__all__ = ["SentLog", "SentMessage"]

_CHUNK = 100


class SentMessage(NamedTuple):
    """A message of the bot's."""

    chat_id: str
    message_id: str


class SentLog:
    """The messages that the projects of one bot sent."""

    def __init__(self, db: HubDatabase, bot: str) -> None:
        self._db, self._bot = db, bot

    async def record(self, project: str, messages: Sequence[SentMessage], *, replace: bool = True) -> None:
        """Record that a project sent messages; with `replace` False a record that is there stays.

        Raises `StoreError`.
        """
        ending = "DO UPDATE SET project = excluded.project, at = excluded.at" if replace else "DO NOTHING"
        unique = list(dict.fromkeys(messages))
        async with self._db.transaction() as tx:
            for start in range(0, len(unique), _CHUNK):
                chunk = unique[start : start + _CHUNK]
                values = [part for message in chunk for part in (self._bot, *message, project)]
                await tx.execute(
                    "INSERT INTO sent (bot, chat_id, message_id, project, at) VALUES "
                    + ", ".join(["(?, ?, ?, ?, {now})"] * len(chunk))
                    + f" ON CONFLICT (bot, chat_id, message_id) {ending}",
                    *values,
                )

    async def projects(self, messages: Iterable[SentMessage]) -> dict[SentMessage, str]:
        """Return which project sent each message, of those that one is known for. Raises `StoreError`."""
        found: dict[SentMessage, str] = {}
        async with self._db.transaction() as tx:
            for message in dict.fromkeys(messages):
                rows = await tx.rows(
                    "SELECT project FROM sent WHERE bot = ? AND chat_id = ? AND message_id = ?", self._bot, *message
                )
                found |= {message: str(row["project"]) for row in rows}
        return found

    async def prune(self, days: float, limit: int) -> int:
        """Delete at most `limit` records that are older; return how many. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            return await tx.execute(
                "DELETE FROM sent WHERE bot = ? AND at < {now} - ? AND message_id IN (SELECT message_id FROM sent "
                "WHERE bot = ? AND at < {now} - ? LIMIT ?)",
                self._bot, days * 86_400, self._bot, days * 86_400, limit,
            )  # fmt: skip
