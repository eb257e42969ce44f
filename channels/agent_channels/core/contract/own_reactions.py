"""The bot's one reaction to each message, on platforms that would let it have several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from agent_channels.core.contract.recent import Recent

__all__ = ["OwnReactions"]

_MOST = 2000


class OwnReactions:
    """The reactions by message, as far as they are known; None for a message that has none of ours."""

    def __init__(self) -> None:
        self._known: Recent[str, str | None] = Recent(_MOST)
        self._changing = asyncio.Lock()

    def arrived(self, message: str) -> None:
        """Record that a message came, which has no reaction of ours unless it is read a second time."""
        if message not in self._known:
            self._known[message] = None

    @asynccontextmanager
    async def changed(
        self, message: str, reaction: str | None, ask: Callable[[], Awaitable[str | None]]
    ) -> AsyncIterator[str | None]:
        """Yield the reaction that the block replaces by `reaction`; remember that one unless the block fails.

        `ask` returns the present one from the platform.
        """
        # One after the other: a receipt of ours may still be on its way when the agent reacts.
        async with self._changing:
            if message not in self._known:
                self._known[message] = await ask()
            yield self._known[message]
            self._known[message] = reaction
