"""`typing`, shown from the moment a message was handed to the agent until it is answered, with a cap."""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.errors import PlatformError

__all__ = ["TypingIndicator"]


@dataclass(slots=True, eq=False)
class _Shown:
    """One indicator; `until` on the event loop's clock."""

    until: float


class TypingIndicator:
    """One running indicator per chat and thread."""

    def __init__(self, adapter: Adapter, group: TaskGroup, cap_s: float) -> None:
        self._adapter, self._group, self._cap_s = adapter, group, cap_s
        self._shown: dict[tuple[str, str | None], _Shown] = {}

    def start(self, chat_id: str, thread_id: str | None) -> None:
        """Shows it, or shows it for the whole cap again."""
        if self._cap_s <= 0:
            return
        until = anyio.current_time() + self._cap_s
        running = self._shown.get((chat_id, thread_id))
        if running is not None:
            running.until = until
        else:
            shown = self._shown[chat_id, thread_id] = _Shown(until)
            self._group.start_soon(self._show, chat_id, thread_id, shown)

    def stop(self, chat_id: str) -> None:
        """The chat was answered: in none of its threads is anything being written any more."""
        # Its task finds out by itself: an agent waits for what is done here.
        for key in [key for key in self._shown if key[0] == chat_id]:
            del self._shown[key]

    async def _show(self, chat_id: str, thread_id: str | None, shown: _Shown) -> None:
        while self._shown.get((chat_id, thread_id)) is shown:
            left = shown.until - anyio.current_time()
            if left <= 0:
                break
            try:
                await self._adapter.send_typing(chat_id, thread_id)
            except PlatformError:
                # Only a hint to people: a chat that refuses it is not asked again for this message.
                break
            await anyio.sleep(min(self._adapter.limits.typing_every_s, left))
        if self._shown.get((chat_id, thread_id)) is shown:
            del self._shown[chat_id, thread_id]
