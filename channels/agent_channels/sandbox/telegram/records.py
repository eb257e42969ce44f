"""Users, chats and callback queries as plain records, and the Bot API objects made of them."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from agent_channels.sandbox.telegram.utf16 import utf16

__all__ = [
    "GENERAL_TOPIC",
    "ICON_COLORS",
    "SERVICE_FIELDS",
    "CallbackQuery",
    "ChatKind",
    "Draft",
    "EphemeralMessage",
    "Message",
    "TelegramChat",
    "TelegramUser",
    "as_replied",
    "member_object",
    "new_poll",
    "quote_of",
]

ChatKind: TypeAlias = Literal["private", "group", "supergroup", "channel"]
Message: TypeAlias = dict[str, Any]

# "Forum topics": the General topic always exists and has this id.
GENERAL_TOPIC = 1
# createForumTopic, icon_color.
ICON_COLORS = (7322096, 16766590, 13338331, 9367192, 16749490, 16478047)
SERVICE_FIELDS = (
    "new_chat_members",
    "left_chat_member",
    "group_chat_created",
    "supergroup_chat_created",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
)


@dataclass
class TelegramUser:
    """A person or a bot, with the fields of the Bot API's User."""

    id: int
    first_name: str
    username: str = ""
    last_name: str = ""
    language_code: str = ""
    is_bot: bool = False
    is_deactivated: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the Bot API's User object."""
        user: dict[str, Any] = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        for name in ("last_name", "username", "language_code"):
            if value := getattr(self, name):
                user[name] = value
        return user


@dataclass
class CallbackQuery:
    """A tap of `user_id` at `at` on the sandbox's clock; `answer` is {"text", "show_alert", "url"} once it is given."""

    id: str
    at: float
    user_id: int
    chat_id: int
    message_id: int
    data: str
    answer: dict[str, Any] | None = None


@dataclass(frozen=True)
class EphemeralMessage:
    """A message that only `user_id` and the bot see. `at` is on the sandbox's clock."""

    at: float
    chat_id: int
    user_id: int
    message: Message


@dataclass(frozen=True)
class Draft:
    """What a private chat, or a topic of it, shows of a message to come; `at` is when it was sent, in seconds."""

    id: int
    text: str
    thread_id: int | None
    can_stop: bool
    keep_on_stop: bool
    at: float


@dataclass
class TelegramChat:
    """One chat; `id` is the user's for a private chat, negative for groups, -100... for supergroups and channels.

    `members` maps user ids to statuses, `topics` thread ids to names, `reactions` message ids to users' reactions.
    `actions` lists the bot's chat actions as (time, action, thread id), `drafts` holds the last draft by thread id, and
    `activity` the times of both. `bot_message_ids` lists the bot's messages, `next_unread` counts those already
    returned by `next_message`. `started`: the person has written to the bot.
    """

    id: int
    kind: ChatKind
    title: str
    next_message_id: Callable[[], int]
    user: TelegramUser | None = None
    is_forum: bool = False
    messages: dict[int, Message] = field(default_factory=dict)
    members: dict[int, str] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    closed_topics: set[int] = field(default_factory=set)
    reactions: dict[int, dict[int, list[dict[str, Any]]]] = field(default_factory=dict)
    actions: list[tuple[float, str, int | None]] = field(default_factory=list)
    drafts: dict[int | None, Draft] = field(default_factory=dict)
    activity: list[float] = field(default_factory=list)
    bot_message_ids: list[int] = field(default_factory=list)
    next_unread: int = 0
    started: bool = False
    blocked: bool = False
    migrated_to: int | None = None

    @property
    def is_group(self) -> bool:
        """Whether this is a group, supergroup or channel."""
        return self.kind != "private"

    def as_dict(self) -> dict[str, Any]:
        """Return the Bot API's Chat object."""
        if self.user is not None:
            chat: dict[str, Any] = {"id": self.id, "type": "private", "first_name": self.user.first_name}
            for name in ("last_name", "username"):
                if value := getattr(self.user, name):
                    chat[name] = value
            return chat
        chat = {"id": self.id, "type": self.kind, "title": self.title}
        if self.is_forum:
            chat["is_forum"] = True
        if self.kind == "group":
            chat["all_members_are_administrators"] = False
        return chat

    def current_messages(self) -> list[Message]:
        """Return copies of the messages as people see them now, oldest first."""
        return [copy.deepcopy(message) for _, message in sorted(self.messages.items())]

    def topic_root(self, thread_id: int) -> Message | None:
        """Return the service message that opened a topic; None for General, which has none."""
        root = self.messages.get(thread_id)
        return as_replied(root) if root and "forum_topic_created" in root else None


ADMIN_RIGHTS = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_pin_messages",
    "can_manage_topics",
    "can_send_welcome_messages",
)


def member_object(user: TelegramUser, status: str) -> dict[str, Any]:
    """Return the Bot API's ChatMember of this status."""
    member: dict[str, Any] = {"status": status, "user": user.as_dict()}
    if status == "creator":
        member["is_anonymous"] = False
    elif status == "administrator":
        member |= {"can_be_edited": False, "is_anonymous": False, **dict.fromkeys(ADMIN_RIGHTS, True)}
    elif status == "kicked":
        member["until_date"] = 0
    return member


def as_replied(message: Message) -> Message:
    """Return a copy of a message for `reply_to_message`, which leaves out the message's own `reply_to_message`."""
    return {name: copy.deepcopy(value) for name, value in message.items() if name != "reply_to_message"}


def quote_of(replied: Message, quote: str) -> dict[str, Any] | None:
    """Return the TextQuote of a reply, or None when `quote` is not in the replied message."""
    text = replied.get("text") or replied.get("caption") or ""
    index = text.find(quote)
    return None if index < 0 else {"text": quote, "position": utf16(text[:index]), "is_manual": True}


def new_poll(question: str, options: Sequence[str], *, anonymous: bool, multiple: bool) -> dict[str, Any]:
    """Return a Poll without votes."""
    return {
        "id": str(secrets.randbits(62)),
        "question": question,
        "options": [
            {"persistent_id": str(index), "text": text, "voter_count": 0} for index, text in enumerate(options)
        ],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": anonymous,
        "type": "regular",
        "allows_multiple_answers": multiple,
        "allows_revoting": True,
        "members_only": False,
    }
