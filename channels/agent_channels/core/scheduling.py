"""How tasks wait: auto-reset events that wake one another, one common tick, and a backoff that cannot collapse."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import field

import anyio

from agent_channels.core.frozen import frozen

__all__ = [
    "RARELY_S",
    "Backoff",
    "Broadcast",
    "Budget",
    "Courtesy",
    "FollowUp",
    "Wakeup",
    "Wakeups",
    "seconds_to_tick",
    "wait_for_tick",
]

# How long something may go unnoticed of which nobody tells: what was changed by hand, or by a process that was killed.
RARELY_S = 3.0
FollowUp = Callable[[], Awaitable[object]]
"""A call to the platform that follows from something decided in a transaction, made after the commit."""


@frozen
class Courtesy:
    """A follow-up that is left out if one person, `user_id`, causes too many of them.

    Unless they asked for it (`asked`), it is also left out if all together cause too many, and comes after the others.
    """

    call: FollowUp
    user_id: str
    asked: bool = False

    def __call__(self) -> Awaitable[object]:
        """Make the call."""
        return self.call()


class Budget:
    """How many calls each person, and all together, may still cause: numbers that grow by one each second."""

    def __init__(self, all_max: int, each_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._all_max, self._each_max, self._clock = all_max, each_max, clock
        self._all, self._at = float(all_max), clock()
        self._spent: dict[str, float] = {}

    def take(self, user_id: str, cost: int = 1) -> bool:
        """Return True, and count it, if this person may cause one more; `cost` is what all together lose by it."""
        now = self._clock()
        passed, self._at = now - self._at, now
        self._all = min(self._all_max, self._all + passed)
        self._spent = {user: left for user, spent in self._spent.items() if (left := spent - passed) > 0}
        if self._all < cost or self._spent.get(user_id, 0) > self._each_max - 1:
            return False
        self._all -= cost
        self._spent[user_id] = self._spent.get(user_id, 0) + 1
        return True


# Servers on one machine should not all wake at the same moment.
_PHASE_S = random.random()  # noqa: S311


class Wakeup:
    """Auto-reset event: any number of sets wakes one waiter once, now or when it comes."""

    def __init__(self) -> None:
        self._is_set = False
        # Made by who waits: most sets meet nobody, and there are several a message.
        self._waiting: asyncio.Event | None = None

    def set(self) -> None:
        """Wake the waiter, now or at its next `wait`."""
        self._is_set = True
        if self._waiting is not None:
            self._waiting.set()
            self._waiting = None

    async def wait(self) -> None:
        """Return once it was set since the last return."""
        if self._is_set:
            await asyncio.sleep(0)
        else:
            if self._waiting is None:
                self._waiting = asyncio.Event()
            await self._waiting.wait()
        self._is_set = False


class Broadcast:
    """Wake everybody who waits at that moment."""

    def __init__(self) -> None:
        self._waiting: asyncio.Event | None = None

    def notify_all(self) -> None:
        """Wake everybody who waits."""
        if self._waiting is not None:
            self._waiting.set()
            self._waiting = None

    async def wait(self, timeout_s: float) -> None:
        """Return at the next notification, or after so many seconds."""
        if self._waiting is None:
            self._waiting = asyncio.Event()
        with anyio.move_on_after(timeout_s):
            await self._waiting.wait()


@frozen
class Wakeups:
    """What the tasks of one bot wake each other for. Each event has one task that waits for it."""

    unsorted: Wakeup = field(default_factory=Wakeup)
    """Events are journalled that nobody has sorted, or a message now waits for more of its group."""
    download_due: Wakeup = field(default_factory=Wakeup)
    """An entry has files to download before it is offered."""
    ready: Wakeup = field(default_factory=Wakeup)
    """An entry may be ready to be offered, or there is room to offer one."""
    outcome_due: Wakeup = field(default_factory=Wakeup)
    """The outcome of a panel, or a notice, has to be shown."""
    card_due: Wakeup = field(default_factory=Wakeup)
    """An approval card has to be sent."""
    relayed: Wakeup = field(default_factory=Wakeup)
    """The host relayed a permission prompt, and waits for the verdict."""
    turn_changed: Wakeup = field(default_factory=Wakeup)
    """A turn began, came further, or ended: what people are shown of it is out of date."""
    stop_asked: Wakeup = field(default_factory=Wakeup)
    """A turn may have been asked to stop."""
    answer_due: Wakeup = field(default_factory=Wakeup)
    """What the agent said at the end of a turn has to be sent, or offered."""
    settings_due: Wakeup = field(default_factory=Wakeup)
    """A file with settings may have been replaced."""
    changed: Broadcast = field(default_factory=Broadcast)
    """Something changed for tool calls that wait: a prompt was answered, a message offered, the reader changed."""

    def answer_given(self) -> None:
        """A prompt or panel was answered or closed: show it, and wake those who wait for it."""
        self.outcome_due.set()
        self.changed.notify_all()

    def store_changed(self) -> None:
        """Another process changed something: look at everything that it may have been."""
        for wakeup in (
            self.unsorted, self.download_due, self.ready, self.outcome_due, self.card_due, self.turn_changed,
            self.stop_asked, self.answer_due, self.settings_due,
        ):  # fmt: skip
            wakeup.set()
        self.changed.notify_all()


async def wait_for_tick(every_s: float) -> None:
    """Sleep until the next of the moments that are `every_s` apart, the same for every task of this process.

    Waking up costs more than a short look does, so periodic tasks wake together.
    """
    await anyio.sleep(seconds_to_tick(every_s, time.monotonic()))


def seconds_to_tick(every_s: float, now: float) -> float:
    """Return how many seconds are left until that moment: more than 0, at most `every_s`."""
    return every_s - (now + _PHASE_S) % every_s


class Backoff:
    """Growing pauses with jitter.

    Nothing resets it to zero: it falls back to its first step only when the last failure is `calm_s` ago, so a fault
    that alternates with successes never becomes a hot loop.
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
        """Return the pause in seconds after one more failure."""
        now = self._clock()
        self._step = self._step + 1 if now - self._failed_at < self.calm_s else 0
        self._failed_at = now
        pause = min(self.cap_s, self.first_s * 2.0 ** min(self._step, 16))
        return pause * random.uniform(0.75, 1.25)  # noqa: S311
