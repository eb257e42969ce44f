"""Tells people, once, that what they said waits: for a project whose machine is away, or where no session is.

Approvers of a project that a keeper may start are offered a button that starts it.
"""

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
from agent_channels.core.i18n.messages import translate
from agent_channels.core.runtime.hub.voice import HubVoice
from agent_channels.core.runtime.hub.words import (
    away_text,
    name_of,
    start_failed_text,
    start_keyboard,
    start_offer_text,
)

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
            if member.is_unattended and (events := await self._hub.events.untold(member.project, TELL_AFTER_S)):
                await self._tell(member, events, startable=member.project in await self._hub.keepers.startable())

    async def end_starts(self) -> None:
        """Tell people of the starts that no keeper told them the outcome of. Raises `StoreError`."""
        for request in await self._hub.starts.expired():
            members = await self._hub.members.read()
            works = any(member.project == request.project and not member.is_unattended for member in members)
            name = name_of(members, request.project)
            text = translate("hub_started", project=name)
            if not works:
                text = start_failed_text(name, translate("hub_start_no_keeper"))
            self._send(Place(request.chat_id, request.thread_id or None), text)

    async def _tell(self, member: ProjectMember, events: Sequence[Waiting], *, startable: bool) -> None:
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
            if startable and _may_start([inbound[event.id] for event in found], member):
                self._send(place, start_offer_text(member, len(found)), member)
            else:
                self._send(place, text)
            for event in found:
                if isinstance(tap := inbound[event.id], Tap):
                    self._voice.tell(tap, text)

    def _send(self, place: Place, text: str, startable: ProjectMember | None = None) -> None:
        keyboard = start_keyboard(startable.project) if startable else None
        outgoing = Outgoing(place.chat_id, text, thread_id=place.thread_id, keyboard=keyboard)
        self._voice.follow_ups.add(partial(self._voice.adapter.send, outgoing))


def _is_heard(inbound: Inbound, member: ProjectMember) -> bool:
    """Return whether an event is something that its sender expects an answer to."""
    target = target_of(inbound)
    said = isinstance(inbound, Tap) or (isinstance(inbound, Message) and target.askable)
    return said and lets_in(member, target) and hears(member, target)


def _may_start(said: Sequence[Inbound], member: ProjectMember) -> bool:
    """Return whether somebody who reads the answer to these may have the project started: in a group, maybe others."""
    targets = [target_of(inbound) for inbound in said]
    return any(not target.private or target.user_id in member.approvers for target in targets)
