"""Which project each event of a shared bot is for, and what that depends on from the events before it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import ChatMigrated, Inbound, Message, RawEvent
from agent_channels.core.hub.database import Statement
from agent_channels.core.hub.events import UNDECIDED, OpenCommand, RoutedEvent
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.routes import HUB, WAIT, Decision, RouteTarget, RoutingFacts, choose, target_of
from agent_channels.core.inbound.grouping import APART_S
from agent_channels.core.runtime.hub.chat import HubChat
from agent_channels.core.runtime.hub.questions import chosen_in, is_answered
from agent_channels.core.text.units import length

__all__ = ["Guess", "MessageParts", "Router"]

logger = logging.getLogger(__name__)
PLACES_MAX = 1000


@dataclass(frozen=True, slots=True)
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

    def deciding(self) -> AbstractAsyncContextManager[None]:
        """Return the block in which whose events are is decided and stored: nothing else decides meanwhile."""
        return self._chat.questions.deciding

    async def route(self, events: Sequence[RawEvent]) -> list[RoutedEvent]:
        """Return whose each event is, in order, after what was said before is decided.

        Raises `StoreError`; nothing is acknowledged then.
        """
        inbound = [self._adapter.to_inbound(event) for event in events]
        targets = [target_of(one) for one in inbound]
        facts, commands = await self._chat.questions.settle_decidable(targets)
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
        decision = choose(target, facts)
        if isinstance(inbound, Message):
            decision = self._parts.decide(inbound, target, facts)
        projects = await self._projects(inbound, target, decision)
        if target.kind in {"message", "tap"} and HUB not in projects and _may_change(commands, target):
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
        routed = RoutedEvent(event, projects, target.route_key, *place)
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


def _may_change(commands: Sequence[OpenCommand], target: RouteTarget) -> bool:
    return any(command.concerns(target) for command in commands)


@dataclass(frozen=True, slots=True)
class _Last:
    """The last message of a person in a place, and what was decided about it."""

    said_at: float
    album: str | None
    plain: bool
    near_limit: bool
    decision: Decision


class MessageParts:
    """Keeps together what a person meant as one: an album, a text that the client split, a comment and its forward.

    Only the first of them replies to something, and all of them go where that one went.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last: dict[tuple[str, str | None, str], _Last] = {}

    def decide(self, message: Message, target: RouteTarget, facts: RoutingFacts) -> Decision:
        """Return who gets a message, after those before it were remembered."""
        last = self._last.get(_place(message))
        if last is None or not self._continues(message, last):
            return choose(target, facts)
        if last.decision.to == "project":
            return choose(target, replace(facts, continues=last.decision.projects[0]))
        return last.decision

    def remember(self, message: Message, decision: Decision) -> None:
        """Record who gets a message; to be called with each message, in order."""
        place = _place(message)
        if len(self._last) >= PLACES_MAX:
            self._last.clear()
        if decision.to in {"project", "ask", "wait"}:
            plain = _is_plain(message)
            self._last[place] = _Last(
                message.ts.timestamp(), message.album_id, plain, plain and self._is_near_limit(message.text), decision
            )
        else:
            self._last.pop(place, None)

    def _continues(self, message: Message, last: _Last) -> bool:
        if message.edited or message.reaction or abs(message.ts.timestamp() - last.said_at) > APART_S:
            return False
        if message.album_id is not None:
            return message.album_id == last.album
        if message.reply or message.command:
            return False
        return last.near_limit if _is_plain(message) else last.plain and message.forward_from is not None

    def _is_near_limit(self, text: str) -> bool:
        near = self._limits.paste
        # A character has at most two units: most texts need not be measured.
        return near is not None and 2 * len(text) >= near and length(text, self._limits.unit) >= near


def _place(message: Message) -> tuple[str, str | None, str]:
    return message.chat.id, message.thread_id, message.sender.id


def _is_plain(message: Message) -> bool:
    return not (message.files or message.forward_from or message.edited or message.reaction)
