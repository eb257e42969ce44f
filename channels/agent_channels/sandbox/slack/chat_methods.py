"""The methods that send, change and delete messages."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.slack.blocks import checked_attachments, checked_blocks
from agent_channels.sandbox.slack.errors import SlackError
from agent_channels.sandbox.slack.mrkdwn import normalized
from agent_channels.sandbox.slack.records import CHANNEL, Conversation, Message, ts_key
from agent_channels.sandbox.slack.request import MethodCall, Methods
from agent_channels.sandbox.slack.state import SlackEphemeral

__all__ = ["message_fields", "method", "thread_of"]

method = Methods()

# Longer texts are cut when sent, and refused when changed.
TEXT_LIMIT, UPDATE_LIMIT = 40_000, 4_000


def target(request: MethodCall) -> Conversation:
    """Return the conversation to write to: by id, by a public channel's name, or by a person's id.

    Raises SlackError.
    """
    state, name = request.state, request.required("channel")
    if (user := state.users.get(name)) is not None:
        if user.deleted or user.bot_id:
            raise SlackError("channel_not_found")
        return writable(request, state.direct(user))
    for one in state.conversations.values():
        if one.kind == CHANNEL and one.name == name.lstrip("#"):
            return writable(request, one)
    return writable(request, state.conversation(name))


def writable(request: MethodCall, conversation: Conversation) -> Conversation:
    """Return a conversation that the bot may write to. Raises SlackError."""
    state = request.state
    if conversation.archived:
        raise SlackError("is_archived")
    if not state.is_in(conversation):
        public = conversation.kind == CHANNEL and "chat:write.public" in state.app.bot_scopes
        if not public:
            raise SlackError("not_in_channel")
    if conversation.blocked:
        raise SlackError("restricted_action")
    if conversation.is_direct and not state.app.messages_tab:
        raise SlackError("messages_tab_disabled")
    return conversation


def message_fields(request: MethodCall, limit: int | None = None) -> Message:
    """Return text, blocks and attachments of a call, those that it has. Raises SlackError.

    `limit`: texts longer than this are refused; None: texts longer than 40,000 are cut.
    """
    fields: Message = {}
    blocks = request.json("blocks", "invalid_blocks_format")
    attachments = request.json("attachments", "invalid_attachments")
    if blocks is not None:
        fields["blocks"] = checked_blocks(blocks)
    if attachments is not None:
        fields["attachments"] = checked_attachments(attachments)
    if request.values.get("text") is not None:
        text = request.text("text")
        if limit is not None and len(text) > limit:
            raise SlackError("msg_too_long")
        if len(text) > TEXT_LIMIT:
            text = text[:TEXT_LIMIT]
            request.warnings.append("message_truncated")
        fields["text"] = normalized(text)
    return fields


def thread_of(request: MethodCall, conversation: Conversation) -> Message:
    """Return the fields of a reply in the thread `thread_ts`. Raises SlackError."""
    thread_ts = request.text("thread_ts")
    if not thread_ts:
        return {}
    try:
        ts_key(thread_ts)
    except ValueError:
        raise SlackError("invalid_thread_ts") from None
    root = conversation.find(thread_ts)
    if root is None:
        raise SlackError("thread_not_found")
    if root.get("thread_ts", thread_ts) != thread_ts:
        raise SlackError("cannot_reply_to_message")
    if thread_ts in conversation.locked:
        raise SlackError("restricted_action_thread_locked")
    made: Message = {"thread_ts": thread_ts}
    if "user" in root:
        made["parent_user_id"] = root["user"]
    if request.flag("reply_broadcast"):
        made |= {"subtype": "thread_broadcast", "root": {"ts": thread_ts, "text": root["text"]}}
    return made


def _own(request: MethodCall, conversation: Conversation, error: str) -> Message:
    found = conversation.find(request.required("ts"))
    if found is None or found.get("subtype") == "tombstone":
        raise SlackError("message_not_found")
    if found.get("bot_id") != request.state.bot.bot_id:
        raise SlackError(error)
    return found


@method("chat.postMessage", "chat:write")
def post_message(request: MethodCall) -> dict[str, Any]:
    """Send a message."""
    state, conversation = request.state, target(request)
    fields = message_fields(request)
    if not fields.get("text") and not fields.get("blocks") and not fields.get("attachments"):
        raise SlackError("no_text")
    fields = {name: value for name, value in fields.items() if value or name == "text"}
    fields |= thread_of(request, conversation)
    if metadata := request.json("metadata", "invalid_metadata_format"):
        fields["metadata"] = metadata
    message = state.post(conversation, state.bot, fields)
    return {"channel": conversation.id, "ts": message["ts"], "message": state.render(message)}


@method("chat.update", "chat:write")
def update(request: MethodCall) -> dict[str, Any]:
    """Change a message of the bot; blocks and attachments that are not given stay."""
    state = request.state
    conversation = state.conversation(request.required("channel"))
    if conversation.archived:
        raise SlackError("is_archived")
    message = _own(request, conversation, "cant_update_message")
    fields = message_fields(request, UPDATE_LIMIT)
    left = {**message, **fields}
    if not left.get("text") and not left.get("blocks") and not left.get("attachments"):
        raise SlackError("no_text")
    gone = {name: None for name in ("blocks", "attachments") if fields.get(name) == []}
    state.edit(conversation, message, {**fields, **gone}, state.bot)
    rendered = state.render(message)
    return {"channel": conversation.id, "ts": message["ts"], "text": message["text"], "message": rendered}


@method("chat.delete", "chat:write")
def delete(request: MethodCall) -> dict[str, Any]:
    """Delete a message of the bot."""
    state = request.state
    conversation = state.conversation(request.required("channel"))
    message = _own(request, conversation, "cant_delete_message")
    state.delete(conversation, message)
    return {"channel": conversation.id, "ts": message["ts"]}


@method("chat.postEphemeral", "chat:write")
def post_ephemeral(request: MethodCall) -> dict[str, Any]:
    """Send a message that one person sees."""
    state, conversation = request.state, target(request)
    user_id = request.required("user")
    if user_id not in conversation.members:
        raise SlackError("user_not_in_channel")
    fields = message_fields(request)
    if not any(fields.values()):
        raise SlackError("no_text")
    message = state.draft(state.bot, {**fields, **thread_of(request, conversation), "is_ephemeral": True})
    state.ephemerals[ts_key(message["ts"])] = SlackEphemeral(message, conversation, user_id)
    state.changed()
    return {"message_ts": message["ts"]}


@method("chat.getPermalink", takes_json=False)
def get_permalink(request: MethodCall) -> dict[str, Any]:
    """Return a message's address."""
    conversation, ts = request.conversation(), request.required("message_ts")
    if conversation.find(ts) is None:
        raise SlackError("message_not_found")
    path = f"archives/{conversation.id}/p{ts.replace('.', '')}"
    return {"channel": conversation.id, "permalink": f"https://{request.state.domain}.slack.com/{path}"}


@method("assistant.threads.setStatus")
def set_status(request: MethodCall) -> dict[str, Any]:
    """Show in a thread what the app is doing, until it writes there; an empty text ends it."""
    state = request.state
    if "chat:write" not in state.app.bot_scopes:
        state.require("assistant:write")
    channel, thread_ts = request.required("channel_id"), request.required("thread_ts")
    conversation = state.conversations.get(channel)
    if conversation is None or not state.is_in(conversation) or conversation.find(thread_ts) is None:
        raise SlackError("channel_not_found")
    conversation.statuses.append((state.now(), thread_ts, request.text("status")))
    state.changed()
    return {}
