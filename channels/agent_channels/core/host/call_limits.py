"""How long one tool call may wait, and how much of its result reaches the model: what the agent host takes."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from agent_channels.core.frozen import frozen
from agent_channels.core.text.units import length

if TYPE_CHECKING:
    # Hooks read the same blocks, and the settings' library takes long to import.
    from agent_channels.core.settings.config import Settings

__all__ = ["CLAUDE_CODE", "CallLimits", "call_limits"]

# What it says in `initialize`. A call may stay silent there for half an hour, and channel notifications are read.
CLAUDE_CODE = "claude-code"
CLAUDE_CODE_PAGE = 80_000
# No call waits longer in any other host: many give up after 60 s, and a measured limit may be set lower by their users.
CALL_S = 50.0
# The part of a limit that is used: the result still has to be written, and hosts add words of their own.
USED = 0.9
# How much earlier a call may have begun for its host: the first one waits for this server's start, on a busy machine.
LATE_S = 15.0
# A host of which nothing is known may have given up a call that took longer: the shortest default of any is 5 s.
SURELY_HEARD_S = 4.5


@frozen
class CallLimits:
    """What one host takes.

    A call returns within `wait_s` seconds, and a result that comes after `heard_s` may reach nobody. At most `page_max`
    of a result is sure to be read: UTF-16 units, or bytes of UTF-8 for a host that counts those. `reads_pushes`: the
    host may show channel notifications. `cancels_answered`: it cancels each call once it has the result.
    """

    wait_s: float = CALL_S * USED
    heard_s: float = SURELY_HEARD_S
    page_max: int = 6_000
    in_bytes: bool = False
    reads_pushes: bool = False
    cancels_answered: bool = False

    def size(self, text: str) -> int:
        """Return how much of a page a text takes."""
        return len(text.encode("utf-8", "surrogatepass")) if self.in_bytes else length(text, "utf16")

    def fits(self, text: str, room: int | None = None) -> bool:
        """Return whether a text fits into a page, or into the room that is left of one."""
        return self.size(text) <= (self.page_max if room is None else room)

    def fitting(self, text: str, room: int, written: Callable[[str], str] = str) -> int:
        """Return how many characters of a text, from the first on, fit into the room as `written`; at least one."""
        found = bisect.bisect_right(range(1, len(text) + 1), room, key=lambda end: self.size(written(text[:end])))
        if found < len(text):
            # Between two lines or words, unless that would leave much of the room empty.
            space = max(text.rfind("\n", 0, found), text.rfind(" ", 0, found)) + 1
            found = space if space > found * 0.8 else found
        return max(1, found)


def call_limits(client: str, settings: Settings | None = None) -> CallLimits:
    """Return the limits of the host whose client calls itself so; the operator's settings go before what is known."""
    # Imported late: a server needs one of them, and only once it is called.
    from agent_channels.core.host.agents.registry import host_of_client

    known = host_of_client(client)
    if client.lower().startswith(CLAUDE_CODE):
        found = CallLimits(math.inf, math.inf, CLAUDE_CODE_PAGE, reads_pushes=True)
    elif known is not None:
        taken = known.limits
        found = CallLimits(
            min(taken.call_s, CALL_S) * USED,
            taken.call_s - LATE_S,
            int(taken.result_max * USED),
            in_bytes=taken.in_bytes,
            cancels_answered=taken.cancels_answered,
        )
    else:
        found = CallLimits()
    if settings is None:
        return found
    return replace(
        found,
        wait_s=found.wait_s if settings.call_s is None else settings.call_s,
        page_max=found.page_max if settings.result_max is None else settings.result_max,
    )
