"""From an update, as Telegram sent it, to the neutral values of the core. Pure: no network, no clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from telegram import (
    CallbackQuery,
    ChatMemberUpdated,
    MessageEntity,
    MessageReactionUpdated,
    PollAnswer,
    Update,
)
from telegram import Chat as TelegramChat
from telegram import Message as TelegramMessage

from channels.core.stdin import mended
from channels.core.types import (
    Attachment,
    Chat,
    Command,
    Identity,
    Ignored,
    Inbound,
    Membership,
    Message,
    Moved,
    Named,
    RawEvent,
    Tap,
)
from channels.telegram.context import CONTENT, FILES, in_words, linked, origin_of, quote_of, reactions_of
from channels.telegram.places import chat_of, person_of, sender_of, thread_name_of, thread_of

__all__ = ["ALLOWED_UPDATES", "snapshot", "to_inbound"]

# The list is sticky on Telegram's side, so every kind that is wanted is named at every poll.
ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "message_reaction",
    "poll_answer",
)

_ESSENTIAL = (
    "message_id", "date", "edit_date", "chat", "from", "sender_chat", "message_thread_id", "is_topic_message", "text",
    "entities", "caption", "caption_entities", "migrate_to_chat_id",
)  # fmt: skip


def to_inbound(event: RawEvent, me: Identity) -> Inbound:
    """What an update means to the bot `me`."""
    try:
        return _update(event, me)
    except Exception as error:  # noqa: BLE001 - whatever cannot be read must not stop what follows
        return Ignored(f"an update that cannot be read ({type(error).__name__})", unreadable=True)


def _update(event: RawEvent, me: Identity) -> Inbound:
    # A lone half of a surrogate pair, which no database takes, is one escape in the payload.
    raw = json.loads(mended(event.payload.encode()))
    try:
        update = Update.de_json(raw, None)
    except Exception:  # noqa: BLE001 - a detail that the library does not take must not cost the message
        update = Update.de_json(_essentials(raw), None)
    if update.callback_query:
        return _tap(update.callback_query, raw["callback_query"], event.received_at)
    if update.my_chat_member:
        return _membership(update.my_chat_member)
    if update.message_reaction:
        return _reaction(update.message_reaction)
    if update.poll_answer:
        return _vote(update.poll_answer, event.received_at)
    message = update.message or update.edited_message
    if message is None:
        return Ignored("a kind of update nobody asked for")
    return _message(message, me, edited=update.edited_message is not None)


def _essentials(raw: dict[str, Any]) -> dict[str, Any]:
    """An update whose message has nothing in it but who said what where, and in words what else there was.

    An older or newer Bot API server's details, in the message or in what it replies to, may be none the library takes.
    """
    return {key: _bare(body) if key in {"message", "edited_message"} else body for key, body in raw.items()}


def _bare(body: dict[str, Any]) -> dict[str, Any]:
    lost = [kind.replace("_", " ") for kind in CONTENT if kind in body]
    told = {} if "text" in body or "caption" in body or not lost else {"text": f"({', '.join(lost)})"}
    return {**{key: body[key] for key in _ESSENTIAL if key in body}, **told}


def _message(message: TelegramMessage, me: Identity, *, edited: bool) -> Inbound:
    if message.from_user is None and message.sender_chat is None:
        return Ignored("a message without a sender")
    if message.migrate_to_chat_id:
        return Moved(str(message.chat.id), str(message.migrate_to_chat_id))
    if message.migrate_from_chat_id:
        return Moved(str(message.migrate_from_chat_id), str(message.chat.id))
    topic = message.forum_topic_created or message.forum_topic_edited
    if topic and message.message_thread_id:
        name = topic.name
        return Named(str(message.chat.id), str(message.message_thread_id), name) if name else Ignored("a topic's icon")
    if edited and message.location:
        return Ignored("a live location that moved")
    attachments = _attachments(message)
    image = _photo(message)
    text = message.text or message.caption or ""
    extra = "" if attachments or image or text else in_words(message)
    if not (text or extra or attachments or image):
        return Ignored("a service message")
    entities = message.entities or message.caption_entities
    command = _command(text, entities, me)
    return Message(
        chat=chat_of(message.chat),
        message_id=str(message.message_id),
        sender=sender_of(message),
        ts=message.date,
        text=linked(text, entities) or extra,
        addressed=_addressed(message, text, entities, me, command),
        thread_id=thread_of(message),
        thread_name=thread_name_of(message),
        attachments=attachments,
        image=image,
        reply=quote_of(message, me),
        forward_from=origin_of(message),
        edited=edited,
        command=command,
        album_id=message.media_group_id,
    )


def _reaction(change: MessageReactionUpdated) -> Inbound:
    emoji = reactions_of(change.old_reaction, change.new_reaction)
    if not emoji:
        return Ignored("a reaction that was taken back")
    if change.user is None:
        return Ignored("a reaction of nobody in particular")
    chat = chat_of(change.chat)
    return Message(
        chat=chat,
        message_id=str(change.message_id),
        sender=person_of(change.user),
        ts=change.date,
        text=emoji,
        addressed=chat.kind == "direct",
        reaction=emoji,
    )


def _vote(answer: PollAnswer, received_at: float) -> Inbound:
    """A vote names no chat: it is taken for something that the person said directly."""
    if answer.user is None:
        return Ignored("a vote of nobody in particular")
    person = person_of(answer.user)
    chosen = ", ".join(str(number + 1) for number in answer.option_ids)
    text = f"(poll answer: option {chosen})" if chosen else "(poll answer: taken back)"
    chat = Chat(person.id, "direct")
    ts = datetime.fromtimestamp(received_at, UTC)
    return Message(chat, answer.poll_id, person, ts, text, addressed=True, quiet=True)


def _tap(query: CallbackQuery, raw: dict[str, Any], received_at: float) -> Inbound:
    if query.message is None or query.data is None:
        return Ignored("a tap on a message outside every chat")
    return Tap(
        tap_id=query.id,
        data=query.data,
        chat=chat_of(query.message.chat),
        message_id=str(query.message.message_id),
        sender=person_of(query.from_user),
        # Telegram does not say when a button was tapped.
        ts=datetime.fromtimestamp(received_at, UTC),
        thread_id=thread_of(query.message),
        snapshot=snapshot(raw.get("message", {})),
    )


def _membership(change: ChatMemberUpdated) -> Inbound:
    present = change.new_chat_member.status not in {"left", "kicked"}
    return Membership(chat_of(change.chat), person_of(change.from_user), present)


def snapshot(message: dict[str, Any]) -> str | None:
    """How a message reads, as JSON: its text or caption with entities and preview options; None without a text."""
    kept = ("text", "entities", "caption", "caption_entities", "link_preview_options")
    note = {key: message[key] for key in kept if message.get(key)}
    return json.dumps(note) if "text" in note or "caption" in note else None


# ---- pieces


def _photo(message: TelegramMessage) -> Attachment | None:
    if not message.photo:
        return None
    largest = max(message.photo, key=lambda size: size.width * size.height)
    return Attachment("photo", largest.file_id, None, "image/jpeg", largest.file_size)


def _attachments(message: TelegramMessage) -> tuple[Attachment, ...]:
    for kind in FILES:
        file = getattr(message, kind)
        if file is not None:
            name = getattr(file, "file_name", None)
            mime = getattr(file, "mime_type", None)
            return (Attachment(kind, file.file_id, name, mime, file.file_size),)
    return ()


def _command(text: str, entities: tuple[MessageEntity, ...], me: Identity) -> Command | None:
    """The bot command a text begins with, unless it is for another bot."""
    first = entities[0] if entities else None
    if first is None or first.type != MessageEntity.BOT_COMMAND or first.offset != 0:
        return None
    # A command is ASCII, so its length in UTF-16 units is its length in characters.
    word, argument = text[1 : first.length], text[first.length :].strip()
    name, _, target = word.partition("@")
    if target and target.casefold() != me.username.casefold():
        return None
    return Command(name.lower(), argument)


def _addressed(
    message: TelegramMessage, text: str, entities: tuple[MessageEntity, ...], me: Identity, command: Command | None
) -> bool:
    if message.chat.type == TelegramChat.PRIVATE or command is not None:
        return True
    replied = message.reply_to_message
    if replied and not replied.forum_topic_created and replied.from_user and str(replied.from_user.id) == me.id:
        return True
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in entities:
        if entity.type == MessageEntity.TEXT_MENTION and entity.user and str(entity.user.id) == me.id:
            return True
        if entity.type == MessageEntity.MENTION:
            said = units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "replace")
            if said.casefold() == f"@{me.username}".casefold():
                return True
    return False
