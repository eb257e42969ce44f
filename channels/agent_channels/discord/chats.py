"""Channels, threads and people of raw events; a cache fetches those that an event only names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from discord.http import HTTPClient

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.contract.recent import Recent
from agent_channels.core.errors import Forbidden, Rejected
from agent_channels.discord import outbound

__all__ = ["DIRECT", "EPOCH_MS", "ChannelCache", "Json", "chat_of", "person_of", "snowflake"]

# "Channel Types": a direct chat; threads of announcements, of text channels and forums, and private ones.
DIRECT = 1
THREADS = frozenset({10, 11, 12})
_KEPT = 5000
# "Snowflakes": ids count from the first second of 2015.
EPOCH_MS = 1_420_070_400_000

Json = dict[str, Any]


def snowflake(value: Any) -> str:
    """Return an id of Discord's as a string. Raises ValueError for anything else."""
    text = str(value)
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text[:40]!r} is not an id")
    return text


def chat_of(raw: Json, channel: Json) -> Chat:
    chat_id = snowflake(raw["channel_id"])
    if not raw.get("guild_id") and channel.get("type", DIRECT) == DIRECT:
        return Chat(chat_id, "direct")
    parent = channel.get("parent_id") if channel.get("type") in THREADS else None
    name = channel.get("name")
    return Chat(chat_id, "group", str(name) if name else None, snowflake(parent) if parent else None)


def person_of(user: Json, member: Json | None = None, *, webhook: bool = False) -> Person:
    name = (member or {}).get("nick") or user.get("global_name") or user.get("username") or ""
    username = user.get("username")
    # A webhook chooses its name freely; no account stands behind it.
    is_bot = bool(user.get("bot")) or webhook
    return Person(snowflake(user["id"]), str(name), str(username) if username else None, is_bot)


class ChannelCache:
    """Channels, people and bots' roles: those that gateway events described; over REST those that they only named."""

    def __init__(self) -> None:
        self._cached: Recent[str, Json] = Recent(_KEPT)

    def learn(self, name: str, data: Json) -> None:
        """Cache the channels and people that a gateway event describes."""
        if name == "GUILD_CREATE":
            if data.get("roles"):
                self._keep_roles(str(data["id"]), data["roles"])
            for channel in (*(data.get("channels") or ()), *(data.get("threads") or ())):
                self.keep(channel)
        elif name in {"CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"}:
            self.keep(data)
        elif name == "MESSAGE_CREATE" and data.get("author"):
            self._put(f"user:{data['author']['id']}", data["author"])

        elif name in {"GUILD_ROLE_CREATE", "GUILD_ROLE_DELETE"}:
            # Asked for again at the next mention of a role.
            self._cached.pop(f"roles:{data['guild_id']}", None)

    def keep(self, channel: Json) -> Json:
        """Cache a channel; return the part of it that is kept: type, name, parent_id."""
        return self._put(str(channel["id"]), {key: channel.get(key) for key in ("type", "name", "parent_id")})

    def cached(self, channel_id: str) -> Json:
        """Return a channel from the cache; empty when it is not there."""
        return self._cached.get(channel_id, {})

    async def channel(self, http: HTTPClient, channel_id: str) -> Json:
        """Return a channel, fetched if need be; empty when the bot has no access to it."""
        if channel_id not in self._cached:
            try:
                return self.keep(await outbound.call(http, "GET", f"/channels/{channel_id}"))
            except (Forbidden, Rejected):
                return {}
        return self._cached[channel_id]

    async def person(self, http: HTTPClient, user_id: str) -> Json:
        """Return a person, fetched if need be; only the id when that fails."""
        key = f"user:{user_id}"
        if key not in self._cached:
            try:
                return self._put(key, await outbound.call(http, "GET", f"/users/{user_id}"))
            except (Forbidden, Rejected):
                return {"id": user_id}
        return self._cached[key]

    async def own_roles(self, http: HTTPClient, guild_id: str, bot_id: str) -> list[str]:
        """Return the ids of the roles that Discord made for a bot, by which people may mention it."""
        key = f"roles:{guild_id}"
        if key not in self._cached:
            try:
                self._keep_roles(guild_id, await outbound.call(http, "GET", f"/guilds/{guild_id}/roles"))
            except (Forbidden, Rejected):
                return []
        return [role for role, owner in self._cached[key].items() if owner == bot_id]

    def _keep_roles(self, guild_id: str, roles: Iterable[Json]) -> None:
        owners = {str(role["id"]): (role.get("tags") or {}).get("bot_id") for role in roles}
        self._put(f"roles:{guild_id}", {role: str(owner) for role, owner in owners.items() if owner})

    async def to_fetch(
        self, http: HTTPClient, wanted: Mapping[str, float], cursors: Mapping[str, str]
    ) -> AsyncIterator[tuple[str, str, Json]]:
        """Yield every chat to fetch messages from: its channel id, the message after which, and the channel.

        `wanted`: the chats that the agent reads, each with the time since when. `cursors`: how far the reader has read,
        by name.
        """
        guilds: dict[str, None] = {}
        for chat, since in wanted.items():
            channel = await outbound.find_chat(http, chat)
            if channel is None:
                continue
            self.keep(channel)
            channel_id = str(channel["id"])
            yield channel_id, cursors.get(f"last:{channel_id}") or _snowflake_at(since), channel
            if channel.get("guild_id"):
                guilds[str(channel["guild_id"])] = None
        for guild in guilds:
            for thread in await outbound.active_threads(http, guild):
                self.keep(thread)
                thread_id, parent = str(thread["id"]), str(thread.get("parent_id"))
                if parent in wanted and thread_id not in wanted:
                    after = cursors.get(f"last:{thread_id}") or _snowflake_at(wanted[parent])
                    yield thread_id, after, thread

    def _put(self, key: str, value: Json) -> Json:
        self._cached[key] = value
        return value


def _snowflake_at(since: float) -> str:
    """Return the smallest id that was given out at a time (epoch seconds)."""
    return str(max(0, int(since * 1000) - EPOCH_MS) << 22)
