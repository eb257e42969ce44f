"""Channels, threads and people of raw events; a cache fetches the names that an event leaves out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from agent_channels.core.contract.messages import Chat, Identity, Person
from agent_channels.core.contract.recent import Recent
from agent_channels.core.errors import Forbidden, PlatformError, Refused, Rejected
from agent_channels.core.patterns import lazy_pattern
from agent_channels.slack.http import call

__all__ = [
    "Json",
    "NameCache",
    "chat_id_of",
    "chat_of",
    "checked_chat",
    "checked_ts",
    "event_id",
    "is_direct",
    "is_ts",
    "person_of",
    "ts_seconds",
]

logger = logging.getLogger(__name__)

_ID = lazy_pattern(r"[A-Z][A-Z0-9]{1,24}")
_TS = lazy_pattern(r"\d{1,12}\.\d{6}")
_KEPT = 5000

Json = dict[str, Any]


def checked_chat(value: str, name: str = "chat_id") -> str:
    """Return the id of a channel or direct chat unchanged. `name` is the argument's name in the error.

    Raises `Refused` for anything else: names are never used to address a chat.
    """
    if not (_ID.fullmatch(value) and value[0] in "CDG"):
        raise Refused(f"{name} {value[:80]!r} is not the id of a Slack chat; it begins with C, D or G, as in the event")
    return value


def checked_ts(value: str, name: str) -> str:
    """Return a message's id unchanged. Raises `Refused` for anything else."""
    if not is_ts(value):
        raise Refused(f"{name} {value[:80]!r} is not a Slack message's id; it looks like 1765202700.000100")
    return value


def is_ts(value: Any) -> bool:
    """Return whether a value in a raw event is a message's id."""
    return isinstance(value, str) and _TS.fullmatch(value) is not None


def ts_seconds(ts: str) -> float:
    """Return when a message was sent, which its id says. Raises ValueError for anything that is not one."""
    if not is_ts(ts):
        raise ValueError(f"{ts[:40]!r} is not a message's id")
    return float(ts)


def event_id(kind: str, *parts: Any) -> str:
    """Return the id of an event of which Slack's own names a chat or a person, which no trace should.

    `kind` is `m` for a message, `e` for an edit, `r` for a reaction.
    """
    return kind + hashlib.blake2s(".".join(map(str, parts)).encode(), digest_size=10).hexdigest()


def chat_id_of(value: Any) -> str:
    """Return the id of a chat in a raw event. Raises ValueError for anything else."""
    text = str(value)
    if not _ID.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not an id")
    return text


def is_direct(raw: Json) -> bool:
    """Return whether a raw event is from a direct chat with one person."""
    kind = raw.get("channel_type")
    return kind in {"im", "app_home"} or (kind is None and str(raw.get("channel") or "").startswith("D"))


def chat_of(raw: Json, names: Json) -> Chat:
    """Return the chat of a raw event; `names` as `NameCache.names_for` returns them."""
    chat_id = chat_id_of(raw["channel"])
    if is_direct(raw):
        return Chat(chat_id, "direct")
    title = (names.get("channels") or {}).get(chat_id)
    return Chat(chat_id, "group", str(title) if title else None)


def person_of(raw: Json, names: Json, me: Identity, own_user: str) -> Person:
    """Return who wrote a raw message: a person, this bot, or another program."""
    user = raw.get("user")
    if user is not None and str(user) == own_user:
        return Person(me.id, me.name, me.username, is_bot=True)
    if user is None:
        name = (raw.get("bot_profile") or {}).get("name") or raw.get("username") or ""
        return Person(chat_id_of(raw["bot_id"]), str(name), None, is_bot=True)
    known = (names.get("users") or {}).get(str(user)) or {}
    handle = known.get("handle")
    is_bot = bool(raw.get("bot_id") or known.get("bot"))
    return Person(chat_id_of(user), str(known.get("name") or ""), str(handle) if handle else None, is_bot)


class NameCache:
    """The names of people and channels by id, fetched when they are met for the first time."""

    def __init__(self) -> None:
        # None for one that has none.
        self._cached: Recent[str, Any] = Recent(_KEPT)

    async def names_for(self, client: AsyncWebClient, users: Collection[str], channels: Collection[str]) -> Json:
        """Return `users` and `channels` with what is known of them, by id; names that cannot be had are left out.

        A user has `name`, `handle` and `bot`.
        """
        for user in dict.fromkeys(users):
            await self._learn(client, user, self._user)
        for channel in dict.fromkeys(channels):
            await self._learn(client, channel, self._channel)
        return self.known_names(users, channels)

    def known_names(self, users: Collection[str], channels: Collection[str]) -> Json:
        """As `names_for`, without asking anybody."""
        found = {
            "users": {user: self._cached[user] for user in users if self._cached.get(user) is not None},
            "channels": {one: self._cached[one] for one in channels if self._cached.get(one) is not None},
        }
        return {kind: known for kind, known in found.items() if known}

    async def _learn(self, client: AsyncWebClient, key: str, fetch: Any) -> None:
        if key in self._cached:
            return
        try:
            self._cached[key] = await fetch(client, key)
        except (Forbidden, Rejected) as error:
            # Without the scope, or a person of another workspace: not asked again.
            logger.info("%s has no name: %s", key, error)
            self._cached[key] = None
        except PlatformError as error:
            logger.info("%s has no name for now: %s", key, error)

    @staticmethod
    async def _user(client: AsyncWebClient, user: str) -> Json:
        found = (await call(client.users_info(user=user)))["user"]
        profile = found.get("profile") or {}
        name = profile.get("display_name") or profile.get("real_name") or found.get("real_name") or ""
        return {"name": str(name), "handle": str(found.get("name") or ""), "bot": bool(found.get("is_bot"))}

    @staticmethod
    async def _channel(client: AsyncWebClient, channel: str) -> str | None:
        found = (await call(client.conversations_info(channel=channel)))["channel"]
        return str(found["name"]) if found.get("name") else None
