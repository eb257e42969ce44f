"""Tells people, once, that what they said waits: for a project whose machine is away, or where no session is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from agent_channels.core.contract.messages import Inbound, Message, Place, Tap
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.hub.events import NOTHING_TO_TELL, TOLD, Waiting
from agent_channels.core.hub.members import ProjectMember
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.routes import hears, lets_in, target_of
from agent_channels.core.runtime.hub.voice import HubVoice
from agent_channels.core.runtime.hub.words import away_text

__all__ = ["AwayNotices"]

# A session that is started again takes a moment.
TELL_AFTER_S = 5.0


class AwayNotices:
    """The notices of one bot's projects."""

    def __init__(self, hub: ProjectHub, voice: HubVoice) -> None:
        self._hub, self._voice = hub, voice

    async def look(self, waiting: Sequence[str]) -> None:
        """Tell those whose messages wait; `waiting` are the projects for which any do. Raises `StoreError`."""
        members = [member for member in await self._hub.members.read() if member.project in waiting]
        for member in members:
            if member.state in {"away", "none"}:
                await self._tell(member, await self._hub.events.untold(member.project, TELL_AFTER_S))

    async def _tell(self, member: ProjectMember, events: Sequence[Waiting]) -> None:
        inbound = {event.id: self._voice.adapter.to_inbound(event.event) for event in events}
        places: dict[Place, list[Waiting]] = defaultdict(list)
        nothing: list[int] = []
        for event in events:
            if _is_heard(inbound[event.id], member):
                places[Place(event.chat_id, event.thread_id or None)].append(event)
            else:
                nothing.append(event.id)
        # First: told twice is worse than told by nobody but /projects.
        await self._hub.events.tell([event.id for found in places.values() for event in found], TOLD)
        await self._hub.events.tell(nothing, NOTHING_TO_TELL)
        for place, found in places.items():
            text = away_text(member, len(found))
            self._voice.follow_ups.add(
                partial(self._voice.adapter.send, Outgoing(place.chat_id, text, thread_id=place.thread_id))
            )
            for event in found:
                if isinstance(tap := inbound[event.id], Tap):
                    self._voice.tell(tap, text)


def _is_heard(inbound: Inbound, member: ProjectMember) -> bool:
    """Return whether an event is something that its sender expects an answer to."""
    target = target_of(inbound)
    said = isinstance(inbound, Tap) or (isinstance(inbound, Message) and target.askable)
    return said and lets_in(member, target) and hears(member, target)
