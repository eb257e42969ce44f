"""Which project each event of a shared bot is for, and what that depends on from the events before it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import ChatMigrated, Inbound, Message, RawEvent
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.database import Statement
from agent_channels.core.hub.events import UNDECIDED, OpenCommand, RoutedEvent
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.routes import HUB, WAIT, Decision, RouteTarget, RoutingFacts, choose, target_of
from agent_channels.core.runtime.hub.chat import HubChat
from agent_channels.core.runtime.hub.message_parts import MessageParts
from agent_channels.core.runtime.hub.questions import chosen_in, is_answered

__all__ = ["Guess", "Router"]

logger = logging.getLogger(__name__)
# How many events are looked through for the beginning of what is read next: those of all places of the bot.
LAST_EVENTS = 200


@frozen
class Guess:
    """Whose an event is by what was known last, and the condition under which that is still right."""

    routed: RoutedEvent
    condition: Statement
    message: Message
    decision: Decision


class Router:
    """Decides whose the events of a bot are; what the hub has to do itself is the chat's."""

    def __init__(self, adapter: Adapter, hub: ProjectHub, chat: HubChat) -> None:
        self._adapter, self._hub, self._chat = adapter, hub, chat
        self._parts = MessageParts(adapter.limits)

    async def run(self) -> None:
        """Answer what is for the hub itself, and ask whose messages are, until cancelled."""
        await self._chat.run()

    async def load(self) -> None:
        """Learn what was read last, by whichever process: what comes next may be a part of it. Raises `StoreError`."""
        self._parts = MessageParts(self._adapter.limits)
        for event, decision in await self._hub.events.last(LAST_EVENTS):
            if isinstance(inbound := self._adapter.to_inbound(event), Message):
                self._parts.remember(inbound, decision)

    def deciding(self) -> AbstractAsyncContextManager[None]:
        """Return the block in which whose events are is decided and stored: nothing else decides meanwhile."""
        return self._chat.questions.deciding

    async def route(self, events: Sequence[RawEvent]) -> list[RoutedEvent]:
        """Return whose each event is, in order, after what was said before is decided.

        Raises `StoreError`; nothing is acknowledged then.
        """
        inbound = [self._adapter.to_inbound(event) for event in events]
        targets = [target_of(one) for one in inbound]
        parts = [self._parts.undecided(one) for one in inbound if isinstance(one, Message)]
        facts, commands = await self._chat.questions.settle_decidable([*targets, *filter(None, parts)])
        found: list[RoutedEvent] = []
        for event, one, target in zip(events, inbound, targets, strict=True):
            found.append(await self._route(event, one, target, facts, commands))
            if HUB in found[-1].projects:
                commands.append(OpenCommand(0, target.chat_id, target.user_id))
        return found

    def guess(self, event: RawEvent) -> Guess | None:
        """Return whose an event is by what was known last; None if that has to be looked up. See `confirm`."""
        inbound = self._adapter.to_inbound(event)
        target = target_of(inbound)
        if not isinstance(inbound, Message) or not target.askable:
            return None
        if (known := self._hub.routes.known(target)) is None:
            return None
        facts, (still, values) = known
        decision = self._parts.decide(inbound, target, facts)
        if decision.to != "project":
            return None
        # What waits for a decision may be for the same project by now, and goes first.
        first, firsts = self._hub.events.nothing_pending(target)
        condition = (f"{still} AND {first}", (*values, *firsts))
        return Guess(self._routed(event, inbound, target, decision, decision.projects), condition, inbound, decision)

    def confirm(self, guess: Guess) -> None:
        """A guess was right, and its event is stored."""
        self._parts.remember(guess.message, guess.decision)

    async def stored(self, routed: Sequence[RoutedEvent]) -> None:
        """What was decided is committed."""
        if any(project in {UNDECIDED, HUB} for one in routed for project in one.projects):
            self._chat.wake()

    async def _route(
        self,
        event: RawEvent,
        inbound: Inbound,
        target: RouteTarget,
        facts: RoutingFacts,
        commands: Sequence[OpenCommand],
    ) -> RoutedEvent:
        decision, part_of = choose(target, facts), None
        if isinstance(inbound, Message):
            decision, part_of = self._parts.decide(inbound, target, facts), self._parts.project(inbound, facts)
        projects = await self._projects(inbound, target, decision)
        routed = target.kind in {"message", "tap"} and part_of is None and HUB not in projects
        if routed and any(command.concerns(target) for command in commands):
            decision, projects = WAIT, (UNDECIDED,)
        if isinstance(inbound, Message):
            self._parts.remember(inbound, decision)
        return self._routed(event, inbound, target, decision, projects)

    def _routed(
        self, event: RawEvent, inbound: Inbound, target: RouteTarget, decision: Decision, projects: tuple[str, ...]
    ) -> RoutedEvent:
        logger.debug("event %s: %s %s, because of %s", event.event_id, decision.to, decision.projects, decision.rule)
        message_id = inbound.message_id if isinstance(inbound, Message) and not inbound.reaction else ""
        place = (target.chat_id, target.thread_id or "", target.user_id)
        routed = RoutedEvent(event, projects, target.route_key, *place, is_kept=target.is_said_to_bot)
        return replace(routed, message_id=message_id) if decision.to == "project" else routed

    async def _projects(self, inbound: Inbound, target: RouteTarget, decision: Decision) -> tuple[str, ...]:
        match decision.to:
            case "project" if isinstance(inbound, ChatMigrated):
                return (*decision.projects, HUB)
            case "project":
                return decision.projects
            case "hub":
                return (HUB,)
            case "ask" if isinstance(inbound, Message) and await chosen_in(self._hub, target, inbound) is not None:
                return (HUB,)
            case "ask" | "wait":
                return (UNDECIDED,)
            case _:
                return (HUB,) if is_answered(inbound) else ()
