"""What is said around a message and beside its text: links, what it answers, whose words they were, things in words."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.core.contract.messages import Identity, ReplyContext
from agent_channels.telegram.chats import Json, sender_of

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


def linked(text: str, entities: Sequence[Json]) -> str:
    """The text with the addresses that are hidden behind its words written after them."""
    links = [entity for entity in entities if entity["type"] == "text_link" and entity.get("url")]
    if not links:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in sorted(links, key=lambda one: one["offset"] + one["length"], reverse=True):
        url, end = entity["url"], 2 * (entity["offset"] + entity["length"])
        words = units[2 * entity["offset"] : end].decode("utf-16-le", "replace")
        if words.strip().rstrip("/") != url.rstrip("/"):
            units = units[:end] + f" ({url})".encode("utf-16-le", "surrogatepass") + units[end:]
    return units.decode("utf-16-le", "surrogatepass")


def in_words(message: Json) -> str:
    """What has no text and no file, in words, so that nothing is dropped without a sign."""
    if venue := message.get("venue"):
        return f"(venue: {venue['title']}, {venue['address']}, {_place(venue['location'])})"
    if location := message.get("location"):
        return f"(location: {_place(location)})"
    if contact := message.get("contact"):
        name = " ".join(filter(None, (contact["first_name"], contact.get("last_name"))))
        return f"(contact: {name}, {contact['phone_number']})"
    if dice := message.get("dice"):
        return f"(dice: {dice['emoji']} {dice['value']})"
    if poll := message.get("poll"):
        return f"(poll: {poll['question']} – {_listed(poll['options'])})"
    if checklist := message.get("checklist"):
        return f"(checklist: {checklist['title']} – {_listed(checklist['tasks'])})"
    kinds = [kind for kind in (*CONTENT, "invoice", "giveaway") if message.get(kind)]
    return f"({', '.join(kinds).replace('_', ' ')})" if kinds else ""


def _place(location: Json) -> str:
    return f"{location['latitude']}, {location['longitude']}"


def _listed(choices: Sequence[Json]) -> str:
    return " | ".join(choice["text"] for choice in choices)


def quote_of(message: Json, me: Identity) -> ReplyContext | None:
    """What a message answers; a part of it, where that was chosen."""
    part = message["quote"]["text"] if message.get("quote") else None
    replied = message.get("reply_to_message")
    if not replied:
        # What was said in another chat: its id means nothing here.
        elsewhere = message.get("external_reply")
        return ReplyContext("", _name(elsewhere.get("origin")), part) if elsewhere else None
    if replied.get("forum_topic_created"):
        return None
    author = None
    if replied.get("from") or replied.get("sender_chat"):
        person = sender_of(replied)
        author = me.username if person.id == me.id else person.display_name
    text = part or replied.get("text") or replied.get("caption") or in_words(replied) or None
    return ReplyContext(str(replied["message_id"]), author, text)


def origin_of(message: Json) -> str | None:
    """Whose words a forwarded message is."""
    return _name(message.get("forward_origin"))


def _name(origin: Json | None) -> str | None:
    match origin:
        case {"type": "user", "sender_user": user}:
            return user.get("username") or " ".join(filter(None, (user["first_name"], user.get("last_name"))))
        case {"type": "hidden_user", "sender_user_name": str(name)}:
            return name
        case {"type": "chat", "sender_chat": chat} | {"type": "channel", "chat": chat}:
            return chat.get("title") or str(chat["id"])
        case _:
            return None


def reactions_of(before: Sequence[Json], after: Sequence[Json]) -> str:
    """The reactions that were added; empty when some were only taken back."""
    return " ".join(
        one["emoji"] if one["type"] == "emoji" else f"({one['type'].replace('_', ' ')})"
        for one in after
        if one not in before
    )
