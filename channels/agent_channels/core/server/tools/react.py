"""`react`: put an emoji on a message."""

from __future__ import annotations

from pydantic import Field

from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.tools.arguments import Arguments, Id

__all__ = ["DESCRIPTION", "ReactArguments", "react"]

DESCRIPTION = "Puts one emoji on a message, instead of an earlier one; counts as having answered the chat."


class ReactArguments(Arguments):
    """Arguments of `react`."""

    chat_id: Id
    message_id: Id
    emoji: str = Field(max_length=32, description="one emoji; empty removes the reaction")


async def react(runtime: ChannelRuntime, args: ReactArguments) -> str:
    """Set the reaction; what the agent had been shown of the chat is answered by it."""
    seen = runtime.shown(args.chat_id)
    result = await runtime.sender.react(args.chat_id, args.message_id, args.emoji)
    runtime.answered(args.chat_id, seen)
    return result
