"""Notices when another process commits to the store."""

from __future__ import annotations

from collections.abc import Callable

from agent_channels.core.scheduling import wait_for_tick
from agent_channels.core.store.database import Store

__all__ = ["LOOK_EVERY_S", "StoreWatcher"]

LOOK_EVERY_S = 0.5


class StoreWatcher:
    """Notices, without work when nothing happened, that another process wrote to the store."""

    def __init__(self, store: Store, rings: Callable[[], None]) -> None:
        self._store, self._rings = store, rings

    async def run(self) -> None:
        """Calls `rings` after every foreign commit, at most twice a second."""
        last = self._store.revision()
        while True:
            await wait_for_tick(LOOK_EVERY_S)
            now = self._store.revision()
            if now != last:
                last = now
                self._rings()
