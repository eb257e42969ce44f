"""What stands around a message's words: names for ids, forwards, quotes, what it has in place of text."""

from __future__ import annotations

import re
from typing import Any, cast

from agent_channels.core.contract.messages import Identity, ReplyContext
from agent_channels.discord.chats import ident, person_of

__all__ = ["addressed", "forwarded", "in_words", "quote_of", "text_of"]

# "Message Reference Types"
_FORWARD = 1
_MENTION = re.compile(r"<(@!?|@&|#)(\d{15,20})>")
_EMOJI = re.compile(r"<a?(:\w{2,32}:)\d{15,20}>")

Raw = dict[str, Any]


def text_of(message: Raw, me: Identity) -> str:
    """The text with names where Discord writes ids."""
    names = {str(user["id"]): str(user["username"]) for user in message.get("mentions") or ()}
    names.setdefault(me.id, me.username)

    def named(match: re.Match[str]) -> str:
        name = names.get(match[2]) if match[1].startswith("@") and match[1] != "@&" else None
        return f"@{name}" if name else match[0]

    return _EMOJI.sub(r"\1", _MENTION.sub(named, str(message.get("content") or "")))


def forwarded(message: Raw) -> Raw | None:
    if (message.get("message_reference") or {}).get("type", 0) != _FORWARD:
        return None
    snapshots = message.get("message_snapshots") or ()
    return cast("Raw", snapshots[0]["message"]) if snapshots else None


def in_words(message: Raw) -> str:
    """What has no text and no file, in words, so that nothing is dropped without a sign."""
    stickers = message.get("sticker_items") or ()
    if stickers:
        return f"(sticker: {', '.join(str(one['name']) for one in stickers)})"
    poll = message.get("poll")
    if poll:
        answers = " | ".join(str(one["poll_media"].get("text", "")) for one in poll["answers"])
        return f"(poll: {poll['question'].get('text', '')} – {answers})"
    return "(a message without text)"


def quote_of(message: Raw, me: Identity) -> ReplyContext | None:
    reference = message.get("message_reference")
    if not reference or reference.get("type", 0) == _FORWARD or not reference.get("message_id"):
        return None
    replied = message.get("referenced_message")
    if not replied:
        return ReplyContext(ident(reference["message_id"]), None, None)
    return ReplyContext(ident(replied["id"]), person_of(replied["author"]).display_name, text_of(replied, me) or None)


def addressed(message: Raw, me_id: str) -> bool:
    """Whether a message names the bot or answers it."""
    if any(str(user["id"]) == me_id for user in message.get("mentions") or ()):
        return True
    replied = message.get("referenced_message") or {}
    return bool(replied) and str(replied["author"]["id"]) == me_id
