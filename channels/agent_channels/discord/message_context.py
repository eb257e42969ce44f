"""What belongs to a message besides its text: names for ids, the message it replies to, a forward, a description."""

from __future__ import annotations

import re
from typing import cast

from agent_channels.core.contract.messages import Identity, ReplyContext
from agent_channels.discord.chats import Json, person_of, snowflake

__all__ = ["describe", "forwarded_message", "is_addressed", "readable_text", "reply_context"]

# "Message Reference Types"
_FORWARD = 1
_MENTION = re.compile(r"<(@!?|@&|#)(\d{15,20})>")
_EMOJI = re.compile(r"<a?(:\w{2,32}:)\d{15,20}>")


def readable_text(message: Json, me: Identity) -> str:
    """Return the text with names in place of the ids that Discord writes."""
    names = {str(user["id"]): str(user["username"]) for user in message.get("mentions") or ()}
    names.setdefault(me.id, me.username)

    def named(match: re.Match[str]) -> str:
        name = names.get(match[2]) if match[1].startswith("@") and match[1] != "@&" else None
        return f"@{name}" if name else match[0]

    return _EMOJI.sub(r"\1", _MENTION.sub(named, str(message.get("content") or "")))


def forwarded_message(message: Json) -> Json | None:
    """Return the message that this one forwards; None when it forwards none."""
    if (message.get("message_reference") or {}).get("type", 0) != _FORWARD:
        return None
    snapshots = message.get("message_snapshots") or ()
    return cast("Json", snapshots[0]["message"]) if snapshots else None


def describe(message: Json) -> str:
    """Describe the content of a message without text and files, so that nothing is dropped silently."""
    stickers = message.get("sticker_items") or ()
    if stickers:
        return f"(sticker: {', '.join(str(sticker['name']) for sticker in stickers)})"
    poll = message.get("poll")
    if poll:
        answers = " | ".join(str(answer["poll_media"].get("text", "")) for answer in poll["answers"])
        return f"(poll: {poll['question'].get('text', '')} – {answers})"
    return "(a message without text)"


def reply_context(message: Json, me: Identity) -> ReplyContext | None:
    """Return the message that this one replies to."""
    reference = message.get("message_reference")
    if not reference or reference.get("type", 0) == _FORWARD or not reference.get("message_id"):
        return None
    replied = message.get("referenced_message")
    if not replied:
        return ReplyContext(snowflake(reference["message_id"]), None, None)
    author = person_of(replied["author"]).display_name
    return ReplyContext(snowflake(replied["id"]), author, readable_text(replied, me) or None)


def is_addressed(message: Json, me_id: str) -> bool:
    """Return whether a message mentions the bot or replies to it."""
    if any(str(user["id"]) == me_id for user in message.get("mentions") or ()):
        return True
    replied = message.get("referenced_message") or {}
    return bool(replied) and str(replied["author"]["id"]) == me_id
