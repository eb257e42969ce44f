"""`typing`, shown from the moment a message was handed to the agent until it is answered, with a cap."""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup

from channels.core.adapter import Adapter
from channels.core.errors import PlatformError

__all__ = ["Presence"]


class Presence:
    """One running indicator per chat and thread."""

    def __init__(self, adapter: Adapter, group: TaskGroup, cap_s: float) -> None:
        self._adapter, self._group, self._cap_s = adapter, group, cap_s
        self._scopes: dict[tuple[str, str | None], anyio.CancelScope] = {}

    def start(self, chat_id: str, thread_id: str | None) -> None:
        """Shows it, or shows it for the whole cap again."""
        if self._cap_s <= 0:
            return
        running = self._scopes.get((chat_id, thread_id))
        if running is not None:
            running.deadline = anyio.current_time() + self._cap_s
        else:
            scope = anyio.CancelScope(deadline=anyio.current_time() + self._cap_s)
            self._scopes[chat_id, thread_id] = scope
            self._group.start_soon(self._show, chat_id, thread_id, scope)

    def stop(self, chat_id: str) -> None:
        """The chat was answered: in none of its threads is anything being written any more."""
        for key in [key for key in self._scopes if key[0] == chat_id]:
            self._scopes.pop(key).cancel()

    async def _show(self, chat_id: str, thread_id: str | None, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                try:
                    await self._adapter.typing(chat_id, thread_id)
                except PlatformError:
                    # Only a hint to people: a chat that refuses it is not asked again for this message.
                    break
                await anyio.sleep(self._adapter.limits.typing_every_s)
        if self._scopes.get((chat_id, thread_id)) is scope:
            del self._scopes[chat_id, thread_id]
