"""Who and where: channels, threads and people of raw events, and what has to be asked for since an event lacks it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from typing import Any

from discord.http import HTTPClient

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import Forbidden, Rejected
from agent_channels.discord import outbound

__all__ = ["EPOCH_MS", "ChannelCache", "chat_of", "ident", "person_of"]

# "Channel Types": direct, and the threads of announcements, of text channels and forums, and private ones.
DIRECT = 1
THREADS = frozenset({10, 11, 12})
_KEPT = 5000
# "Snowflakes": ids count from the first second of 2015.
EPOCH_MS = 1_420_070_400_000

Raw = dict[str, Any]


def ident(value: Any) -> str:
    text = str(value)
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text[:40]!r} is no id")
    return text


def chat_of(raw: Raw, channel: Raw) -> Chat:
    chat_id = ident(raw["channel_id"])
    if not raw.get("guild_id") and channel.get("type", DIRECT) == DIRECT:
        return Chat(chat_id, "direct")
    parent = channel.get("parent_id") if channel.get("type") in THREADS else None
    name = channel.get("name")
    return Chat(chat_id, "group", str(name) if name else None, ident(parent) if parent else None)


def person_of(user: Raw, member: Raw | None = None, *, webhook: bool = False) -> Person:
    name = (member or {}).get("nick") or user.get("global_name") or user.get("username") or ""
    username = user.get("username")
    # Whoever speaks through a webhook chose the name freely; no account stands behind it.
    return Person(ident(user["id"]), str(name), str(username) if username else None, bool(user.get("bot")) or webhook)


class ChannelCache:
    """Channels and people as the gateway told of them, and by REST those it did not."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Raw] = OrderedDict()

    def learn(self, name: str, data: Raw) -> None:
        """Takes what an event says of channels and people."""
        if name == "GUILD_CREATE":
            for place in (*(data.get("channels") or ()), *(data.get("threads") or ())):
                self.keep(place)
        elif name in {"CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"}:
            self.keep(data)
        elif name == "MESSAGE_CREATE" and data.get("author"):
            self._put(f"user:{data['author']['id']}", data["author"])

    def keep(self, place: Raw) -> Raw:
        """What is kept of a channel."""
        return self._put(str(place["id"]), {key: place.get(key) for key in ("type", "name", "parent_id")})

    def known(self, channel: str) -> Raw:
        """What is known of a channel; empty when nothing is."""
        return self._known.get(channel, {})

    async def channel(self, http: HTTPClient, channel: str) -> Raw:
        """A channel, asked for if need be; empty where the bot may not look."""
        if channel not in self._known:
            try:
                return self.keep(await outbound.call(http, "GET", f"/channels/{channel}"))
            except (Forbidden, Rejected):
                return {}
        return self._known[channel]

    async def person(self, http: HTTPClient, user_id: str) -> Raw:
        """A person, asked for if need be."""
        key = f"user:{user_id}"
        if key not in self._known:
            try:
                return self._put(key, await outbound.call(http, "GET", f"/users/{user_id}"))
            except (Forbidden, Rejected):
                return {"id": user_id}
        return self._known[key]

    async def missed(
        self, http: HTTPClient, wanted: Mapping[str, float], marks: Mapping[str, str]
    ) -> AsyncIterator[tuple[str, str, Raw]]:
        """Every chat to look into: (channel id, after which message, what is known of the channel)."""
        guilds: dict[str, None] = {}
        for chat, since in wanted.items():
            place = await outbound.reached(http, chat)
            if place is None:
                continue
            self.keep(place)
            channel = str(place["id"])
            yield channel, marks.get(f"last:{channel}") or _snowflake(since), place
            if place.get("guild_id"):
                guilds[str(place["guild_id"])] = None
        for guild in guilds:
            for thread in await outbound.threads(http, guild):
                self.keep(thread)
                channel, parent = str(thread["id"]), str(thread.get("parent_id"))
                if parent in wanted and channel not in wanted:
                    begun = marks.get(f"last:{channel}") or _snowflake(wanted[parent])
                    yield channel, begun, thread

    def _put(self, key: str, value: Raw) -> Raw:
        self._known[key] = value
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return value


def _snowflake(since: float) -> str:
    """The smallest id that was given out at a time (seconds since the epoch)."""
    return str(max(0, int(since * 1000) - EPOCH_MS) << 22)
