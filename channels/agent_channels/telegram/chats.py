"""Chats, threads and people of a message, from the objects of the Bot API."""

from __future__ import annotations

from typing import Any

from agent_channels.core.contract.messages import Chat, Person

__all__ = [
    "Json",
    "chat_of",
    "ephemeral_number",
    "is_ephemeral",
    "key_of",
    "person_of",
    "sender_of",
    "thread_name_of",
    "thread_of",
]

Json = dict[str, Any]
_EPHEMERAL = "e"


def chat_of(chat: Json) -> Chat:
    return Chat(str(chat["id"]), "direct" if chat["type"] == "private" else "group", chat.get("title"))


def person_of(user: Json) -> Person:
    last = user.get("last_name")
    name = f"{user['first_name']} {last}" if last else str(user["first_name"])
    return Person(str(user["id"]), name, user.get("username"), bool(user.get("is_bot")))


def sender_of(message: Json) -> Person:
    # An anonymous admin or a channel writes as a chat; the user in `from` is then only Telegram's stand-in.
    if chat := message.get("sender_chat"):
        return Person(str(chat["id"]), chat.get("title") or "", chat.get("username"))
    return person_of(message["from"])


def key_of(message: Json) -> str:
    """Return the id of a message; for one that only one person sees, whose id is always 0, `e<number>.<person>`."""
    number, own = message["message_id"], message.get("ephemeral_message_id")
    if number or not own:
        return str(number)
    # Either of the two wrote it.
    people = [user for key in ("from", "receiver_user") if (user := message.get(key)) and not user.get("is_bot")]
    return f"{_EPHEMERAL}{own}.{people[0]['id'] if people else message['chat']['id']}"


def is_ephemeral(message_id: str) -> bool:
    """Return whether an id from `key_of` is that of a message that only one person sees."""
    return message_id.startswith(_EPHEMERAL)


def ephemeral_number(message_id: str) -> int:
    """Return the number in an id for which `is_ephemeral` is true, as Telegram has it."""
    return int(message_id.removeprefix(_EPHEMERAL).partition(".")[0])


def thread_of(message: Json) -> str | None:
    # Replies outside forums carry a thread id too; only topics count.
    thread = message.get("message_thread_id")
    return str(thread) if thread and message.get("is_topic_message") else None


def thread_name_of(message: Json) -> str | None:
    created = (message.get("reply_to_message") or {}).get("forum_topic_created")
    return created["name"] if created and thread_of(message) else None
