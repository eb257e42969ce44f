"""`reply`: send a message."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent_channels.core.outbound.sender import Reply
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.tools.arguments import Arguments, Buttons, Format, Id, Ids, Paths, to_grid

__all__ = ["DESCRIPTION", "ReplyArguments", "reply"]

DESCRIPTION = (
    "Sends a message to a chat; people see only what this sends. buttons adds a grid to tap: use it whenever the "
    "answer is one of a few choices. format: {formats}. Long text is split, and the grid goes under the last part. "
    "Returns the ids of the messages sent."
)


class ReplyArguments(Arguments):
    """Arguments of `reply`."""

    chat_id: Id
    text: str = Field("", max_length=200_000)
    reply_to: Id | None = Field(None, description="message_id to quote")
    files: Paths = Field([], description="paths of files", max_length=10)
    format: Format = ""
    buttons: Buttons = None
    thread_id: Id | None = None
    thread_name: str | None = Field(
        None, max_length=200, description="the chat's topic or thread of this name; opened if there is none"
    )
    silent: bool = Field(False, description="without a sound")  # noqa: FBT003
    as_file: bool | Literal["auto"] = Field(
        False,  # noqa: FBT003
        description="true: the text goes as a file under a short summary; auto: if it is very long",
    )
    idempotency_key: str | None = Field(None, max_length=200, description="same key, same arguments: sent once")
    tappers: Ids | None = Field(None, description="user_ids who may tap; default: everybody allowed in the chat")


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
        files=tuple(args.files),
        grid=to_grid(args.buttons) or None,
        tappers=None if args.tappers is None else tuple(args.tappers),
        silent=args.silent,
        idempotency_key=args.idempotency_key,
        as_file=args.as_file,
    )
    seen = runtime.shown(chat_id)
    return await runtime.sender.reply(wanted, lambda: runtime.answered(chat_id, seen))
