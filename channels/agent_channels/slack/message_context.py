"""What belongs to a message besides its content: the message it replies to, a forward, whom it addresses."""

from __future__ import annotations

from typing import cast

from agent_channels.core.contract.messages import Identity, ReplyContext
from agent_channels.slack.chats import Json, is_direct, ts_seconds
from agent_channels.slack.content import mentioned_users

__all__ = ["forwarded_from", "is_addressed", "reply_context", "thread_of"]


def thread_of(message: Json) -> str | None:
    """Return the thread that a message is in; None for one that is in none, or begins one."""
    thread = message.get("thread_ts")
    if not thread or thread == message.get("ts"):
        return None
    ts_seconds(str(thread))
    return str(thread)


def reply_context(message: Json, names: Json, me: Identity, own_user: str) -> ReplyContext | None:
    """Return the message that began the thread of this one, as far as the event says."""
    thread = thread_of(message)
    if thread is None:
        return None
    user = message.get("parent_user_id")
    known = (names.get("users") or {}).get(str(user)) or {}
    name = me.username if user == own_user else known.get("handle") or known.get("name")
    root = cast("Json", message.get("root") or {})
    text = root.get("text")
    return ReplyContext(thread, str(name) if name else None, str(text) if text else None, own=user == own_user)


def forwarded_from(message: Json) -> str | None:
    """Return the name of the author of a message that this one shares; None when it shares none."""
    for attachment in message.get("attachments") or ():
        if attachment.get("is_share") or attachment.get("is_msg_unfurl"):
            return str(attachment.get("author_name") or attachment.get("author_id") or "somebody")
    return None


def is_addressed(message: Json, own_user: str) -> bool:
    """Return whether a message is for the bot: direct, a mention of it, or in a thread that it began."""
    if is_direct(message) or own_user in mentioned_users(message):
        return True
    return thread_of(message) is not None and message.get("parent_user_id") == own_user
