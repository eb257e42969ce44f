"""`edit_message`: replace a message that the agent sent."""

from __future__ import annotations

from dataclasses import MISSING
from types import MappingProxyType

from agent_channels.core.outbound.edits import Edit
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.tools.arguments import (
    BUTTON_ROWS,
    FORMAT,
    FORMATS,
    ID,
    Arguments,
    Buttons,
    to_grid,
)
from agent_channels.core.settings.declared import Text, declare

__all__ = ["DESCRIPTION", "EditArguments", "edit_message"]

DESCRIPTION = (
    "Replaces the text of a message that reply sent, such as a progress line. An edit makes no sound: when long work "
    "is finished, send a reply too. format: {formats}. Of edits that come faster than the platform shows them, "
    "the last one lands."
)


class EditArguments(Arguments):
    """Arguments of `edit_message`."""

    # Takes the grid away.
    empty_means = MappingProxyType({"buttons": []})

    chat_id: str = declare(MISSING, ID)
    message_id: str = declare(MISSING, ID)
    text: str = declare(MISSING, Text(most=200_000))
    format: str = declare("", FORMAT, FORMATS)
    buttons: Buttons | None = declare(
        None, BUTTON_ROWS, "a new grid; [] takes the grid away; left out, an open grid stays"
    )


async def edit_message(runtime: ChannelRuntime, args: EditArguments) -> str:
    """Edit the message; what the agent had been shown of the chat is answered by it."""
    seen = runtime.shown(args.chat_id)
    edit = Edit(
        chat_id=args.chat_id,
        message_id=args.message_id,
        text=args.text,
        format=args.format or runtime.context.adapter.capabilities.default_format,
        grid=to_grid(args.buttons),
        keep_grid=args.buttons is None,
    )
    result = await runtime.sender.edits.edit(edit)
    runtime.answered(args.chat_id, seen)
    return result
