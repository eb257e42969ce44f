"""The bot's one reaction to a message, which the agent sets and our receipts do: the agent's stays."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.recent import Recent
from agent_channels.core.errors import PlatformError

__all__ = ["Reactions"]

# A receipt that is still to come is for one of the last messages.
REMEMBERED_MAX = 1000


class Reactions:
    """Set reactions, one request at a time for each message."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._own: Recent[tuple[str, str], None] = Recent(REMEMBERED_MAX)
        self._locks = WeakValueDictionary[tuple[str, str], asyncio.Lock]()

    async def set_own(self, chat_id: str, message_id: str, emoji: str) -> None:
        """Set the agent's reaction, or with an empty string remove it; no receipt comes after it."""
        key = chat_id, message_id
        self._own[key] = None
        try:
            async with self._lock(key):
                await self._adapter.react(chat_id, message_id, emoji)
        except PlatformError:
            self._own.pop(key, None)
            raise

    async def set_receipt(self, chat_id: str, message_id: str, emoji: str) -> None:
        """Set a reaction of ours, unless the agent has set one."""
        key = chat_id, message_id
        async with self._lock(key):
            if key not in self._own:
                await self._adapter.react(chat_id, message_id, emoji)

    def _lock(self, key: tuple[str, str]) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())
