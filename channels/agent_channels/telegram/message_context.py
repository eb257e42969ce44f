"""What belongs to a message besides its text: hidden links, the message it replies to, its origin, a description."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.core.contract.messages import Identity, ReplyContext
from agent_channels.telegram.chats import Json, sender_of

__all__ = ["CONTENT", "FILES", "added_reactions", "describe", "forward_origin", "reply_context", "with_links"]

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


def with_links(text: str, entities: Sequence[Json]) -> str:
    """Return the text with each address that is hidden behind words written out after them."""
    links = [entity for entity in entities if entity["type"] == "text_link" and entity.get("url")]
    if not links:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in sorted(links, key=lambda link: link["offset"] + link["length"], reverse=True):
        url, end = entity["url"], 2 * (entity["offset"] + entity["length"])
        words = units[2 * entity["offset"] : end].decode("utf-16-le", "replace")
        if words.strip().rstrip("/") != url.rstrip("/"):
            units = units[:end] + f" ({url})".encode("utf-16-le", "surrogatepass") + units[end:]
    return units.decode("utf-16-le", "surrogatepass")


def describe(message: Json) -> str:
    """Describe the content of a message without text and files, so that nothing is dropped silently."""
    if venue := message.get("venue"):
        return f"(venue: {venue['title']}, {venue['address']}, {_coordinates(venue['location'])})"
    if location := message.get("location"):
        return f"(location: {_coordinates(location)})"
    if contact := message.get("contact"):
        name = " ".join(filter(None, (contact["first_name"], contact.get("last_name"))))
        return f"(contact: {name}, {contact['phone_number']})"
    if dice := message.get("dice"):
        return f"(dice: {dice['emoji']} {dice['value']})"
    if poll := message.get("poll"):
        return f"(poll: {poll['question']} – {_joined(poll['options'])})"
    if checklist := message.get("checklist"):
        return f"(checklist: {checklist['title']} – {_joined(checklist['tasks'])})"
    kinds = [kind for kind in (*CONTENT, "invoice", "giveaway") if message.get(kind)]
    return f"({', '.join(kinds).replace('_', ' ')})" if kinds else ""


def _coordinates(location: Json) -> str:
    return f"{location['latitude']}, {location['longitude']}"


def _joined(choices: Sequence[Json]) -> str:
    return " | ".join(choice["text"] for choice in choices)


def reply_context(message: Json, me: Identity) -> ReplyContext | None:
    """Return the message that this one replies to, with the quoted part where one was chosen."""
    part = message["quote"]["text"] if message.get("quote") else None
    replied = message.get("reply_to_message")
    if not replied:
        # A message in another chat: its id means nothing here.
        elsewhere = message.get("external_reply")
        return ReplyContext("", _name(elsewhere.get("origin")), part) if elsewhere else None
    if replied.get("forum_topic_created"):
        return None
    author = None
    if replied.get("from") or replied.get("sender_chat"):
        person = sender_of(replied)
        author = me.username if person.id == me.id else person.display_name
    text = part or replied.get("text") or replied.get("caption") or describe(replied) or None
    return ReplyContext(str(replied["message_id"]), author, text)


def forward_origin(message: Json) -> str | None:
    """Return the name of the author of a forwarded message."""
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


def added_reactions(before: Sequence[Json], after: Sequence[Json]) -> str:
    """Return the reactions that were added; empty when some were only removed."""
    return " ".join(
        reaction["emoji"] if reaction["type"] == "emoji" else f"({reaction['type'].replace('_', ' ')})"
        for reaction in after
        if reaction not in before
    )
