"""Calls to the platform that follow from sorted events, a few at a time, beside everything else."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

import anyio

from agent_channels.core.errors import PlatformError
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Courtesy, FollowUp, Wakeup

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
        self._budget = _Budget(clock)

    def add(self, follow_up: FollowUp) -> None:
        """Queue a call, or leave it out if it is a courtesy to somebody who had enough of them lately."""
        if isinstance(follow_up, Courtesy) and not self._budget.take(follow_up):
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
            self._changed.set()


class _Budget:
    """How many courtesies each person, and all together, may still cause: a number that grows by one each second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all, self._at = float(ALL_MAX), clock()
        self._spent: dict[str, float] = {}

    def take(self, courtesy: Courtesy) -> bool:
        """Return True, and count it, if this person may cause one more."""
        user_id, cost = courtesy.user_id, 0 if courtesy.asked else 1
        now = self._clock()
        passed, self._at = now - self._at, now
        self._all = min(ALL_MAX, self._all + passed)
        self._spent = {user: left for user, spent in self._spent.items() if (left := spent - passed) > 0}
        if self._all < cost or self._spent.get(user_id, 0) > EACH_MAX - 1:
            return False
        self._all -= cost
        self._spent[user_id] = self._spent.get(user_id, 0) + 1
        return True
