"""What a person is told about a message that waits: kept, with the reason when it is known; picked up late; and marks.

Nothing here claims more than is known: a host never says that it showed a message, so "offered" is the most we say.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.errors import PlatformError, StoreError
from agent_channels.core.log import redact
from agent_channels.core.store.database import Store

__all__ = ["Receipts"]

logger = logging.getLogger(__name__)
# Above this many new messages at once, only the newest of each chat is marked: marks are requests too.
MARKED_ONE_BY_ONE = 10
# The agent hears of a message before its sender sees the mark: preparing a request takes longer than telling the host.
COURTESY_S = 0.1


class Receipts:
    """Reactions of ours on what people wrote: received and kept, and another one while nobody picks it up."""

    def __init__(self, adapter: Adapter, store: Store, *, on: bool) -> None:
        self._adapter, self._store = adapter, store
        self._emoji = adapter.capabilities.receipt_emoji if on else None

    def received(self, messages: list[Message]) -> list[Callable[[], Awaitable[None]]]:
        """The errands that mark messages which were just journalled."""
        if self._emoji is None or not messages:
            return []
        said = [m for m in messages if not (m.edited or m.reaction or m.passive)]
        chosen = said if len(said) <= MARKED_ONE_BY_ONE else list({m.chat.id: m for m in said}.values())
        due = anyio.current_time() + COURTESY_S
        return [self._mark(m.chat.id, m.message_id, self._emoji[0], not_before=due) for m in chosen]

    async def waiting(self, told: list[tuple[str, str]]) -> None:
        """Marks the newest message of each chat that was told to wait."""
        if self._emoji is None:
            return
        for chat_id, message_id in told:
            with self._store.transaction() as db:
                db.execute(
                    "UPDATE inbox SET mark = 'waiting' WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
                )
            await self._quietly(self._mark(chat_id, message_id, self._emoji[1]))

    def ended(self, chat_id: str) -> list[str]:
        """The agent acted on a chat, where nothing waits any more; returns the messages whose mark is to be changed."""
        if self._emoji is None:
            return []
        try:
            where = "chat_id = ? AND mark = 'waiting'"
            rows = self._store.rows(f"SELECT message_id FROM inbox WHERE {where}", chat_id)
            if rows:
                with self._store.transaction() as db:
                    db.execute(f"UPDATE inbox SET mark = NULL WHERE {where}", (chat_id,))
        except StoreError as error:
            logger.warning("marks stay as they are: %s", error)
            return []
        return [row["message_id"] for row in rows]

    async def restore(self, chat_id: str, message_ids: list[str]) -> None:
        """Marks messages as received again."""
        for message_id in message_ids:
            if self._emoji is not None:
                await self._quietly(self._mark(chat_id, message_id, self._emoji[0]))

    def _mark(
        self, chat_id: str, message_id: str, emoji: str, *, not_before: float = 0
    ) -> Callable[[], Awaitable[None]]:
        async def errand() -> None:
            await anyio.sleep_until(not_before)
            await self._adapter.react(chat_id, message_id, emoji)

        return errand

    @staticmethod
    async def _quietly(errand: Callable[[], Awaitable[None]]) -> None:
        try:
            await errand()
        except PlatformError as error:
            logger.info("not marked: %s", redact(str(error)))
