"""What belongs to a message besides its content: the message it replies to, a forward, whom it addresses."""

from __future__ import annotations

from typing import cast

from agent_channels.core.contract.messages import Identity, ReplyContext
from agent_channels.discord.attachments import files_of
from agent_channels.discord.chats import Json, person_of, snowflake
from agent_channels.discord.content import describe, words_of

__all__ = ["forwarded_message", "is_addressed", "reply_context"]

# "Message Reference Types"
_FORWARD = 1


def forwarded_message(message: Json) -> Json | None:
    """Return the message that this one forwards; None when it forwards none."""
    if (message.get("message_reference") or {}).get("type", 0) != _FORWARD:
        return None
    snapshots = message.get("message_snapshots") or ()
    return cast("Json", snapshots[0]["message"]) if snapshots else None


def reply_context(message: Json, me: Identity) -> ReplyContext | None:
    """Return the message that this one replies to."""
    reference = message.get("message_reference")
    if not reference or reference.get("type", 0) == _FORWARD or not reference.get("message_id"):
        return None
    replied = message.get("referenced_message")
    if not replied:
        return ReplyContext(snowflake(reference["message_id"]), None, None)
    body = forwarded_message(replied) or replied
    return ReplyContext(
        snowflake(replied["id"]),
        person_of(replied["author"]).display_name,
        words_of(body, me) or describe(body),
        tuple(files_of(body, str(replied.get("channel_id") or message["channel_id"]), str(replied["id"]))),
        str(replied["author"]["id"]) == me.id,
    )


def is_addressed(message: Json, me_id: str) -> bool:
    """Return whether a message mentions the bot or its role (`own_roles`), or replies to it."""
    if any(str(user["id"]) == me_id for user in message.get("mentions") or ()):
        return True
    if set(message.get("own_roles") or ()) & set(message.get("mention_roles") or ()):
        return True
    replied = message.get("referenced_message") or {}
    return bool(replied) and str(replied["author"]["id"]) == me_id
