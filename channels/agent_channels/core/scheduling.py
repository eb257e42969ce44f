"""Small pieces of scheduling: a bell that wakes one waiter, a common tick, and a backoff that cannot collapse."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import anyio

__all__ = ["Backoff", "Broadcast", "Wakeup", "seconds_to_tick", "wait_for_tick"]

# Not the same moments in each server of a machine.
_PHASE_S = random.random()  # noqa: S311


class Wakeup:
    """Rung any number of times, heard once: `wait` returns if it was rung since the last return."""

    def __init__(self) -> None:
        self._rung = False
        self._event = anyio.Event()

    def set(self) -> None:
        """Wakes the waiter, now or when it comes."""
        self._rung = True
        self._event.set()

    async def wait(self) -> None:
        """Waits for the next ring."""
        if not self._rung and self._event.is_set():
            # Before the wait and not after it: whoever was woken is in a hurry.
            self._event = anyio.Event()
        await self._event.wait()
        self._rung = False


class Broadcast:
    """Heard by everybody who waits at that moment."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def notify_all(self) -> None:
        """Wakes everybody who waits."""
        self._event.set()
        self._event = anyio.Event()

    async def wait(self, at_most_s: float) -> None:
        """Returns at the next ring, or when the time is over."""
        with anyio.move_on_after(at_most_s):
            await self._event.wait()


async def wait_for_tick(every_s: float) -> None:
    """Sleeps until the next of the moments that are `every_s` apart, the same for everybody in this process.

    Waking costs more than a short look does: so whoever looks at something again and again wakes together.
    """
    await anyio.sleep(seconds_to_tick(every_s, time.monotonic()))


def seconds_to_tick(every_s: float, now: float) -> float:
    """How many seconds are left until that moment; never none, at most `every_s`."""
    return every_s - (now + _PHASE_S) % every_s


class Backoff:
    """Growing pauses with jitter.

    Nothing resets it to zero: it falls back to its first step only when the last failure lies `calm_s` behind, so a
    fault that alternates with successes never becomes a hot loop.
    """

    def __init__(
        self,
        first_s: float = 0.5,
        cap_s: float = 3.5,
        calm_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.first_s, self.cap_s, self.calm_s = first_s, cap_s, calm_s
        self._clock = clock
        self._step = 0
        self._failed_at = -calm_s

    def next(self) -> float:
        """The pause in seconds after one more failure."""
        now = self._clock()
        self._step = self._step + 1 if now - self._failed_at < self.calm_s else 0
        self._failed_at = now
        pause = min(self.cap_s, self.first_s * 2.0 ** min(self._step, 16))
        return pause * random.uniform(0.75, 1.25)  # noqa: S311
