"""A message has one reaction of the bot: the agent's wins over our own, however close they are."""

from __future__ import annotations

from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.errors import Unavailable
from agent_channels.core.outbound.reactions import Reactions


class Platform:
    """Sets reactions as slowly as it is let; the last one stays."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.shown = ""
        self.go_on = anyio.Event()
        self.fails = False

    async def react(self, _chat_id: str, _message_id: str, emoji: str) -> None:
        self.asked.append(emoji)
        if emoji == "👀":
            await self.go_on.wait()
        if self.fails:
            raise Unavailable("gone")
        self.shown = emoji


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def reactions(platform: Platform) -> Reactions:
    return Reactions(cast("Adapter", cast("Any", platform)))


async def test_no_receipt_comes_after_the_agents_reaction(platform: Platform, reactions: Reactions) -> None:
    """Nor after it was removed; another message gets its receipt."""
    platform.go_on.set()
    await reactions.set_own("1", "5", "🎉")
    await reactions.set_receipt("1", "5", "👀")
    assert platform.asked == ["🎉"]
    await reactions.set_own("1", "5", "")
    await reactions.set_receipt("1", "5", "👀")
    assert platform.asked == ["🎉", ""]
    await reactions.set_receipt("1", "6", "👀")
    assert platform.shown == "👀"


async def test_the_agents_reaction_waits_for_a_receipt_on_its_way(platform: Platform, reactions: Reactions) -> None:
    """Whichever request the platform would have answered last."""
    async with anyio.create_task_group() as group:
        group.start_soon(reactions.set_receipt, "1", "5", "👀")
        while not platform.asked:
            await anyio.lowlevel.checkpoint()
        group.start_soon(reactions.set_own, "1", "5", "🎉")
        await anyio.lowlevel.checkpoint()
        platform.go_on.set()
    assert platform.asked == ["👀", "🎉"]
    assert platform.shown == "🎉"


async def test_after_a_reaction_that_failed_a_receipt_may_come(platform: Platform, reactions: Reactions) -> None:
    """There is none of the agent's that it would take away."""
    platform.go_on.set()
    platform.fails = True
    with pytest.raises(Unavailable):
        await reactions.set_own("1", "5", "🎉")
    platform.fails = False
    await reactions.set_receipt("1", "5", "👀")
    assert platform.shown == "👀"
