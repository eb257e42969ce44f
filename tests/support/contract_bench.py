"""An adapter connected to a platform's sandbox, and a sink that refuses on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.messages import Inbound, RawEvent
from agent_channels.core.contract.outgoing import KeyboardButton, Outgoing
from agent_channels.core.errors import StoreError
from contract_platforms import Platform

__all__ = ["FIRST", "Bench", "Collected"]

FIRST = ((KeyboardButton("Yes", "data-1"), KeyboardButton("No", "data-2")), (KeyboardButton("Later", "data-3"),))


@dataclass
class Collected:
    """A sink that keeps its events, and refuses the first `refuse` times."""

    events: list[RawEvent] = field(default_factory=list)
    refuse: int = 0
    round_trips: int = 0
    notes: list[str] = field(default_factory=list)
    notes_of: dict[str, str] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    stored: Callable[[], None] = lambda: None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, events: Sequence[RawEvent], cursors: Mapping[str, str | None] | None = None) -> None:
        if self.refuse:
            self.refuse -= 1
            raise StoreError("the disk is full")
        known = {event.event_id for event in self.events}
        self.events += [event for event in events if event.event_id not in known]
        for name, value in (cursors or {}).items():
            if value is None:
                self.notes_of.pop(name, None)
            else:
                self.notes_of[name] = value
        self.news.set()
        self.stored()

    def cursors(self) -> Mapping[str, str]:
        return dict(self.notes_of)

    def enabled_since(self) -> Mapping[str, float]:
        return dict(self.heard)

    def mark_alive(self) -> None:
        self.round_trips += 1
        self.news.set()

    def add_note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Bench:
    """One platform's sandbox, and an adapter connected to it that knows who it is."""

    platform: Platform
    channel: Channel
    adapter: Adapter
    known: set[str] = field(default_factory=set)

    async def send(self, **fields: Any) -> str:
        sent = await self.adapter.send(Outgoing(self.platform.chat_id, **fields))
        return sent.message_id

    async def read(self, count: int) -> list[RawEvent]:
        """The next raw events, journalled and confirmed."""
        sink = self.sink()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(self.adapter.listen(sink))
            await self.platform.wait_for(lambda: len(sink.events) >= count and not self.platform.unread())
            task.cancel()
        fresh = [event for event in sink.events if event.event_id not in self.known]
        self.known |= {event.event_id for event in fresh}
        return fresh

    def sink(self, refuse: int = 0) -> Collected:
        """A sink that goes on from where the last one was."""
        return Collected(
            refuse=refuse, notes_of=self.platform.marks, heard=self.platform.heard, stored=self.platform.poke
        )

    async def heard(self) -> Inbound:
        """What the next event means."""
        (event,) = await self.read(1)
        return self.adapter.to_inbound(event)
