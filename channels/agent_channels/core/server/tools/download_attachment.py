"""`download_attachment`: fetch the files of a message."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import MISSING

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.errors import Refused
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.tools.arguments import ID, Arguments
from agent_channels.core.settings.declared import Nullable, Text, declare

__all__ = ["DESCRIPTION", "DownloadArguments", "download_attachment"]

DESCRIPTION = (
    "Downloads the files of a message (attachment_count in its meta), or of the one that it replies to "
    "(reply_to_attachments), and returns their local paths."
)


class DownloadArguments(Arguments):
    """Arguments of `download_attachment`."""

    chat_id: str = declare(MISSING, ID)
    message_id: str | None = declare(None, Nullable(ID), "message_id or reply_to_message_id of an event")
    file_id: str | None = declare(
        None, Nullable(Text(most=512)), "one file, as named in attachments or reply_to_attachments"
    )


async def download_attachment(runtime: ChannelRuntime, args: DownloadArguments) -> str:
    """Download the files; one line each: path, kind and size. It answers nothing."""
    context = runtime.context
    context.services.access.require_target(args.chat_id, context.adapter.channel)
    lines = []
    # None makes room for another of the same message.
    with ExitStack() as reserved:
        for attachment in _wanted(runtime, args):
            reservation = context.files.reserve(
                attachment, context.adapter.limits.download, context.services.inbox.open_files()
            )
            target, limit = reserved.enter_context(reservation)
            size = await context.adapter.download(attachment, target, limit)
            lines.append(f"{target} ({attachment.kind}, {size:,} bytes)")
    return "\n".join(lines)


def _wanted(runtime: ChannelRuntime, args: DownloadArguments) -> list[Attachment]:
    inbox = runtime.context.services.inbox
    if args.message_id is None and args.file_id is None:
        raise Refused("give message_id, or the file_id of one attachment")
    if args.file_id is not None:
        # Only files of this chat's own messages: an id alone gives no right to a file.
        known = inbox.attachment(args.chat_id, args.file_id)
        if known is None:
            raise Refused(f"no message of chat {args.chat_id!r} holds the file {args.file_id[:80]!r}")
        return [known]
    found = inbox.attachments(args.chat_id, args.message_id or "")
    if found is None:
        raise Refused(f"no message {args.message_id!r} of chat {args.chat_id!r} is known here")
    if not found:
        raise Refused(f"message {args.message_id!r} of chat {args.chat_id!r} has no attachments")
    return found
