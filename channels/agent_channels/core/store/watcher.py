"""Notices when another process commits to the store, or replaces a file beside it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import anyio

from agent_channels.core.scheduling import RARELY_S, Wakeup, seconds_to_tick
from agent_channels.core.store.database import Store

__all__ = ["StoreWatcher"]

# Where no other process can wake this one.
LOOK_EVERY_S = 0.5
# At most so often, however much others write.
PAUSE_S = 0.1
_PIPE_BYTES = 65_536


class StoreWatcher:
    """Call a function after another process changed something, which wakes this one."""

    def __init__(self, store: Store, on_change: Callable[[], None]) -> None:
        self._store, self._on_change = store, on_change
        self._woken = Wakeup()

    async def run(self) -> None:
        """Call `on_change` after each such change, at most ten times a second, until cancelled."""
        with self._store.watchers.joined() as pipe:
            last = self._store.revision()
            while True:
                woken = await self._wait(pipe)
                before, last = last, self._store.revision()
                if woken or last != before:
                    self._on_change()
                if woken:
                    await anyio.sleep(PAUSE_S)

    async def _wait(self, pipe: int | None) -> bool:
        """Return True once another process committed, False when it is time to look whether one did."""
        if pipe is None:
            await anyio.sleep(seconds_to_tick(LOOK_EVERY_S, time.monotonic()))
            return False
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe, self._woken.set)
        try:
            with anyio.move_on_after(seconds_to_tick(RARELY_S, time.monotonic())):
                await self._woken.wait()
            # All that was written until now is noticed by the look that follows. Read even if nothing told of it: macOS
            # may say nothing about a pipe that holds much, and would not later either.
            return bool(os.read(pipe, _PIPE_BYTES))
        except BlockingIOError:
            return False
        finally:
            # What others write during the pause wakes nobody before its end.
            loop.remove_reader(pipe)
