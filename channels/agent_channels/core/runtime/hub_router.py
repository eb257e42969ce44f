"""Whose an event is: of the project that sent the answered message, of the chat's, the person's, or the only one's."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message, RawEvent, Tap
from agent_channels.core.hub.events import UNDECIDED, RoutedEvent
from agent_channels.core.hub.members import Member
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.sent import SentMessage

__all__ = ["Router"]


class Router:
    """Decides whose the events of a bot are."""

    def __init__(self, adapter: Adapter, hub: ProjectHub) -> None:
        self._adapter, self._hub = adapter, hub

    async def route(self, events: Sequence[RawEvent]) -> list[RoutedEvent]:
        """Return whose each event is. Raises `StoreError`."""
        members = await self._hub.members.read()
        return [await self._route(event, members) for event in events]

    async def stored(self, routed: Sequence[RoutedEvent]) -> None:
        """Nobody is asked."""

    async def _route(self, event: RawEvent, members: Sequence[Member]) -> RoutedEvent:
        inbound = self._adapter.to_inbound(event)
        everybody = tuple(member.project for member in members)
        if not isinstance(inbound, Message | Tap):
            return RoutedEvent(event, everybody)
        chat, person = inbound.chat, inbound.sender
        fitting = [
            member
            for member in members
            if (person.id in member.people if chat.kind == "direct" else chat.id in member.groups)
        ]
        answered = inbound.message_id if isinstance(inbound, Tap) else inbound.reply and inbound.reply.message_id
        projects = [member.project for member in fitting] or list(everybody)
        if answered and (sent := await self._hub.sent.projects([SentMessage(chat.id, answered)])):
            projects = [one for one in projects if one in sent.values()] or projects
        chosen = projects[0] if len(projects) == 1 else UNDECIDED
        place = (chat.id, inbound.thread_id or "")
        return RoutedEvent(event, (chosen,), "/".join(place), *place, person.id)
