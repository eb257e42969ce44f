"""`channel_status`: how the channel stands."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.core.host.call_limits import CallLimits
from agent_channels.core.server.tools.arguments import Arguments
from agent_channels.core.settings.declared import Number, declare

__all__ = ["DESCRIPTION", "StatusArguments", "part_of"]

# What the words around a part take of a page.
WORDS_SIZE = 200
# A bot may have thousands of people; nobody reads more of a list than this.
LISTED_MAX = 20
DESCRIPTION = (
    "How this channel stands: bot, who is paired, who reads the bot, delivery mode, what is worked on, open messages, "
    "faults and what to do about them."
)


class StatusArguments(Arguments):
    """Arguments of `channel_status`."""

    part: int = declare(1, Number(1, whole=True), "which part, where the result is too long for one call")


def part_of(status: dict[str, Any], args: StatusArguments, limits: CallLimits) -> str:
    """Return the status as JSON; where that is more than a page, the part of it that was asked for.

    `left_out` has the name of each list that was cut, and how many more it has.
    """
    cut = {name: len(found) - LISTED_MAX for name, found in status.items() if isinstance(found, list)}
    if left_out := {name: more for name, more in cut.items() if more > 0}:
        status = {name: found[:LISTED_MAX] if name in left_out else found for name, found in status.items()}
        status["left_out"] = left_out
    text = json.dumps(status, ensure_ascii=False, indent=1)
    if limits.fits(text):
        return text
    rest, parts = json.dumps(status, ensure_ascii=False), []
    while rest:
        end = limits.fitting(rest, limits.page_max - WORDS_SIZE)
        parts.append(rest[:end])
        rest = rest[end:]
    if len(parts) == 1:
        return parts[0]
    number = min(args.part, len(parts))
    more = f"\nmore: true. Call channel_status again with part: {number + 1}." if number < len(parts) else ""
    return f"Part {number} of {len(parts)}:\n{parts[number - 1]}{more}"
