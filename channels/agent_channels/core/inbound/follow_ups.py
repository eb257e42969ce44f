"""Calls to the platform that follow from sorted events, a few at a time, beside everything else."""

from __future__ import annotations

import logging
from collections import deque

import anyio

from agent_channels.core.errors import PlatformError
from agent_channels.core.log import redact
from agent_channels.core.scheduling import FollowUp, Wakeup

__all__ = ["FollowUps"]

logger = logging.getLogger(__name__)
AT_ONCE = 4
# With so many waiting, nothing more is sorted, and what is only a courtesy is left out.
WAITING_MAX = 256


class FollowUps:
    """Run follow-ups. One that a crash swallows is repeated from the store (an outcome, a notice), or harmless."""

    def __init__(self) -> None:
        self._waiting: deque[FollowUp] = deque()
        self._running = 0
        self._changed = Wakeup()

    def add(self, follow_up: FollowUp) -> None:
        """Queue a call."""
        self._waiting.append(follow_up)
        self._changed.set()

    def add_courtesy(self, follow_up: FollowUp) -> None:
        """Queue a call that is left out if too many wait."""
        if len(self._waiting) < WAITING_MAX:
            self.add(follow_up)

    async def wait_for_room(self) -> None:
        """Return once not too many calls wait."""
        while len(self._waiting) >= WAITING_MAX:  # noqa: ASYNC110 - rare; the calls need the time anyway
            await anyio.sleep(0.05)

    async def run(self) -> None:
        """Make the calls, until cancelled."""
        async with anyio.create_task_group() as group:
            while True:
                while self._waiting and self._running < AT_ONCE:
                    self._running += 1
                    group.start_soon(self._call, self._waiting.popleft())
                await self._changed.wait()

    async def _call(self, follow_up: FollowUp) -> None:
        try:
            await follow_up()
        except PlatformError as error:
            # Nobody waits for the result.
            logger.info("a follow-up was refused: %s", redact(str(error)))
        finally:
            self._running -= 1
            self._changed.set()
