"""`channel_status`: how the channel stands."""

from __future__ import annotations

from agent_channels.core.server.tools.arguments import Arguments

__all__ = ["DESCRIPTION", "StatusArguments"]

DESCRIPTION = (
    "How this channel stands: bot, who is paired, who reads the bot, delivery mode, what is worked on, open messages, "
    "faults and what to do about them."
)


class StatusArguments(Arguments):
    """`channel_status` takes no arguments."""
