"""What a person meant as one: an album, a text that the client split, a comment and what it forwards."""

from __future__ import annotations

from dataclasses import replace

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Message
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.routes import Decision, RouteTarget, RoutingFacts, choose
from agent_channels.core.inbound.grouping import APART_S
from agent_channels.core.text.units import length

__all__ = ["MessageParts"]

PLACES_MAX = 1000


@frozen
class _Last:
    """The last message of a person in a place, and what was decided about it."""

    message_id: str
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
        if (last := self._continued(message)) is None:
            return choose(target, facts)
        project = self.project(message, facts)
        return last.decision if project is None else choose(target, replace(facts, continues=project))

    def project(self, message: Message, facts: RoutingFacts) -> str | None:
        """Return the project that got what a message is a part of; None if none has, or it is no part of anything."""
        last = self._continued(message)
        if last is None or last.decision.to == "project":
            return None if last is None else last.decision.projects[0]
        return facts.sent.get((message.chat.id, last.message_id))

    def undecided(self, message: Message) -> RouteTarget | None:
        """Return the message of which this one is a part, if it was not known then whose that is; see `project`."""
        last = self._continued(message)
        if last is None or last.decision.to == "project":
            return None
        return RouteTarget("message", message.chat.id, own_message_id=last.message_id)

    def remember(self, message: Message, decision: Decision) -> None:
        """Record who gets a message; to be called with each message, in order."""
        place = _place(message)
        if len(self._last) >= PLACES_MAX:
            self._last.clear()
        if decision.to in {"project", "ask", "wait"}:
            plain = _is_plain(message)
            near_limit = plain and self._is_near_limit(message.text)
            self._last[place] = _Last(
                message.message_id, message.ts.timestamp(), message.album_id, plain, near_limit, decision
            )
        else:
            self._last.pop(place, None)

    def _continued(self, message: Message) -> _Last | None:
        last = self._last.get(_place(message))
        return last if last is not None and self._continues(message, last) else None

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
