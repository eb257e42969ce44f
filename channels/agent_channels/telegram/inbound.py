"""Translates updates, as Telegram sends them, into the neutral values of the core. Pure: no network, no clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from agent_channels.core.contract.messages import (
    Attachment,
    Chat,
    ChatMigrated,
    Command,
    DraftStopped,
    Identity,
    Ignored,
    Inbound,
    Joined,
    Membership,
    Message,
    RawEvent,
    ReplyContext,
    Tap,
    ThreadRenamed,
)
from agent_channels.core.text.sanitize import decode_json_line
from agent_channels.telegram.chats import (
    Json,
    chat_of,
    is_ephemeral,
    key_of,
    person_of,
    sender_of,
    thread_name_of,
    thread_of,
)
from agent_channels.telegram.content import CONTENT, describe, files_of, text_of
from agent_channels.telegram.markup import snapshot
from agent_channels.telegram.message_context import added_reactions, forward_origin, reply_context
from agent_channels.telegram.rich_content import rich_content

__all__ = ["ALLOWED_UPDATES", "STOPPED", "to_inbound"]

# Telegram remembers this list, so every poll names every kind that we read.
ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "my_chat_member",
    "message_reaction",
    "poll_answer",
)

# Asked for only where drafts are shown: a press of the button that stops one.
STOPPED = "stopped_message_generation"

_ESSENTIAL = (
    "message_id", "date", "edit_date", "chat", "from", "sender_chat", "message_thread_id", "is_topic_message", "text",
    "entities", "caption", "caption_entities", "migrate_to_chat_id", "rich_message", "ephemeral_message_id",
    "receiver_user",
)  # fmt: skip


def to_inbound(event: RawEvent, me: Identity) -> Inbound:
    """Translate an update for the bot `me`. Never raises."""
    try:
        return _update(event, me)
    except Exception as error:  # noqa: BLE001 - an update that cannot be read must not stop those after it
        return Ignored(f"an update that cannot be read ({type(error).__name__})", unreadable=True)


def _update(event: RawEvent, me: Identity) -> Inbound:
    # A lone half of a surrogate pair, which no database takes, is an escape in the payload.
    update = json.loads(decode_json_line(event.payload.encode()))
    for kind in ("message", "edited_message", "channel_post", "edited_channel_post"):
        if body := update.get(kind):
            return _readable(body, me, edited=kind.startswith("edited"))
    if query := update.get("callback_query"):
        return _tap(query, event.received_at)
    if change := update.get("my_chat_member"):
        return _membership(change)
    if change := update.get("message_reaction"):
        return _reaction(change)
    if answer := update.get("poll_answer"):
        return _vote(answer, event.received_at)
    if stopped := update.get(STOPPED):
        return _stopped(stopped)
    return Ignored("a kind of update that we did not ask for")


def _readable(message: Json, me: Identity, *, edited: bool) -> Inbound:
    try:
        return _message(message, me, edited=edited)
    except Exception:  # noqa: BLE001 - an unexpected detail must not cost the message
        return _message(_essential(message), me, edited=edited)


def _essential(body: Json) -> Json:
    """Return a message with its sender, place and text only; other content is named in the text.

    An older or newer Bot API server may send details, in the message or in the one it replies to, that we cannot read.
    """
    lost = [kind.replace("_", " ") for kind in CONTENT if kind in body]
    named = {} if {"text", "caption", "rich_message"} & body.keys() or not lost else {"text": f"({', '.join(lost)})"}
    return {**{key: body[key] for key in _ESSENTIAL if key in body}, **named}


def _message(message: Json, me: Identity, *, edited: bool) -> Inbound:
    if not message.get("from") and not message.get("sender_chat"):
        return Ignored("a message without a sender")
    chat = chat_of(message["chat"])
    if new := message.get("migrate_to_chat_id"):
        return ChatMigrated(chat.id, str(new))
    if old := message.get("migrate_from_chat_id"):
        return ChatMigrated(str(old), chat.id)
    if joined := message.get("new_chat_members"):
        return Joined(chat, tuple(str(person["id"]) for person in joined))
    topic = message.get("forum_topic_created") or message.get("forum_topic_edited")
    if topic and message.get("message_thread_id"):
        name = topic.get("name")
        if not name:
            return Ignored("a topic's icon")
        return ThreadRenamed(chat.id, str(message["message_thread_id"]), name, bool(topic.get("is_name_implicit")))
    if edited and message.get("location"):
        return Ignored("a live location that moved")
    text, image, attachments = _content(message)
    if not (text or attachments or image):
        return Ignored("a service message")
    mentioned, command, target = _addressees(message, me)
    for_another_bot = target is not None and target.casefold() != me.username.casefold()
    if for_another_bot:
        command = None
    return Message(
        chat=chat,
        message_id=key_of(message),
        sender=sender_of(message),
        ts=_at(message["date"]),
        text=text,
        addressed=chat.kind == "direct" or command is not None or mentioned or _is_for_all(message, me),
        thread_id=thread_of(message),
        thread_name=thread_name_of(message),
        attachments=attachments,
        image=image,
        reply=_reply(message, me),
        forward_from=forward_origin(message),
        copy_of=_original_chat(message),
        edited=edited,
        command=command,
        album_id=message.get("media_group_id"),
        for_another_bot=for_another_bot and chat.kind == "group" and not mentioned,
        ephemeral=is_ephemeral(key_of(message)),
    )


def _original_chat(message: Json) -> str | None:
    """Return the channel whose post Telegram forwarded into the group that discusses it; None for any other message."""
    channel = (message.get("sender_chat") or {}) if message.get("is_automatic_forward") else {}
    return str(channel["id"]) if channel else None


def _content(message: Json) -> tuple[str, Attachment | None, tuple[Attachment, ...]]:
    """Return the words, the picture and the other files of a message; all empty for a service message."""
    if message.get("text") and not message.get("entities"):
        # A text stands alone (Bot API, `Message.text`), and most have no formatting.
        return str(message["text"]), None, ()
    text, (image, attachments) = text_of(message), files_of(message)
    return text or ("" if image or attachments else describe(message)), image, attachments


def _reply(message: Json, me: Identity) -> ReplyContext | None:
    try:
        return reply_context(message, me)
    except Exception:  # noqa: BLE001 - what it replies to must not cost the message's own content
        return None


def _reaction(change: Json) -> Inbound:
    emoji = added_reactions(change["old_reaction"], change["new_reaction"])
    if not emoji:
        return Ignored("a reaction that was removed")
    if not change.get("user"):
        return Ignored("an anonymous reaction")
    chat = chat_of(change["chat"])
    return Message(
        chat=chat,
        message_id=str(change["message_id"]),
        sender=person_of(change["user"]),
        ts=_at(change["date"]),
        text=emoji,
        addressed=chat.kind == "direct",
        reaction=emoji,
    )


def _vote(answer: Json, received_at: float) -> Inbound:
    """Read a vote, which names no chat: it counts as sent in the person's direct chat."""
    if not answer.get("user"):
        return Ignored("an anonymous vote")
    person = person_of(answer["user"])
    chosen = ", ".join(str(number + 1) for number in answer["option_ids"])
    text = f"(poll answer: option {chosen})" if chosen else "(poll answer: taken back)"
    chat = Chat(person.id, "direct")
    return Message(chat, str(answer["poll_id"]), person, _at(received_at), text, addressed=True, passive=True)


def _tap(query: Json, received_at: float) -> Inbound:
    message = query.get("message")
    if not message or query.get("data") is None:
        return Ignored("a tap on a message outside every chat")
    return Tap(
        tap_id=str(query["id"]),
        data=str(query["data"]),
        chat=chat_of(message["chat"]),
        message_id=key_of(message),
        sender=person_of(query["from"]),
        # Telegram does not say when a button was tapped.
        ts=_at(received_at),
        thread_id=thread_of(message),
        snapshot=snapshot(message),
        shown=_shown(message),
    )


def _shown(message: Json) -> frozenset[str] | None:
    """Return the data of the buttons under a message; None for one that Telegram does not show any more (date 0)."""
    if not message.get("date"):
        return None
    rows = (message.get("reply_markup") or {}).get("inline_keyboard") or ()
    below = frozenset(str(key["callback_data"]) for row in rows for key in row if "callback_data" in key)
    rich = rich_content(message)
    return below | rich.button_data if rich else below


def _membership(change: Json) -> Inbound:
    present = change["new_chat_member"]["status"] not in {"left", "kicked"}
    return Membership(chat_of(change["chat"]), person_of(change["from"]), present)


def _stopped(stopped: Json) -> Inbound:
    chat = chat_of(stopped["chat"])
    if chat.kind != "direct":
        return Ignored("a draft that was stopped outside private chats")
    # No sender is given; a private chat has one person, whose id it has. The id of a draft may be a string.
    return DraftStopped(chat, person_of(stopped["chat"]), int(stopped["draft_id"]))


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# ---- parts of a message


def _addressees(message: Json, me: Identity) -> tuple[bool, Command | None, str | None]:
    """Return whether a message mentions the bot, the command that it begins with, and the bot that this one names."""
    if rich := rich_content(message):
        return rich.mentions(me), *_as_command(rich.command or "", rich.text)
    text = message.get("text") or message.get("caption") or ""
    entities = message.get("entities") or message.get("caption_entities") or []
    first = entities[0] if entities else None
    # A command is ASCII, so its length in UTF-16 units is its length in characters.
    word = text[: first["length"]] if first and first["type"] == "bot_command" and first["offset"] == 0 else ""
    return _is_mentioned(text, entities, me), *_as_command(word, text)


def _as_command(word: str, text: str) -> tuple[Command | None, str | None]:
    """Return the command that a text begins with, and the username of the bot that it names, if any."""
    if len(word) < 2:
        return None, None
    name, _, target = word[1:].partition("@")
    return Command(name.lower(), text[len(word) :].strip()), target or None


def _is_for_all(message: Json, me: Identity) -> bool:
    """Return True for a reply to the bot, and for a post in a channel, whose readers are not named in it."""
    if message["chat"]["type"] == "channel":
        return True
    replied = message.get("reply_to_message") or {}
    return not replied.get("forum_topic_created") and str((replied.get("from") or {}).get("id")) == me.id


def _is_mentioned(text: str, entities: list[Json], me: Identity) -> bool:
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in entities:
        if entity["type"] == "text_mention" and str((entity.get("user") or {}).get("id")) == me.id:
            return True
        if entity["type"] == "mention":
            mention = units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])]
            if mention.decode("utf-16-le", "replace").casefold() == f"@{me.username}".casefold():
                return True
    return False
