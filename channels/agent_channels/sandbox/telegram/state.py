"""What exists on the sandbox's Telegram: the bot, people, chats, messages, files, and the updates about them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, TypeVar

from agent_channels.sandbox.server import SandboxState
from agent_channels.sandbox.telegram.errors import too_many
from agent_channels.sandbox.telegram.media import MediaStore
from agent_channels.sandbox.telegram.records import (
    GENERAL_TOPIC,
    SERVICE_FIELDS,
    CallbackQuery,
    ChatKind,
    Message,
    TelegramChat,
    TelegramUser,
    quoted,
)
from agent_channels.sandbox.telegram.update_queue import UpdateQueue

__all__ = ["TelegramState"]

T = TypeVar("T")

FIRST_USER = 5_000_001
FIRST_GROUP = 4_000_001
SUPERGROUP_BASE = -1_000_000_000_000


@dataclass
class _Flood:
    per_s: float
    burst: int


class TelegramState(SandboxState):
    """The state behind one bot. Everything is in memory, and every change wakes who waits in `wait_for`."""

    def __init__(self, bot: TelegramUser) -> None:
        super().__init__()
        self.bot = bot
        self.privacy = True
        self.users: dict[int, TelegramUser] = {bot.id: bot}
        self.chats: dict[int, TelegramChat] = {}
        self.files = MediaStore()
        self.queries: dict[str, CallbackQuery] = {}
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.updates = UpdateQueue(self.now, self.changed)
        self._message_ids = itertools.count(1)
        self._user_ids = itertools.count(FIRST_USER)
        self._group_ids = itertools.count(FIRST_GROUP)
        self._flood: _Flood | None = None
        self._buckets: dict[int, tuple[float, float]] = {}

    # --- people and chats

    def add_user(self, first_name: str, username: str, last_name: str, language_code: str) -> TelegramUser:
        """A new person, known to Telegram but not to the bot."""
        user = TelegramUser(next(self._user_ids), first_name, username, last_name, language_code)
        self.users[user.id] = user
        self.chats[user.id] = TelegramChat(user.id, "private", "", lambda: next(self._message_ids), user=user)
        return user

    def add_group(self, title: str, kind: ChatKind, *, forum: bool = False) -> TelegramChat:
        """A new group without members."""
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
        """The User object of an id, None for a stranger."""
        user = self.users.get(user_id)
        return user.as_dict() if user else None

    # --- messages

    def post(self, chat: TelegramChat, sender: TelegramUser, fields: Message, **extra: Any) -> Message:
        """Puts a message into a chat and tells the bot when it may see it. `extra` without its None."""
        message: Message = {
            "message_id": fields.get("message_id") or chat.next_message_id(),
            "from": sender.as_dict(),
            "chat": chat.as_dict(),
            "date": int(self.now()),
            **fields,
            **{name: value for name, value in extra.items() if value is not None},
        }
        chat.messages[message["message_id"]] = message
        if sender.is_bot:
            if not any(name in message for name in SERVICE_FIELDS):
                chat.bot_log.append(message["message_id"])
        elif self.visible(chat, message):
            self.updates.add("message", quoted(message) | _reply_part(message))
        self.changed()
        return message

    def edited(self, chat: TelegramChat, message: Message) -> None:
        """Records an edit: the bot hears of people's edits, people see the bot's."""
        message["edit_date"] = int(self.now())
        if not message["from"]["is_bot"] and self.visible(chat, message):
            self.updates.add("edited_message", quoted(message) | _reply_part(message))
        self.changed()

    def visible(self, chat: TelegramChat, message: Message) -> bool:
        """Whether the bot receives this message: membership, blocking and privacy mode ("Privacy mode", Bot FAQ)."""
        if chat.kind == "private":
            return not chat.blocked
        status = chat.members.get(self.bot.id)
        if status not in {"member", "administrator"}:
            return False
        return not self.privacy or status == "administrator" or self._addressed(message)

    def _addressed(self, message: Message) -> bool:
        if any(name in message for name in SERVICE_FIELDS):
            return True
        replied = message.get("reply_to_message") or {}
        if replied.get("from", {}).get("id") == self.bot.id and "forum_topic_created" not in replied:
            return True
        text = message.get("text") or message.get("caption") or ""
        units = text.encode("utf-16-le")
        for entity in [*message.get("entities", ()), *message.get("caption_entities", ())]:
            begin = 2 * entity["offset"]
            piece = units[begin : begin + 2 * entity["length"]].decode("utf-16-le").lower()
            name = f"@{self.bot.username}".lower()
            if entity["type"] == "bot_command" and ("@" not in piece or piece.endswith(name)):
                return True
            if entity["type"] == "mention" and piece == name:
                return True
            if entity["type"] == "text_mention" and entity["user"]["id"] == self.bot.id:
                return True
        return False

    # --- flood control

    def set_flood(self, per_chat_per_s: float | None, burst: int = 1) -> None:
        """At most `per_chat_per_s` messages a second into one chat, `burst` at once; None switches the rule off."""
        self._flood = _Flood(per_chat_per_s, burst) if per_chat_per_s else None
        self._buckets.clear()

    def spend(self, chat_id: int) -> None:
        """Counts one sent message. Raises BotApiError 429 when the chat has had too many."""
        if self._flood is None:
            return
        now = self.now()
        tokens, at = self._buckets.get(chat_id, (float(self._flood.burst), now))
        tokens = min(tokens + (now - at) * self._flood.per_s, float(self._flood.burst))
        if tokens < 1:
            self._buckets[chat_id] = (tokens, now)
            raise too_many(max(1, -int(-(1 - tokens) / self._flood.per_s // 1)))
        self._buckets[chat_id] = (tokens - 1, now)


def _reply_part(message: Message) -> Message:
    replied = message.get("reply_to_message")
    return {"reply_to_message": quoted(replied)} if replied else {}
