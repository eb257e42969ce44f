"""`react`: put an emoji on a message."""

from __future__ import annotations

from dataclasses import MISSING

from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.tools.arguments import ID, Arguments
from agent_channels.core.settings.declared import Text, declare

__all__ = ["DESCRIPTION", "ReactArguments", "react"]

DESCRIPTION = "Puts one emoji on a message, instead of an earlier one; counts as having answered the chat."


class ReactArguments(Arguments):
    """Arguments of `react`."""

    chat_id: str = declare(MISSING, ID)
    message_id: str = declare(MISSING, ID)
    emoji: str = declare(MISSING, Text(most=32), "one emoji; empty removes the reaction")


async def react(runtime: ChannelRuntime, args: ReactArguments) -> str:
    """Set the reaction; what the agent had been shown of the chat is answered by it."""
    seen = runtime.shown(args.chat_id)
    result = await runtime.sender.react(args.chat_id, args.message_id, args.emoji)
    runtime.answered(args.chat_id, seen)
    return result
