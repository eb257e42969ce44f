"""What is said around a message and beside its text: links, what it answers, whose words they were, things in words."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import (
    ExternalReplyInfo,
    MessageEntity,
    MessageOrigin,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
    ReactionType,
    ReactionTypeEmoji,
)
from telegram import Message as TelegramMessage

from channels.core.types import Identity, Quote
from channels.telegram.places import sender_of

__all__ = ["CONTENT", "FILES", "in_words", "linked", "origin_of", "quote_of", "reactions_of"]

FILES = ("animation", "document", "audio", "voice", "video", "video_note", "sticker")
CONTENT = (
    *FILES,
    "photo",
    "poll",
    "venue",
    "location",
    "contact",
    "dice",
    "story",
    "checklist",
    "paid_media",
    "game",
)


def linked(text: str, entities: Sequence[MessageEntity]) -> str:
    """The text with the addresses that are hidden behind its words written after them."""
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in sorted(entities, key=lambda one: one.offset + one.length, reverse=True):
        if entity.type != MessageEntity.TEXT_LINK or not entity.url:
            continue
        end = 2 * (entity.offset + entity.length)
        words = units[2 * entity.offset : end].decode("utf-16-le", "replace")
        if words.strip().rstrip("/") != entity.url.rstrip("/"):
            units = units[:end] + f" ({entity.url})".encode("utf-16-le", "surrogatepass") + units[end:]
    return units.decode("utf-16-le", "surrogatepass")


def in_words(message: TelegramMessage) -> str:
    """What has no text and no file, in words, so that nothing is dropped without a sign."""
    if message.venue:
        place = message.venue.location
        return f"(venue: {message.venue.title}, {message.venue.address}, {place.latitude}, {place.longitude})"
    if message.location:
        return f"(location: {message.location.latitude}, {message.location.longitude})"
    if message.contact:
        name = " ".join(filter(None, (message.contact.first_name, message.contact.last_name)))
        return f"(contact: {name}, {message.contact.phone_number})"
    if message.dice:
        return f"(dice: {message.dice.emoji} {message.dice.value})"
    if message.poll:
        options = " | ".join(option.text for option in message.poll.options)
        return f"(poll: {message.poll.question} – {options})"
    if message.checklist:
        return f"(checklist: {message.checklist.title} – {' | '.join(t.text for t in message.checklist.tasks)})"
    kinds = [kind for kind in (*CONTENT, "invoice", "giveaway") if getattr(message, kind, None)]
    return f"({', '.join(kinds).replace('_', ' ')})" if kinds else ""


def quote_of(message: TelegramMessage, me: Identity) -> Quote | None:
    """What a message answers; a part of it, where that was chosen."""
    part = message.quote.text if message.quote else None
    replied = message.reply_to_message
    if replied is None and message.external_reply is not None:
        return _from_elsewhere(message.external_reply, part)
    if replied is None or replied.forum_topic_created:
        return None
    author = None
    if replied.from_user or replied.sender_chat:
        person = sender_of(replied)
        author = me.username if person.id == me.id else person.shown
    text = part or replied.text or replied.caption or in_words(replied) or None
    return Quote(str(replied.message_id), author, text)


def _from_elsewhere(replied: ExternalReplyInfo, part: str | None) -> Quote:
    """What a message answers that was said in another chat: its id means nothing here."""
    return Quote("", _name(replied.origin), part)


def origin_of(message: TelegramMessage) -> str | None:
    """Whose words a forwarded message is."""
    return _name(message.forward_origin)


def _name(found: MessageOrigin | None) -> str | None:
    match found:
        case MessageOriginUser() as origin:
            return origin.sender_user.username or origin.sender_user.full_name
        case MessageOriginHiddenUser() as origin:
            return origin.sender_user_name
        case MessageOriginChat() as origin:
            return origin.sender_chat.title or str(origin.sender_chat.id)
        case MessageOriginChannel() as origin:
            return origin.chat.title or str(origin.chat.id)
        case _:
            return None


def reactions_of(before: Sequence[ReactionType], after: Sequence[ReactionType]) -> str:
    """The reactions that were added; empty when some were only taken back."""
    return " ".join(
        one.emoji if isinstance(one, ReactionTypeEmoji) else f"({one.type.replace('_', ' ')})"
        for one in after
        if one not in before
    )
