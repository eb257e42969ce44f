"""Backoff, wake-ups and common ticks: pauses grow, no wake-up is lost, and tasks that poll wake together."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.scheduling import Backoff, Wakeup, seconds_to_tick
from clock import Clock


async def wakes(wakeup: Wakeup) -> bool:
    """Whether a task that waits now is woken."""
    woken = False

    async def wait() -> None:
        nonlocal woken
        await wakeup.wait()
        woken = True

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return woken


async def test_each_set_wakes_one_wait() -> None:
    """It wakes the next wait; several sets before it count as one."""
    wakeup = Wakeup()
    assert not await wakes(wakeup)
    for times in (1, 3):
        for _ in range(times):
            wakeup.set()
        assert await wakes(wakeup)
        assert not await wakes(wakeup)


async def test_a_task_that_waits_in_a_loop_wakes_for_each_set() -> None:
    """Set while a task waits, it wakes that task at once, and once."""
    wakeup, woken = Wakeup(), []

    async def wait() -> None:
        for number in range(3):
            await wakeup.wait()
            woken.append(number)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        for number in range(3):
            await anyio.wait_all_tasks_blocked()
            assert len(woken) == number
            wakeup.set()
    assert woken == [0, 1, 2]


async def test_a_cancelled_wait_takes_no_set() -> None:
    """The next wait is woken."""
    wakeup = Wakeup()
    assert not await wakes(wakeup)
    wakeup.set()
    assert await wakes(wakeup)


async def test_a_set_between_two_waits_is_not_lost() -> None:
    """The task that was woken may set it again itself."""
    wakeup = Wakeup()
    wakeup.set()
    await wakeup.wait()
    wakeup.set()
    assert await wakes(wakeup)
    assert not await wakes(wakeup)


@given(st.floats(0, 1e7), st.floats(0, 1e3))
def test_all_polling_tasks_tick_together(now: float, later: float) -> None:
    """Tasks wake at the same moments whenever they began to wait; at half the rate, at every second of them."""
    for every_s in (0.5, 1.0):
        left = seconds_to_tick(every_s, now)
        assert 0 < left <= every_s
        apart = (later + seconds_to_tick(every_s, now + later) - left) / every_s
        assert apart == pytest.approx(round(apart), abs=1e-6)
    halves = (seconds_to_tick(1.0, now) - seconds_to_tick(0.5, now)) / 0.5
    assert halves == pytest.approx(round(halves), abs=1e-6)


def test_pauses_grow_up_to_the_cap_with_jitter(clock: Clock) -> None:
    """Each failure doubles the pause up to the cap, give or take a quarter."""
    backoff = Backoff(first_s=0.5, cap_s=4, calm_s=60, clock=clock)
    pauses = []
    for _ in range(50):
        pauses.append(backoff.next())
        clock.forward(pauses[-1])
    for pause, nominal in zip(pauses, [0.5, 1, 2, 4] + [4] * 46, strict=True):
        assert 0.75 * nominal <= pause <= 1.25 * nominal
    assert len(set(pauses)) > 10


def test_only_a_calm_time_resets_the_pause(clock: Clock) -> None:
    """A success in between does not count; only a time without failures does."""
    backoff = Backoff(first_s=1, cap_s=8, calm_s=60, clock=clock)
    assert backoff.next() <= 1.25
    for _ in range(5):
        clock.forward(59)
        last = backoff.next()
    assert last >= 6
    clock.forward(60)
    assert backoff.next() <= 1.25


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_no_sequence_of_failures_makes_a_hot_loop(gaps: list[float]) -> None:
    """However failures are spaced, no pause is shorter than three quarters of the first one."""
    clock = Clock(0)
    backoff = Backoff(clock=clock)
    for gap in gaps:
        assert 0.375 <= backoff.next() <= 4.375
        clock.forward(gap)


async def test_a_wakeup_set_early_or_often_wakes_once() -> None:
    """Set before the wait, it is not missed; set several times, it wakes one wait."""
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    with anyio.fail_after(5):
        await wakeup.wait()
        async with anyio.create_task_group() as group:
            group.start_soon(wakeup.wait)
            await anyio.wait_all_tasks_blocked()
            wakeup.set()
    with anyio.move_on_after(0) as scope:
        await wakeup.wait()
    assert scope.cancelled_caught
