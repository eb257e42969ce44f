"""The state of the fake Telegram: the bot, people, chats, messages, files, and the updates about them."""

from __future__ import annotations

import copy
import itertools
import math
import re
from typing import Any

from agent_channels.sandbox.server import SandboxState
from agent_channels.sandbox.telegram.errors import too_many
from agent_channels.sandbox.telegram.media import MediaStore
from agent_channels.sandbox.telegram.records import (
    GENERAL_TOPIC,
    ICON_COLORS,
    SERVICE_FIELDS,
    CallbackQuery,
    ChatKind,
    EphemeralMessage,
    Message,
    TelegramChat,
    TelegramUser,
    as_replied,
)
from agent_channels.sandbox.telegram.rich_blocks import rich_nodes
from agent_channels.sandbox.telegram.update_queue import UpdateQueue
from agent_channels.sandbox.telegram.utf16 import entity_text
from agent_channels.sandbox.token_buckets import TokenBuckets

__all__ = ["TelegramState"]

FIRST_USER = 5_000_001
FIRST_GROUP = 4_000_001
SUPERGROUP_BASE = -1_000_000_000_000


class TelegramState(SandboxState):
    """Everything Telegram knows about one bot.

    `version`: of the Bot API server. `privacy`: the bot has privacy mode. `commands`: the bot's commands by (scope,
    language code). `ephemerals`: messages that only one person and the bot see, by number. `settings`: what getMe says
    of topics.
    """

    def __init__(self, bot: TelegramUser, version: str = "10.5") -> None:
        super().__init__()
        self.bot = bot
        self._version = _as_numbers(version)
        self.privacy = True
        self.settings = {"has_topics_enabled": False, "allows_users_to_create_topics": False}
        self.users: dict[int, TelegramUser] = {bot.id: bot}
        self.chats: dict[int, TelegramChat] = {}
        self.files = MediaStore()
        self.queries: dict[str, CallbackQuery] = {}
        self.commands: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.ephemerals: dict[int, EphemeralMessage] = {}
        self.updates = UpdateQueue(self.now, self.changed)
        self.flood = TokenBuckets(self.now)
        self._message_ids = itertools.count(1)
        self._ephemeral_ids = itertools.count(1)
        self._user_ids = itertools.count(FIRST_USER)
        self._group_ids = itertools.count(FIRST_GROUP)

    def set_version(self, version: str) -> None:
        """Speak another version of the Bot API, such as 10.0. Raises ValueError for what is not a version."""
        self._version = _as_numbers(version)

    def known(self, since: str) -> bool:
        """Return whether the server knows what came with this version of the Bot API, such as "10.3"."""
        return self._version >= _as_numbers(since)

    # --- people and chats

    def add_user(
        self, first_name: str, username: str, last_name: str, language_code: str, user_id: int | None = None
    ) -> TelegramUser:
        """Add a person, known to Telegram but not to the bot, with their private chat; `user_id`: of one who exists."""
        user = TelegramUser(user_id or next(self._user_ids), first_name, username, last_name, language_code)
        self.users[user.id] = user
        self.chats[user.id] = TelegramChat(user.id, "private", "", lambda: next(self._message_ids), user=user)
        return user

    def add_group(self, title: str, kind: ChatKind, *, forum: bool = False) -> TelegramChat:
        """Add a group without members. Supergroups count their own message ids, other chats share a counter."""
        number = next(self._group_ids)
        own_ids = itertools.count(1)
        if kind == "group":
            chat = TelegramChat(-number, kind, title, lambda: next(self._message_ids))
        else:
            chat = TelegramChat(SUPERGROUP_BASE - number, kind, title, lambda: next(own_ids), is_forum=forum)
            if forum:
                chat.topics[GENERAL_TOPIC] = "General"
                next(own_ids)
        self.chats[chat.id] = chat
        return chat

    def find_user(self, user_id: int) -> dict[str, Any] | None:
        """Return the User object of an id, None for an unknown one."""
        user = self.users.get(user_id)
        return user.as_dict() if user else None

    # --- topics

    def has_topics_in(self, chat: TelegramChat) -> bool:
        """Return True if a chat has topics: a forum, and every private chat if the bot has them there."""
        return chat.is_forum or (not chat.is_group and self.settings["has_topics_enabled"])

    def set_topics(self, *, on: bool, people_create: bool) -> None:
        """Switch topics in private chats on or off; `people_create`: people may open topics there themselves."""
        self.settings = {"has_topics_enabled": on, "allows_users_to_create_topics": on and people_create}
        self.changed()

    def open_topic(self, chat: TelegramChat, by: TelegramUser, name: str, *, implicit: bool = False) -> int:
        """Open a topic and return its thread id; `implicit`: Telegram chose the name."""
        thread_id = chat.next_message_id()
        if thread_id == GENERAL_TOPIC:
            thread_id = chat.next_message_id()
        chat.topics[thread_id] = name
        created = {"name": name, "icon_color": ICON_COLORS[0], **({"is_name_implicit": True} if implicit else {})}
        place = {"message_thread_id": thread_id, "is_topic_message": True}
        self.post(chat, by, {"message_id": thread_id, **place, "forum_topic_created": created})
        return thread_id

    def rename_topic(self, chat: TelegramChat, by: TelegramUser, thread_id: int, name: str) -> None:
        """Rename a topic, with the message that says so."""
        chat.topics[thread_id] = name
        place = {"message_thread_id": thread_id, "is_topic_message": True}
        self.post(chat, by, {**place, "forum_topic_edited": {"name": name}})

    def delete_topic(self, chat: TelegramChat, thread_id: int) -> None:
        """Delete a topic with its messages."""
        del chat.topics[thread_id]
        chat.closed_topics.discard(thread_id)
        for number, message in list(chat.messages.items()):
            if message.get("message_thread_id") == thread_id:
                del chat.messages[number]
        # What the bot's test has not read of it, it never will.
        chat.bot_message_ids[chat.next_unread :] = [
            number for number in chat.bot_message_ids[chat.next_unread :] if number in chat.messages
        ]
        self.changed()

    # --- messages

    def post(self, chat: TelegramChat, sender: TelegramUser, fields: Message, **extra: Any) -> Message:
        """Put a message into a chat, and queue an update if the bot may see it. None values of `extra` are left out."""
        message: Message = {
            "message_id": fields.get("message_id") or chat.next_message_id(),
            "from": sender.as_dict(),
            "chat": chat.as_dict(),
            "date": int(self.now()),
            **fields,
            **{name: value for name, value in extra.items() if value is not None},
        }
        if chat.kind == "channel":
            message["sender_chat"] = chat.as_dict()
        chat.messages[message["message_id"]] = message
        if sender.is_bot:
            chat.drafts.pop(message.get("message_thread_id"), None)
            if not any(name in message for name in SERVICE_FIELDS):
                chat.bot_message_ids.append(message["message_id"])
        elif self.visible(chat, message):
            self.updates.add("channel_post" if chat.kind == "channel" else "message", _for_update(message))
        self.changed()
        return message

    def post_ephemeral(
        self, chat: TelegramChat, sender: TelegramUser, receiver: TelegramUser, fields: Message, **extra: Any
    ) -> Message:
        """Put a message that only these two see into a chat, and queue a person's; it has a number, and the id 0."""
        number = next(self._ephemeral_ids)
        message: Message = {
            "message_id": 0,
            "ephemeral_message_id": number,
            "from": sender.as_dict(),
            "receiver_user": receiver.as_dict(),
            "chat": chat.as_dict(),
            "date": int(self.now()),
            **fields,
            **{name: value for name, value in extra.items() if value is not None},
        }
        self.ephemerals[number] = EphemeralMessage(
            self.now(), chat.id, receiver.id if sender.is_bot else sender.id, message
        )
        if not sender.is_bot:
            self.updates.add("message", copy.deepcopy(message))
        self.changed()
        return message

    def edited(self, chat: TelegramChat, message: Message) -> None:
        """Record that a message was edited, and queue an update for a person's edit."""
        message["edit_date"] = int(self.now())
        if not message["from"]["is_bot"] and self.visible(chat, message):
            kind = "edited_channel_post" if chat.kind == "channel" else "edited_message"
            self.updates.add(kind, _for_update(message))
        self.changed()

    def visible(self, chat: TelegramChat, message: Message) -> bool:
        """Return True if the bot receives this message, by membership, blocking and privacy mode."""
        if chat.kind == "private":
            return not chat.blocked
        status = chat.members.get(self.bot.id)
        if status not in {"member", "administrator"}:
            return False
        return not self.privacy or status == "administrator" or self._addresses_bot(message)

    def _addresses_bot(self, message: Message) -> bool:
        if any(name in message for name in SERVICE_FIELDS):
            return True
        replied = message.get("reply_to_message") or {}
        if replied.get("from", {}).get("id") == self.bot.id and "forum_topic_created" not in replied:
            return True
        text = message.get("text") or message.get("caption") or ""
        username = f"@{self.bot.username}".lower()
        for entity in [*message.get("entities", ()), *message.get("caption_entities", ())]:
            covered = entity_text(text, entity).lower()
            if entity["type"] == "bot_command" and ("@" not in covered or covered.endswith(username)):
                return True
            if entity["type"] == "mention" and covered == username:
                return True
            if entity["type"] == "text_mention" and entity["user"]["id"] == self.bot.id:
                return True
        return any(self._names_bot(node) for node in rich_nodes(message.get("rich_message")))

    def _names_bot(self, node: dict[str, Any]) -> bool:
        match node:
            case {"type": "mention", "username": str(name)}:
                return name.lower() == self.bot.username.lower()
            case {"type": "text_mention", "user": {"id": number}}:
                return bool(number == self.bot.id)
            case {"type": "bot_command", "text": str(word)}:
                return "@" not in word or word.lower().endswith(f"@{self.bot.username}".lower())
        return False

    def spend_activity(self, chat: TelegramChat) -> None:
        """Count a draft or chat action. Raises BotApiError 429 above 20 of both in 5 s, or 40 in 30 s, in one chat."""
        now = self.now()
        chat.activity = [at for at in chat.activity if now - at < 30]
        for seconds, most in ((5, 20), (30, 40)):
            recent = [at for at in chat.activity if now - at < seconds]
            if len(recent) >= most:
                raise too_many(max(1, math.ceil(recent[0] + seconds - now)))
        chat.activity.append(now)

    def spend(self, chat_id: int) -> None:
        """Count one sent message. Raises BotApiError 429 when the flood rule allows no more in this chat."""
        if wait_s := self.flood.take(chat_id):
            raise too_many(max(1, math.ceil(wait_s)))


def _for_update(message: Message) -> Message:
    """Return a copy of a message whose replied message has no reply of its own; posts of a channel name no person."""
    replied = message.get("reply_to_message")
    copied = as_replied(message) | ({"reply_to_message": as_replied(replied)} if replied else {})
    if message["chat"]["type"] == "channel":
        for post in (copied, copied.get("reply_to_message", {})):
            post.pop("from", None)
    return copied


def _as_numbers(version: str) -> tuple[int, ...]:
    if re.fullmatch(r"\d{1,3}\.\d{1,3}", version) is None:
        raise ValueError(f"{version!r} is not a version of the Bot API; write it as 10.0")
    return tuple(map(int, version.split(".")))
