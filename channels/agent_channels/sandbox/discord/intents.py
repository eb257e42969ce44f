"""Gateway intents: which events a session asks for, and which need a switch in the developer portal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CONTENT", "GUILDS", "KNOWN", "MEMBERS", "PRESENCES", "GatewayEvent", "intent"]

GUILDS, MEMBERS, PRESENCES, CONTENT = 1 << 0, 1 << 1, 1 << 8, 1 << 15

# topic: (intent in guilds, intent in direct chats); 0 means that every session gets it ("Gateway Intents")
TOPICS = {
    "": (0, 0),
    "guilds": (GUILDS, GUILDS),
    "members": (MEMBERS, MEMBERS),
    "messages": (1 << 9, 1 << 12),
    "reactions": (1 << 10, 1 << 13),
    "typing": (1 << 11, 1 << 14),
}
KNOWN = sum(1 << bit for bit in (*range(17), 20, 21, 24, 25))


@dataclass(frozen=True)
class GatewayEvent:
    """An event to dispatch; `make_payload` gets the intents of the session that receives it."""

    name: str
    intent: int
    make_payload: Callable[[int], dict[str, Any]]


def intent(topic: str, *, direct: bool) -> int:
    """Return the intent that a session needs for events of this topic."""
    return TOPICS[topic][direct]
