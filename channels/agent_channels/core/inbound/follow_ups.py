"""Calls to the platform that follow from sorted events, a few at a time, beside everything else."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

import anyio

from agent_channels.core.errors import PlatformError
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Budget, Courtesy, FollowUp, Wakeup

__all__ = ["FollowUps"]

logger = logging.getLogger(__name__)
AT_ONCE = 4
# With so many waiting, nothing more is sorted, and what is only a courtesy is left out.
WAITING_MAX = 256
# What one person, and everybody together, may cause at once; one more each second.
EACH_MAX = 20
ALL_MAX = 60


class FollowUps:
    """Run follow-ups. One that a crash swallows is repeated from the store (an outcome, a notice), or harmless.

    Courtesies come after everything else and never take the last place, so nobody can hold up a code or an answer.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting: deque[FollowUp] = deque()
        self._courtesies: deque[FollowUp] = deque()
        self._running = 0
        self._changed = Wakeup()
        self._budget = Budget(ALL_MAX, EACH_MAX, clock)

    def add(self, follow_up: FollowUp) -> None:
        """Queue a call, or leave it out if it is a courtesy to somebody who had enough of them lately."""
        if isinstance(follow_up, Courtesy) and not self._budget.take(follow_up.user_id, 0 if follow_up.asked else 1):
            return
        if isinstance(follow_up, Courtesy) and not follow_up.asked:
            self.add_courtesy(follow_up)
        else:
            self._waiting.append(follow_up)
            self._changed.set()

    def add_courtesy(self, follow_up: FollowUp) -> None:
        """Queue a call that is left out if too many wait."""
        if len(self._waiting) + len(self._courtesies) < WAITING_MAX:
            self._courtesies.append(follow_up)
            self._changed.set()

    async def wait_for_room(self) -> None:
        """Return once not too many calls wait."""
        while len(self._waiting) >= WAITING_MAX:  # noqa: ASYNC110 - rare; the calls need the time anyway
            await anyio.sleep(0.05)

    async def run(self) -> None:
        """Make the calls, until cancelled."""
        async with anyio.create_task_group() as group:
            while True:
                while (follow_up := self._next()) is not None:
                    self._running += 1
                    group.start_soon(self._call, follow_up)
                await self._changed.wait()

    def _next(self) -> FollowUp | None:
        if self._waiting and self._running < AT_ONCE:
            return self._waiting.popleft()
        return self._courtesies.popleft() if self._courtesies and self._running < AT_ONCE - 1 else None

    async def _call(self, follow_up: FollowUp) -> None:
        try:
            await follow_up()
        except PlatformError as error:
            # Nobody waits for the result.
            logger.info("a follow-up was refused: %s", redact(str(error)))
        finally:
            self._running -= 1
            if self._waiting or self._courtesies:
                self._changed.set()
