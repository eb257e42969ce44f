"""Notices when another process commits to the store."""

from __future__ import annotations

from collections.abc import Callable

from agent_channels.core.scheduling import wait_for_tick
from agent_channels.core.store.database import Store

__all__ = ["StoreWatcher"]

LOOK_EVERY_S = 0.5


class StoreWatcher:
    """Call a function after commits of other processes; without one, looking costs one cheap statement."""

    def __init__(self, store: Store, on_change: Callable[[], None]) -> None:
        self._store, self._on_change = store, on_change

    async def run(self) -> None:
        """Call `on_change` after foreign commits, at most twice a second, until cancelled."""
        last = self._store.revision()
        while True:
            await wait_for_tick(LOOK_EVERY_S)
            now = self._store.revision()
            if now != last:
                last = now
                self._on_change()
