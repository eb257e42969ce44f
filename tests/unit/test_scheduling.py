"""A bell that is rung is heard once, whenever it was rung; whoever looks again and again wakes with the others."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.scheduling import Wakeup, seconds_to_tick


async def heard(bell: Wakeup) -> bool:
    """Whether somebody who waits now is woken."""
    woken = False

    async def wait() -> None:
        nonlocal woken
        await bell.wait()
        woken = True

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return woken


async def test_each_ring_wakes_one_wait() -> None:
    """The one that comes next; several in between are one."""
    bell = Wakeup()
    assert not await heard(bell)
    for rings in (1, 3):
        for _ in range(rings):
            bell.set()
        assert await heard(bell)
        assert not await heard(bell)


async def test_whoever_waits_again_and_again_hears_each() -> None:
    """Rung while somebody waits: at once, and once."""
    bell, woken = Wakeup(), []

    async def wait() -> None:
        for number in range(3):
            await bell.wait()
            woken.append(number)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        for number in range(3):
            await anyio.wait_all_tasks_blocked()
            assert len(woken) == number
            bell.set()
    assert woken == [0, 1, 2]


async def test_a_ring_outlives_a_waiter_that_was_cancelled() -> None:
    """The next one hears it."""
    bell = Wakeup()
    assert not await heard(bell)
    bell.set()
    assert await heard(bell)


async def test_rung_by_what_it_woke() -> None:
    """Between the waking and the next wait: it is not lost."""
    bell = Wakeup()
    bell.set()
    await bell.wait()
    bell.set()
    assert await heard(bell)
    assert not await heard(bell)


@given(st.floats(0, 1e7), st.floats(0, 1e3))
def test_everybody_ticks_together(now: float, later: float) -> None:
    """Whenever two begin to wait, they wake at the same moments, and every second one with who looks half as often."""
    for every_s in (0.5, 1.0):
        left = seconds_to_tick(every_s, now)
        assert 0 < left <= every_s
        apart = (later + seconds_to_tick(every_s, now + later) - left) / every_s
        assert apart == pytest.approx(round(apart), abs=1e-6)
    halves = (seconds_to_tick(1.0, now) - seconds_to_tick(0.5, now)) / 0.5
    assert halves == pytest.approx(round(halves), abs=1e-6)
