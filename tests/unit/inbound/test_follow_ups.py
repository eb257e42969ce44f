"""Calls that follow: bounded for each person, and never in the way of a code or an answer."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from agent_channels.core.errors import Forbidden
from agent_channels.core.inbound.follow_ups import ALL_MAX, AT_ONCE, EACH_MAX, WAITING_MAX, FollowUps
from agent_channels.core.scheduling import Courtesy
from clock import Clock


class Calls:
    """What was called, in order; each call waits until it is let through."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.open = anyio.Event()

    def call(self, name: str) -> Courtesy:
        async def follow_up() -> None:
            self.made.append(name)
            await self.open.wait()

        return Courtesy(follow_up, name.partition(" ")[0])


async def made(calls: Calls, follow_ups: FollowUps, *, at_least: int) -> list[str]:
    """Run them all, and return what was called once that many were."""
    calls.open.set()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(follow_ups.run)
            while len(calls.made) < at_least:
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    return calls.made


async def test_ten_thousand_of_one_person_cost_a_bounded_number(clock: Clock) -> None:
    """So many at once, one more each second, and nothing less for anybody else."""
    follow_ups, calls = FollowUps(clock), Calls()
    for number in range(10_000):
        follow_ups.add(calls.call(f"eve {number}"))
    follow_ups.add(calls.call("bob"))
    clock.forward(2)
    for number in range(10_000):
        follow_ups.add(calls.call(f"eve again {number}"))
    found = await made(calls, follow_ups, at_least=EACH_MAX + 3)
    assert [name for name in found if not name.startswith("eve")] == ["bob"]
    assert len(found) == EACH_MAX + 3


async def test_three_thousand_people_cost_a_bounded_number(clock: Clock) -> None:
    """Each of them once: what everybody together may cause, and no more."""
    follow_ups, calls = FollowUps(clock), Calls()
    for number in range(3000):
        follow_ups.add(calls.call(f"{number} taps"))
    assert len(await made(calls, follow_ups, at_least=ALL_MAX)) == ALL_MAX


async def test_what_has_to_be_said_comes_first_and_has_a_place(clock: Clock) -> None:
    """However many courtesies wait or hang, a code is sent at once; and what is asked for waits with the codes."""
    follow_ups, calls = FollowUps(clock), Calls()
    for number in range(EACH_MAX):
        follow_ups.add(calls.call(f"eve {number}"))
    async with anyio.create_task_group() as group:
        group.start_soon(follow_ups.run)
        while len(calls.made) < AT_ONCE - 1:
            await anyio.lowlevel.checkpoint()
        follow_ups.add(calls.call("a code").call)
        follow_ups.add(Courtesy(calls.call("a status").call, "ann", asked=True))
        while "a code" not in calls.made:
            await anyio.lowlevel.checkpoint()
        assert len(calls.made) == AT_ONCE
        calls.open.set()
        while "a status" not in calls.made:
            await anyio.lowlevel.checkpoint()
        assert calls.made.index("a status") == AT_ONCE
        group.cancel_scope.cancel()


async def test_a_queue_that_is_full_takes_no_more_courtesies() -> None:
    """Memory is bounded even if the platform does not answer at all."""
    follow_ups, calls = FollowUps(), Calls()
    for number in range(2 * WAITING_MAX):
        follow_ups.add_courtesy(calls.call(f"{number}"))
    assert len(await made(calls, follow_ups, at_least=WAITING_MAX)) == WAITING_MAX


async def test_a_refusal_stops_nothing() -> None:
    """The next call is made all the same."""
    follow_ups, calls = FollowUps(), Calls()
    follow_ups.add(Courtesy(_refuse, "eve"))
    follow_ups.add(calls.call("bob"))
    assert await made(calls, follow_ups, at_least=1) == ["bob"]


async def _refuse() -> None:
    raise Forbidden("blocked")
