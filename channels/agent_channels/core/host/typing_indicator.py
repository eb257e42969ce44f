"""`typing`, shown from the moment a message was handed to the agent until it is answered, up to a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Place
from agent_channels.core.errors import PlatformError, StoreError

__all__ = ["TypingIndicator"]

# What is answered within this time needs none, and its request would be in the answer's way.
DELAY_S = 0.2


@dataclass(slots=True, eq=False)
class _Running:
    """One indicator; `until` is a time of `time.monotonic`."""

    until: float


class TypingIndicator:
    """One running indicator per chat and thread, each for at most `cap_s` seconds; 0: none."""

    def __init__(
        self, adapter: Adapter, group: TaskGroup, cap_s: float, is_drawn: Callable[[Place], bool] | None = None
    ) -> None:
        """`is_drawn(place)`: something better shows there that the agent works, so that this one pauses."""
        self._adapter, self._group, self._cap_s, self._is_drawn = adapter, group, cap_s, is_drawn
        self._running: dict[tuple[str, str | None], _Running] = {}

    def start(self, chat_id: str, thread_id: str | None) -> None:
        """Show it, or show it for the whole time again."""
        if self._cap_s <= 0:
            return
        until = time.monotonic() + self._cap_s
        running = self._running.get((chat_id, thread_id))
        if running is not None:
            running.until = until
        else:
            running = self._running[chat_id, thread_id] = _Running(until)
            self._group.start_soon(self._show, chat_id, thread_id, running)

    def stop(self, chat_id: str) -> None:
        """Stop it in every thread of a chat: the agent answered there."""
        # Don't await the indicator task: the agent is blocked on this call, and the task ends on its own.
        for key in [key for key in self._running if key[0] == chat_id]:
            del self._running[key]

    async def _show(self, chat_id: str, thread_id: str | None, running: _Running) -> None:
        await anyio.sleep(DELAY_S)
        while self._running.get((chat_id, thread_id)) is running:
            left = running.until - time.monotonic()
            if left <= 0:
                break
            try:
                if self._is_drawn is None or not self._is_drawn(Place(chat_id, thread_id)):
                    await self._adapter.send_typing(chat_id, thread_id)
            except (PlatformError, StoreError):
                # It is only a hint to people: a chat that refuses it is not asked again for this message.
                break
            await anyio.sleep(min(self._adapter.limits.typing_every_s, left))
        if self._running.get((chat_id, thread_id)) is running:
            del self._running[chat_id, thread_id]
