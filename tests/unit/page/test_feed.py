"""The parts of a page: a listener gets all of them, and then what changes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agent_channels.page.feed import PageFeed


class Numbers(PageFeed):
    """A feed of whatever `now` holds."""

    def __init__(self) -> None:
        super().__init__()
        self.now: dict[str, Any] = {}

    def refresh(self) -> None:
        self.publish(self.now)


async def test_a_listener_gets_everything_and_then_each_change() -> None:
    """What did not change is not sent again, a part that is gone is null, and who stopped to listen is forgotten."""
    feed = Numbers()
    feed.now = {"a": 1, "b": [1, 2]}
    changes = feed.listen()
    async with asyncio.timeout(10):
        assert await anext(changes) == {"a": "1", "b": "[1, 2]"}
        feed.refresh()
        feed.now = {"a": 1, "b": [3]}
        feed.refresh()
        assert await anext(changes) == {"b": "[3]"}
        feed.now = {"a": 1}
        feed.refresh()
        assert await anext(changes) == {"b": "null"}
    assert feed.listening
    await changes.aclose()
    assert not feed.listening


async def test_a_second_listener_costs_the_first_nothing() -> None:
    """What changed when somebody else opens the page reaches everybody who has it open."""
    feed = Numbers()
    feed.now = {"a": 1}
    first, second = feed.listen(), feed.listen()
    async with asyncio.timeout(10):
        await anext(first)
        feed.now = {"a": 2}
        assert json.loads((await anext(second))["a"]) == 2
        assert await anext(first) == {"a": "2"}
    await first.aclose()
    await second.aclose()


async def test_the_source_knows_what_is_looked_at() -> None:
    """As long as somebody has a chat open, and for each who has."""
    feed = Numbers()
    first, second, third = feed.listen("a"), feed.listen("a"), feed.listen("b")
    for changes in (first, second, third):
        await anext(changes)
    assert feed.open_chats == {"a", "b"}
    await first.aclose()
    await third.aclose()
    assert feed.open_chats == {"a"}
    await second.aclose()
    assert feed.open_chats == set()
