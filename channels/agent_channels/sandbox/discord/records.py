"""Users, guilds and channels as plain records; ids are snowflakes, kept as int."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

__all__ = [
    "DEFAULT_PERMISSIONS",
    "DM",
    "FORUM",
    "NEWS",
    "PERMISSIONS",
    "PRIVATE_THREAD",
    "PUBLIC_THREAD",
    "TEXT",
    "THREADS",
    "DiscordUser",
    "Guild",
    "GuildChannel",
    "Message",
    "Role",
    "SnowflakeGenerator",
    "iso",
    "permission_bits",
]

Message: TypeAlias = dict[str, Any]

# "Channel Types"
TEXT, DM, NEWS, NEWS_THREAD, PUBLIC_THREAD, PRIVATE_THREAD, FORUM = 0, 1, 5, 10, 11, 12, 15
THREADS = (NEWS_THREAD, PUBLIC_THREAD, PRIVATE_THREAD)

EPOCH_MS = 1_420_070_400_000

# "Bitwise Permission Flags"
PERMISSIONS = {
    "administrator": 1 << 3,
    "add_reactions": 1 << 6,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "embed_links": 1 << 14,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "mention_everyone": 1 << 17,
    "manage_threads": 1 << 34,
    "create_public_threads": 1 << 35,
    "create_private_threads": 1 << 36,
    "send_messages_in_threads": 1 << 38,
}
ALL_PERMISSIONS = (1 << 53) - 1


def permission_bits(*names: str) -> int:
    """Return the bits of these permissions. Raises ValueError for an unknown one."""
    for name in names:
        if name not in PERMISSIONS:
            raise ValueError(f"no permission {name!r}: use one of {', '.join(PERMISSIONS)}")
    return sum(PERMISSIONS[name] for name in set(names))


# What @everyone may do in a new guild.
DEFAULT_PERMISSIONS = permission_bits(*(set(PERMISSIONS) - {"administrator", "manage_messages", "manage_threads"}))


class SnowflakeGenerator:
    """Makes increasing ids with the sandbox's time in them ("Snowflakes" in the API reference)."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._count = itertools.count(1)
        self._last = 0

    def __call__(self) -> int:
        """Return the next id."""
        made = (int(self._now() * 1000) - EPOCH_MS) << 22 | next(self._count) & 0xFFF
        self._last = max(made, self._last + 1)
        return self._last


def iso(at: float) -> str:
    """Return a time as Discord writes it: 2026-01-02T03:04:05.678000+00:00."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


@dataclass(eq=False)
class DiscordUser:
    """A person or a bot."""

    id: int
    username: str
    global_name: str | None = None
    is_bot: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the User object."""
        user: dict[str, Any] = {"id": str(self.id), "username": self.username, "discriminator": "0"}
        user |= {"global_name": self.global_name, "avatar": None, "public_flags": 0, "avatar_decoration_data": None}
        if self.is_bot:
            user["bot"] = True
        return user


@dataclass
class Role:
    """A role; the one with the guild's id is @everyone."""

    id: int
    name: str
    permissions: int = 0
    bot_id: int | None = None
    members: set[int] = field(default_factory=set)


@dataclass(eq=False)
class Guild:
    """A guild. `members` maps user ids to the time they joined, `emojis` ids to names."""

    id: int
    name: str
    owner_id: int
    premium_tier: int = 0
    members: dict[int, float] = field(default_factory=dict)
    nicks: dict[int, str] = field(default_factory=dict)
    roles: dict[int, Role] = field(default_factory=dict)
    emojis: dict[int, str] = field(default_factory=dict)
    channels: dict[int, GuildChannel] = field(default_factory=dict)

    def permissions(self, user_id: int) -> int:
        """Return a member's permission bits before a channel's overwrites."""
        granted = self.roles[self.id].permissions
        for role in self.roles.values():
            if user_id in role.members:
                granted |= role.permissions
        if user_id == self.owner_id or granted & PERMISSIONS["administrator"]:
            return ALL_PERMISSIONS
        return granted

    @property
    def upload_limit(self) -> int:
        """The largest file in bytes, by boost tier."""
        return {2: 50, 3: 100}.get(self.premium_tier, 10) << 20


@dataclass(eq=False)
class GuildChannel:
    """A text channel, forum, thread or direct chat.

    `overwrites` maps role or user ids to (type, allow, deny), `reactions` message ids to user ids by emoji. `typing`
    lists (time, user id). `bot_message_ids` lists the bot's messages, `next_unread` counts those already returned by
    `next_message`. `started`: the person of a direct chat has written first.
    """

    id: int
    kind: int
    name: str
    created: float
    guild: Guild | None = None
    parent: GuildChannel | None = None
    recipient: DiscordUser | None = None
    owner_id: int = 0
    topic: str | None = None
    position: int = 0
    overwrites: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    reactions: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    typing: list[tuple[float, int]] = field(default_factory=list)
    members: set[int] = field(default_factory=set)
    bot_message_ids: list[int] = field(default_factory=list)
    next_unread: int = 0
    last_message_id: int | None = None
    total_sent: int = 0
    started: bool = False
    blocked: bool = False
    archived: bool = False
    locked: bool = False
    archive_minutes: int = 1440

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread, forum posts included."""
        return self.kind in THREADS

    @property
    def is_new_post(self) -> bool:
        """Whether this is a forum post without its first message, which will get the thread's id."""
        return self.parent is not None and self.parent.kind == FORUM and not self.total_sent

    def permissions(self, user_id: int) -> int:
        """Return a user's permission bits here: all in a direct chat; a thread has its parent's overwrites."""
        if self.guild is None:
            return ALL_PERMISSIONS
        granted = self.guild.permissions(user_id)
        if granted == ALL_PERMISSIONS:
            return granted
        channel = self.parent if self.is_thread and self.parent else self
        for target in (self.guild.id, user_id):
            _, allow, deny = channel.overwrites.get(target, (0, 0, 0))
            granted = granted & ~deny | allow
        return granted

    def sees(self, user_id: int) -> bool:
        """Return True if a user has this channel in their list."""
        if self.guild is None:
            return self.recipient is not None
        if user_id not in self.guild.members or not self.permissions(user_id) & PERMISSIONS["view_channel"]:
            return False
        if self.kind != PRIVATE_THREAD:
            return True
        return user_id in self.members or bool(self.permissions(user_id) & PERMISSIONS["manage_threads"])

    def can(self, user_id: int, permission: str) -> bool:
        """Return True if a user has this permission here."""
        return bool(self.permissions(user_id) & PERMISSIONS[permission])
