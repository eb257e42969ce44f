"""Our reactions on what people wrote: received and kept, and another one while nobody picks it up.

Nothing here claims more than is known: a host never says that it showed a message, so "offered" is the most we say.
"""

from __future__ import annotations

import logging
import time

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.errors import PlatformError, StoreError
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact
from agent_channels.core.outbound.reactions import Reactions
from agent_channels.core.scheduling import FollowUp

__all__ = ["Receipts"]

logger = logging.getLogger(__name__)
# With more new messages than this at once, only the newest of each chat gets one: a reaction is a request too.
EACH_UP_TO = 10
# The agent hears of a message before its sender sees the receipt: preparing a request takes longer than a push.
DELAY_S = 0.1


class Receipts:
    """Set reactions; without `enabled`, or on a platform without them, nothing happens."""

    def __init__(self, adapter: Adapter, inbox: Inbox, reactions: Reactions, *, enabled: bool) -> None:
        self._inbox, self._reactions = inbox, reactions
        self._emoji = adapter.capabilities.receipt_emoji if enabled else None

    def for_received(self, messages: list[Message]) -> list[FollowUp]:
        """Return the calls that mark messages which were just journalled."""
        if self._emoji is None or not messages:
            return []
        written = [m for m in messages if not (m.edited or m.reaction or m.passive)]
        marked = written if len(written) <= EACH_UP_TO else list({m.chat.id: m for m in written}.values())
        due = time.monotonic() + DELAY_S
        return [self._react(m.chat.id, m.message_id, self._emoji[0], not_before=due) for m in marked]

    async def show_waiting(self, chat_id: str, message_id: str) -> None:
        """Mark a message that nobody has picked up yet."""
        if self._emoji is not None:
            self._inbox.mark_waiting(chat_id, message_id)
            await _quietly(self._react(chat_id, message_id, self._emoji[1]))

    def take_waiting(self, chat_id: str) -> list[str]:
        """Forget which messages of a chat are marked as waiting, since the agent acted there; return their ids."""
        if self._emoji is None:
            return []
        try:
            return self._inbox.unmark_waiting(chat_id)
        except StoreError as error:
            logger.warning("receipts stay as they are: %s", error)
            return []

    async def restore(self, chat_id: str, message_ids: list[str]) -> None:
        """Mark messages as received again."""
        if self._emoji is not None:
            for message_id in message_ids:
                await _quietly(self._react(chat_id, message_id, self._emoji[0]))

    def _react(self, chat_id: str, message_id: str, emoji: str, *, not_before: float = 0) -> FollowUp:
        async def follow_up() -> None:
            await anyio.sleep(max(0.0, not_before - time.monotonic()))
            await self._reactions.set_receipt(chat_id, message_id, emoji)

        return follow_up


async def _quietly(follow_up: FollowUp) -> None:
    try:
        await follow_up()
    except PlatformError as error:
        logger.info("a receipt was refused: %s", redact(str(error)))
