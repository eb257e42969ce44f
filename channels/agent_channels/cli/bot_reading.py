"""A verb that reads the bot of this project itself for a while, as a server does, for no agent."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from agent_channels.core.contract.channel import Channel
from agent_channels.core.runtime.runtime import ChannelRuntime, open_runtime
from agent_channels.core.scheduling import wait_for_tick
from agent_channels.core.settings.config import Environment

__all__ = ["LOOK_EVERY_S", "open_for_nobody", "until"]

# Somebody waits at the terminal, and looking costs one statement.
LOOK_EVERY_S = 0.2


@asynccontextmanager
async def open_for_nobody(row: Channel, client: str) -> AsyncIterator[ChannelRuntime]:
    """Open the bot of the project at hand; whatever session this terminal belongs to, its agent is offered nothing."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_CODE_")}
    environ |= {"CHANNELS_CLAIM": "always", "CHANNELS_MODE": "pull"}
    async with open_runtime(row, Environment(row.name, environ), _push_nothing, lambda: client) as runtime:
        yield runtime


async def until(found: Callable[[], Any]) -> Any:
    """Return the first answer that is not None or false."""
    while not (answer := found()):
        await wait_for_tick(LOOK_EVERY_S)
    return answer


async def _push_nothing(*_: Any) -> None:
    """Nothing is pushed: there is no host."""
