"""The methods about files: an address to upload to, what completes the upload, and a file's facts."""

from __future__ import annotations

import asyncio
from typing import Any

from agent_channels.sandbox.slack.blocks import checked_blocks
from agent_channels.sandbox.slack.chat_methods import thread_of, writable
from agent_channels.sandbox.slack.errors import SlackError, invalid_arguments
from agent_channels.sandbox.slack.files import SlackFile
from agent_channels.sandbox.slack.mrkdwn import normalized
from agent_channels.sandbox.slack.records import CHANNEL, Conversation, Message
from agent_channels.sandbox.slack.request import MethodCall, Methods
from agent_channels.sandbox.slack.state import SlackState

__all__ = ["MAX_FILE", "method", "share"]

method = Methods()

MAX_FILE = 1 << 30
# Slack shares a file a moment after it answered that the upload is complete.
SHARED_AFTER_S = 0.02


@method("files.getUploadURLExternal", "files:write", takes_json=False)
def get_upload_url(request: MethodCall) -> dict[str, Any]:
    """Return an address that takes the content of a new file."""
    name, length = request.required("filename"), request.required("length")
    if not length.isascii() or not length.isdecimal():
        raise invalid_arguments("must be an integer [json-pointer:/length]")
    if int(length) < 1:
        raise invalid_arguments("must be greater than 1 [json-pointer:/length]")
    if int(length) > MAX_FILE:
        raise SlackError("file_upload_size_restricted")
    file = request.state.files.begin(name, int(length), request.state.bot.id)
    return {"upload_url": request.state.files.upload_url(file), "file_id": file.id}


@method("files.completeUploadExternal", "files:write")
def complete_upload(request: MethodCall) -> dict[str, Any]:
    """Complete uploads, and share the files in the conversations that are named, in one message."""
    state = request.state
    files = [_uploaded(state, one) for one in _listed(request)]
    ids = [one for one in (request.text("channel_id"), *request.text("channels").split(",")) if one]
    conversations = [writable(request, _known(state, one)) for one in dict.fromkeys(ids)]
    message: Message = {"text": normalized(request.text("initial_comment"))}
    if (blocks := request.json("blocks", "invalid_blocks_format")) and not message["text"]:
        message["blocks"] = checked_blocks(blocks)
    threads: list[tuple[Conversation, Message]] = []
    for conversation in conversations:
        request.values["channel"] = conversation.id
        threads.append((conversation, {**message, **thread_of(request, conversation)}))
    request.values.pop("channel", None)
    for file, title in files:
        file.completed, file.title = True, title or file.name
    loop = asyncio.get_running_loop()
    for conversation, fields in threads:
        loop.call_later(SHARED_AFTER_S, share, state, conversation, [file for file, _ in files], fields)
    return {"files": [{"id": file.id, "title": file.title} for file, _ in files]}


def share(state: SlackState, conversation: Conversation, files: list[SlackFile], fields: Message) -> Message:
    """Put files into a conversation, in one message of the bot."""
    held = {"files": [file.id for file in files], "upload": False, "subtype": "file_share"}
    message = state.post(conversation, state.bot, {**fields, **held})
    for file in files:
        state.files.share(file, conversation.id, public=conversation.kind == CHANNEL, ts=message["ts"])
    state.changed()
    return message


def _listed(request: MethodCall) -> list[Any]:
    files = request.json("files", "invalid_arguments")
    if not isinstance(files, list) or not files:
        raise invalid_arguments("missing required field: files")
    return files


def _uploaded(state: SlackState, value: Any) -> tuple[SlackFile, str]:
    file = state.files.by_id.get(str(value.get("id"))) if isinstance(value, dict) else None
    if file is None or file.data is None or file.completed:
        raise SlackError("file_not_found")
    return file, str(value.get("title") or "")


def _known(state: SlackState, channel: str) -> Conversation:
    try:
        return state.conversation(channel)
    except SlackError:
        raise SlackError("invalid_channel" if channel[:1] not in "CDG" else "channel_not_found") from None


@method("files.info", "files:read", takes_json=False)
def info(request: MethodCall) -> dict[str, Any]:
    """Return a file, and where it is shared."""
    file = request.state.files.by_id.get(request.text("file"))
    if file is None or not file.completed:
        raise SlackError("file_not_found")
    return {"file": request.state.files.with_shares(file.id), "comments": [], "response_metadata": {"next_cursor": ""}}
