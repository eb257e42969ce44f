"""An adapter connected to a platform's sandbox, and a sink that can be told to refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contract_platforms import Platform

from channels.core.adapter import Adapter
from channels.core.channel import Channel
from channels.core.errors import StoreError
from channels.core.types import Inbound, Key, Outgoing, RawEvent

__all__ = ["FIRST", "Bench", "Collected"]

FIRST = ((Key("Yes", "data-1"), Key("No", "data-2")), (Key("Later", "data-3"),))


@dataclass
class Collected:
    """A sink that keeps what it is given, and refuses as often as told."""

    events: list[RawEvent] = field(default_factory=list)
    refuse: int = 0
    round_trips: int = 0
    notes: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, events: Sequence[RawEvent]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise StoreError("the disk is full")
        self.events += events
        self.news.set()

    def round_trip(self) -> None:
        self.round_trips += 1
        self.news.set()

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Bench:
    """One platform's sandbox, and an adapter connected to it that knows who it is."""

    platform: Platform
    channel: Channel
    adapter: Adapter

    async def send(self, **fields: Any) -> str:
        sent = await self.adapter.send(Outgoing(self.platform.chat_id, **fields))
        return sent.message_id

    async def read(self, count: int) -> list[RawEvent]:
        """The next raw events, journalled and confirmed."""
        sink = Collected()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(self.adapter.listen(sink))
            await self.platform.wait_for(lambda: len(sink.events) >= count and not self.platform.unread())
            task.cancel()
        return sink.events

    async def heard(self) -> Inbound:
        """What the next event means."""
        (event,) = await self.read(1)
        return self.adapter.to_inbound(event)
