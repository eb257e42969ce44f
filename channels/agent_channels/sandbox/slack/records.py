"""Users, conversations and the app as plain records; ids are Slack's own kind, such as C0ABC1234."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = [
    "BOT_SCOPES",
    "CHANNEL",
    "EVENTS",
    "IM",
    "MPIM",
    "PRIVATE",
    "Conversation",
    "Message",
    "SlackApp",
    "SlackUser",
    "TsGenerator",
    "new_id",
    "ts_key",
]

Message: TypeAlias = dict[str, Any]

# Kinds of conversations, named as in the `types` argument of conversations.list.
CHANNEL, PRIVATE, IM, MPIM = "public_channel", "private_channel", "im", "mpim"
# The first part of the scopes for each kind, and the `channel_type` of its events.
SCOPE_PREFIX = {CHANNEL: "channels", PRIVATE: "groups", IM: "im", MPIM: "mpim"}
EVENT_TYPE = {CHANNEL: "channel", PRIVATE: "group", IM: "im", MPIM: "mpim"}

# What the app is installed with.
BOT_SCOPES = (
    *("app_mentions:read", "assistant:write", "channels:history", "channels:join", "channels:read", "chat:write"),
    *("commands", "emoji:read", "files:read", "files:write", "groups:history", "groups:read", "im:history", "im:read"),
    *("im:write", "mpim:history", "mpim:read", "reactions:read", "reactions:write", "users:read"),
)
# Everything an app can subscribe to here, with the scope each event needs ("" for none).
EVENTS = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "channel_archive": "channels:read",
    "channel_unarchive": "channels:read",
    "channel_deleted": "channels:read",
    "channel_left": "channels:read",
    "channel_rename": "channels:read",
    "group_archive": "groups:read",
    "group_unarchive": "groups:read",
    "group_deleted": "groups:read",
    "group_left": "groups:read",
    "group_rename": "groups:read",
    "file_shared": "files:read",
    "app_uninstalled": "",
    "tokens_revoked": "",
}

ID_LETTERS = string.ascii_uppercase + string.digits


def new_id(prefix: str) -> str:
    """Return a new id: the prefix, 0, and nine letters or digits."""
    return prefix + "0" + "".join(secrets.choice(ID_LETTERS) for _ in range(9))


class TsGenerator:
    """Makes increasing timestamps, which are also the ids of messages: seconds, a point, six digits."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0

    def __call__(self) -> str:
        """Return the next timestamp."""
        self._last = max(int(self._now() * 1_000_000), self._last + 1)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"


def ts_key(ts: str) -> int:
    """Return a timestamp as a whole number of microseconds. Raises ValueError for a malformed one."""
    seconds, _, rest = ts.partition(".")
    if not (seconds.isascii() and seconds.isdecimal() and (not rest or (rest.isascii() and rest.isdecimal()))):
        raise ValueError(f"{ts!r} is not a timestamp")
    return int(seconds) * 1_000_000 + int(rest[:6].ljust(6, "0"))


@dataclass
class SlackApp:
    """The app and how it is configured on api.slack.com.

    `commands` are its slash commands, "/" included, each with whether names in its text become ids. `messages_tab`:
    people can write to it in a direct chat.
    """

    id: str
    bot_scopes: list[str] = field(default_factory=lambda: list(BOT_SCOPES))
    app_scopes: list[str] = field(default_factory=lambda: ["connections:write"])
    events: set[str] = field(default_factory=lambda: set(EVENTS))
    commands: dict[str, bool] = field(default_factory=dict)
    socket_mode: bool = True
    interactivity: bool = True
    messages_tab: bool = True
    # Deprecated, but still in every payload.
    verification_token: str = field(default_factory=lambda: secrets.token_hex(12))


@dataclass(eq=False)
class SlackUser:
    """A person or a bot's user; `bot_id` is set for a bot."""

    id: str
    name: str
    real_name: str
    team_id: str
    bot_id: str = ""
    app_id: str = ""
    deleted: bool = False
    tz: str = "Europe/Berlin"

    def as_dict(self) -> dict[str, Any]:
        """Return the user object."""
        profile: dict[str, Any] = {"real_name": self.real_name, "display_name": self.name, "team": self.team_id}
        profile |= {"real_name_normalized": self.real_name, "display_name_normalized": self.name, "avatar_hash": "g0"}
        user: dict[str, Any] = {"id": self.id, "team_id": self.team_id, "name": self.name, "deleted": self.deleted}
        user |= {"color": "9f69e7", "real_name": self.real_name, "is_bot": bool(self.bot_id), "is_app_user": False}
        user |= {"tz": self.tz, "is_admin": False, "is_restricted": False, "updated": 1_700_000_000}
        if self.bot_id:
            profile |= {"bot_id": self.bot_id, "api_app_id": self.app_id, "always_active": True}
        return {**user, "profile": profile}


@dataclass(eq=False)
class Conversation:
    """A channel, a private channel, a direct chat or a group of direct chats.

    `messages` has thread replies too, by `ts_key`. `bot_message_ids` lists the keys of the bot's messages,
    `next_unread` counts those already returned by `next_message`. `partner` is the person of a direct chat. `blocked`:
    a preference of the workspace keeps the app from writing there. `statuses` lists what assistant.threads.setStatus
    showed, as (time, thread_ts, text). `locked` are the threads, by thread_ts, in which nobody may write.
    """

    id: str
    kind: str
    name: str
    created: float
    creator: str = ""
    members: list[str] = field(default_factory=list)
    partner: str = ""
    archived: bool = False
    blocked: bool = False
    topic: str = ""
    messages: dict[int, Message] = field(default_factory=dict)
    bot_message_ids: list[int] = field(default_factory=list)
    next_unread: int = 0
    statuses: list[tuple[float, str, str]] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)

    @property
    def is_direct(self) -> bool:
        """Whether this is a direct chat."""
        return self.kind == IM

    @property
    def shown_name(self) -> str:
        """Its name in interactions, which tell those of public channels alone."""
        return {IM: "directmessage", PRIVATE: "privategroup"}.get(self.kind, self.name)

    @property
    def scope(self) -> str:
        """The first part of its scopes, such as "channels"."""
        return SCOPE_PREFIX[self.kind]

    @property
    def event_type(self) -> str:
        """The `channel_type` of its events."""
        return EVENT_TYPE[self.kind]

    def find(self, ts: str) -> Message | None:
        """Return the message of a timestamp."""
        try:
            return self.messages.get(ts_key(ts))
        except ValueError:
            return None

    def replies(self, thread_ts: str) -> list[Message]:
        """Return the replies in a thread, oldest first, without its first message."""
        inside = [one for _, one in sorted(self.messages.items()) if one.get("thread_ts") == thread_ts]
        return [one for one in inside if one["ts"] != thread_ts]
