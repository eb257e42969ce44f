"""A project's side of the hub: claims its events, journals them here, and then marks them as done there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from agent_channels.core.contract.adapter import EventSink
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.hub.project_hub import ProjectHub

__all__ = ["SILENCE_S", "HubWorker"]

# How many events are journalled in one transaction.
BATCH_MAX = 200
# The hub answers every few seconds, or says that it does not.
SILENCE_S = 60.0
# What has been in the hub for longer was said while this project was away.
LATE_AFTER_S = 60.0


class HubWorker:
    """Where a project's events come from when its bot is shared; used while the project's lock is held."""

    def __init__(self, hub: ProjectHub, domain: str, claimer: str) -> None:
        """`domain`: see `lock_domain`. `claimer`: this process, in that domain."""
        self._hub, self._domain, self._claimer = hub, domain, claimer

    async def listen(self, sink: EventSink) -> None:
        """Hand the project's events to the sink until something fails. Raises `StoreError`."""
        hub, expected = self._hub, False
        with hub.events.claiming(self._claimer):
            while True:
                events = hub.wakeups.handed_over() or await self._claimed(hub.project, expected=expected)
                expected = False
                if events:
                    await sink.put(events)
                    # On disk here by now. What dies in between is claimed again, and journalled once.
                    expected = await hub.events.done(hub.project, events)
                    # Somebody may have paired, or a group may have another id.
                    hub.facts_changed.set()
                sink.mark_alive()
                if not expected:
                    expected = await hub.wakeups.wait()

    async def take_all(self, projects: Sequence[str], journal: Callable[[Sequence[RawEvent]], Awaitable[None]]) -> None:
        """Journal what waits for these projects, and mark it as done, as `listen` does. Raises `StoreError`."""
        for project in projects:
            while events := await self._claimed(project, expected=False):
                await journal(events)
                await self._hub.events.done(project, events)

    async def _claimed(self, project: str, *, expected: bool) -> list[RawEvent]:
        hub = self._hub
        claimed = await hub.events.claim(project, self._claimer, self._domain, BATCH_MAX, expected=expected)
        return [replace(one.event, late=one.waited_s > LATE_AFTER_S) for one in claimed]
