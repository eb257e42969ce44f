"""The sent table: which project sent a message, or got it, so that what refers to it later goes there too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agent_channels.core.hub.database import ALWAYS, HubDatabase, HubTransaction, Statement, chunks

__all__ = ["OwnedMessage", "SentLog", "SentMessage", "record_messages", "record_statements"]

_CHUNK = 100


class SentMessage(NamedTuple):
    """A message of the bot's."""

    chat_id: str
    message_id: str


class OwnedMessage(NamedTuple):
    """A message and the project that it belongs to."""

    chat_id: str
    message_id: str
    project: str
    event_id: str = ""
    """Of the event that it came in."""


def record_statements(
    bot: str, messages: Sequence[OwnedMessage], *, replace: bool = True, condition: Statement = ALWAYS
) -> list[Statement]:
    """Return what records whose messages are; with `replace` False a record that is there stays.

    `condition` has to hold for each; what is known of it are the columns of `new`.
    """
    ending = "DO UPDATE SET project = excluded.project, at = excluded.at" if replace else "DO NOTHING"
    unique = list({message[:2]: message for message in messages}.values())
    where, values = condition
    statements: list[Statement] = []
    for chunk in chunks(unique, _CHUNK):
        places = ", ".join(["(?, ?, ?, ?)"] * len(chunk))
        sql = (
            f"WITH new (chat_id, message_id, project, event_id) AS (VALUES {places}) "
            "INSERT INTO sent (bot, chat_id, message_id, project, at) SELECT ?, chat_id, message_id, project, {now} "
            f"FROM new WHERE {where} ON CONFLICT (bot, chat_id, message_id) {ending}"
        )
        statements.append((sql, (*(part for message in chunk for part in message), bot, *values)))
    return statements


async def record_messages(
    tx: HubTransaction, bot: str, messages: Sequence[OwnedMessage], *, replace: bool = True
) -> None:
    """Record whose messages are, within a transaction; with `replace` False a record that is there stays."""
    for sql, values in record_statements(bot, messages, replace=replace):
        await tx.execute(sql, *values)


class SentLog:
    """The messages that the projects of one bot sent."""

    def __init__(self, db: HubDatabase, bot: str) -> None:
        self._db, self._bot = db, bot

    async def record(self, project: str, messages: Sequence[SentMessage], *, replace: bool = True) -> None:
        """Record that a project sent messages; with `replace` False a record that is there stays.

        Raises `StoreError`.
        """
        async with self._db.transaction() as tx:
            owned = [OwnedMessage(*message, project) for message in messages]
            await record_messages(tx, self._bot, owned, replace=replace)

    async def prune(self, days: float, limit: int) -> int:
        """Delete at most `limit` records that are older; return how many. Raises `StoreError`."""
        async with self._db.transaction() as tx:
            return await tx.execute(
                "DELETE FROM sent WHERE bot = ? AND at < {now} - ? AND message_id IN (SELECT message_id FROM sent "
                "WHERE bot = ? AND at < {now} - ? LIMIT ?)",
                self._bot, days * 86_400, self._bot, days * 86_400, limit,
            )  # fmt: skip
