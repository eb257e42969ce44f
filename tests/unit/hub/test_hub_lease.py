"""The lease on reading a bot: one owner, the database's clock, and nothing written by whoever lost it."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import pytest

from agent_channels.core.errors import LeaseLost
from agent_channels.core.hub.lease import Lease, lock_domain
from agent_channels.core.hub.project_hub import ProjectHub
from clock import Clock
from hubs import BOT, Hub

WHO = {"machine": "laptop", "pid": 1}


def lease(hub: ProjectHub, domain: str, clock: Clock | None = None, lease_s: float = 15.0) -> Lease:
    return Lease(hub.db, BOT, domain, lease_s, clock or Clock())


def expire(made_hub: Hub) -> None:
    """Lets the lease's time pass, by the database's clock."""
    made_hub.execute("UPDATE bots SET lease_until = lease_until - 1000")


async def test_of_many_that_take_it_at_once_one_has_it(made_hub: Hub) -> None:
    """Each through a connection of its own, on another machine."""
    got: list[str] = []

    async def take(machine: str) -> None:
        async with made_hub.open() as hub:
            if await lease(hub, machine).take(WHO):
                got.append(machine)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(take, f"machine{number}")
    assert len(got) == 1


async def test_a_lease_that_is_over_goes_to_the_next_with_a_new_epoch(made_hub: Hub) -> None:
    """Not before; and the epoch grows with each owner."""
    async with made_hub.open() as hub, made_hub.open() as other:
        first, second = lease(hub, "a"), lease(other, "b")
        assert await first.take(WHO)
        assert not await second.take(WHO)
        expire(made_hub)
        assert await second.take(WHO)
        holder = await second.holder()
        assert holder is not None
        assert (holder.owner, holder.epoch) == (second.owner, 2)
        assert 0 < holder.left_s <= 15


async def test_who_lost_it_writes_nothing(made_hub: Hub) -> None:
    """Every write asks for the lease in its own transaction; a renewal does too."""
    async with made_hub.open() as hub, made_hub.open() as other:
        first, second = lease(hub, "a"), lease(other, "b")
        await first.take(WHO)
        expire(made_hub)
        await second.take(WHO)

        async def write() -> None:
            async with hub.db.transaction() as tx:
                await tx.execute("INSERT INTO cursors (bot, name, value) VALUES (?, 'a', '1')", BOT)
                sql, values = first.fence
                first.require(await tx.rows(sql, *values))

        with pytest.raises(LeaseLost):
            await write()
        with pytest.raises(LeaseLost):
            await first.renew(WHO)
        assert not first.held
        assert second.held
        assert made_hub.execute("SELECT * FROM cursors") == []


async def test_an_owner_that_comes_back_is_a_new_one(made_hub: Hub) -> None:
    """What it had begun under its earlier epoch is refused too."""
    async with made_hub.open() as hub, made_hub.open() as other:
        first, second = lease(hub, "a"), lease(other, "b")
        await first.take(WHO)
        earlier = first._epoch
        expire(made_hub)
        await second.take(WHO)
        expire(made_hub)
        assert await first.take(WHO)
        assert first._epoch == earlier + 2


@pytest.mark.parametrize("ahead_s", [3600, -3600])
async def test_only_the_databases_clock_counts(made_hub: Hub, monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    """A machine whose clock is an hour off neither takes a lease early nor loses its own."""
    async with made_hub.open() as hub, made_hub.open() as other:
        first, second = lease(hub, "a"), lease(other, "b")
        await first.take(WHO)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + ahead_s)
        assert not await second.take(WHO)
        await first.renew(WHO)
        expire(made_hub)
        assert await second.take(WHO)


async def test_a_dead_process_of_this_machine_is_not_waited_for(made_hub: Hub) -> None:
    """Who holds the kernel's lock knows that the former owner in the same lock domain is gone."""
    async with made_hub.open() as hub:
        assert await lease(hub, "here").take(WHO)
        assert await lease(hub, "here").take(WHO)
        assert not await lease(hub, "her").take(WHO)
        assert not await lease(hub, "elsewhere").take(WHO)


async def test_the_owner_stops_before_its_lease_is_over(made_hub: Hub) -> None:
    """By its own steady clock, counted from before it asked: the next owner cannot be there yet."""
    clock = Clock(0.0)
    async with made_hub.open() as hub:
        mine = lease(hub, "a", clock, lease_s=10.0)
        await mine.take(WHO)
        clock.forward(7.9)
        assert mine.held
        clock.forward(0.2)
        assert not mine.held
        await mine.renew(WHO)
        assert mine.held


async def test_a_lease_that_is_released_is_free_at_once(made_hub: Hub) -> None:
    """And only its owner can release it."""
    async with made_hub.open() as hub, made_hub.open() as other:
        first, second = lease(hub, "a"), lease(other, "b")
        await first.take(WHO)
        await second.release()
        assert not await second.take(WHO)
        await first.release()
        assert await second.take(WHO)


def test_a_lock_domain_is_the_runtime_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for all that share the folder of the locks, another one for any other folder."""
    names = []
    for folder in ("one", "one", "two"):
        (tmp_path / folder).mkdir(mode=0o700, exist_ok=True)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / folder))
        names.append(lock_domain())
    assert names[0] == names[1] != names[2]
    assert all(names)
