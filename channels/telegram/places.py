"""Who and where: chats, topics and people of a message."""

from __future__ import annotations

from telegram import Chat as TelegramChat
from telegram import MaybeInaccessibleMessage, User
from telegram import Message as TelegramMessage

from channels.core.types import Chat, Person

__all__ = ["chat_of", "person_of", "sender_of", "thread_name_of", "thread_of"]


def chat_of(chat: TelegramChat) -> Chat:
    kind = "direct" if chat.type == TelegramChat.PRIVATE else "group"
    return Chat(str(chat.id), "direct" if kind == "direct" else "group", chat.title)


def person_of(user: User) -> Person:
    return Person(str(user.id), user.full_name, user.username, user.is_bot)


def sender_of(message: TelegramMessage) -> Person:
    # An anonymous admin or a channel speaks as a chat; the user in `from` is then only Telegram's stand-in.
    if message.sender_chat is not None:
        chat = message.sender_chat
        return Person(str(chat.id), chat.title or "", chat.username)
    if message.from_user is None:
        raise ValueError("a message without a sender was let through")
    return person_of(message.from_user)


def thread_of(message: MaybeInaccessibleMessage) -> str | None:
    # Replies outside forums carry a thread id too; only topics count.
    if isinstance(message, TelegramMessage) and message.is_topic_message and message.message_thread_id:
        return str(message.message_thread_id)
    return None


def thread_name_of(message: TelegramMessage) -> str | None:
    created = message.reply_to_message.forum_topic_created if message.reply_to_message else None
    return created.name if created and thread_of(message) else None
