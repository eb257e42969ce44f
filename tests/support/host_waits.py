"""What tests with a real host wait for: the store's word, or the host's end."""

from __future__ import annotations

import asyncio
import statistics
import time
from asyncio.subprocess import Process

from agent_channels.core.host.sessions import Sessions
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from faults_harness import inbox_states
from harness import Stage
from wire_host import eventually

__all__ = ["answered", "ended", "idle", "median", "stop_waits"]


async def answered(stage: Stage, count: int) -> None:
    """Waits until so many messages, and no more, are answered and none is open."""
    await eventually(lambda: inbox_states(stage.state) == {"answered": count}, f"{count} answered messages")


async def stop_waits(stage: Stage, timeout: float = 30) -> None:
    """Waits until a Stop hook of the session waits for the next message."""

    def waits() -> bool:
        with Store.open(stage.state) as store:
            reader = store.value("SELECT value FROM health WHERE key = 'session'")
            known = Sessions(store).get(reader or "")
            return known is not None and known.waiting_until > time.time()

    await eventually(waits, "a Stop hook that waits", timeout)


async def idle(stage: Stage) -> None:
    """Waits until no turn runs, by the project's own word."""

    def works() -> bool:
        with Store.open(stage.state) as store:
            return bool(Services.of(store).turns.running())

    await eventually(lambda: not works(), "the end of the turn", 60)


def median(took: list[float]) -> str:
    """How long something took, in words."""
    return f"median {statistics.median(took) * 1000:.0f} ms of {len(took)}, {min(took) * 1000:.0f} at best"


async def ended(process: Process, timeout: float = 25) -> tuple[str, str]:
    """What a session without a screen printed, once it is over."""
    async with asyncio.timeout(timeout):
        out, err = await process.communicate()
    return out.decode(), err.decode()
