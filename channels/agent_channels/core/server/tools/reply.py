"""`reply`: send a message."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Literal

from agent_channels.core.outbound.sender import Reply
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.tools.arguments import (
    BUTTON_ROWS,
    BUTTONS,
    FORMAT,
    FORMATS,
    ID,
    IDS,
    Arguments,
    Buttons,
    to_grid,
)
from agent_channels.core.settings.declared import Flag, ListOf, Nullable, Text, declare

__all__ = ["DESCRIPTION", "ReplyArguments", "reply"]

DESCRIPTION = (
    "Sends a message to a chat; people see only what this sends. buttons adds a grid to tap: use it whenever the "
    "answer is one of a few choices. format: {formats}. Long text is split, and the grid goes under the last part. "
    "Returns the ids of the messages sent."
)


class _AsFile(Flag):
    """True, false, or auto."""

    def __init__(self) -> None:
        super().__init__()
        self.schema = {"anyOf": [self.schema, {"const": "auto", "type": "string"}]}

    def __call__(self, value: object) -> bool | Literal["auto"]:  # type: ignore[override]
        return "auto" if value == "auto" else super().__call__(value)


class ReplyArguments(Arguments):
    """Arguments of `reply`."""

    chat_id: str = declare(MISSING, ID)
    text: str = declare("", Text(most=200_000))
    reply_to: str | None = declare(None, Nullable(ID), "message_id to quote")
    files: tuple[str, ...] = declare((), ListOf(Text(), 10), "paths of files")
    format: str = declare("", FORMAT, FORMATS)
    buttons: Buttons | None = declare(None, BUTTON_ROWS, BUTTONS)
    thread_id: str | None = declare(None, Nullable(ID))
    thread_name: str | None = declare(
        None, Nullable(Text(most=200)), "the chat's topic or thread of this name; opened if there is none"
    )
    silent: bool = declare(False, Flag(), "without a sound")  # noqa: FBT003
    as_file: bool | Literal["auto"] = declare(
        False,  # noqa: FBT003
        _AsFile(),
        "true: the text goes as a file under a short summary; auto: if it is very long",
    )
    idempotency_key: str | None = declare(None, Nullable(Text(most=200)), "same key, same arguments: sent once")
    tappers: tuple[str, ...] | None = declare(
        None, Nullable(IDS), "user_ids who may tap; default: everybody allowed in the chat"
    )


async def reply(runtime: ChannelRuntime, args: ReplyArguments) -> str:
    """Send the reply; what the agent had been shown of the chat is answered by it."""
    chat_id = await runtime.resolve_chat(args.chat_id)
    wanted = Reply(
        chat_id=chat_id,
        text=args.text,
        format=args.format or runtime.context.adapter.capabilities.default_format,
        reply_to=args.reply_to,
        thread_id=args.thread_id,
        thread_name=args.thread_name,
        files=args.files,
        grid=to_grid(args.buttons) or None,
        tappers=args.tappers,
        silent=args.silent,
        idempotency_key=args.idempotency_key,
        as_file=args.as_file,
    )
    seen = runtime.shown(chat_id)
    return await runtime.sender.reply(wanted, lambda: runtime.answered(chat_id, seen))
