"""Discord as a row of data: its settings and how to connect, without importing its library."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from channels.core.channel import Channel
from channels.core.config import Environment, Settings, safe_root
from channels.core.errors import ConfigError

if TYPE_CHECKING:
    from channels.core.adapter import Adapter

__all__ = ["CHANNEL", "PERMISSIONS", "DiscordSettings", "bot_id", "invite_link"]

# Three parts in URL-safe base64: the bot's id, a time, a signature.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,40}\.[A-Za-z0-9_-]{5,10}\.[A-Za-z0-9_-]{20,80}")

# What the bot asks for when it is invited: view channels, send messages, also in threads, embed links, attach files,
# read the message history, add reactions ("Permissions" in Discord's documentation).
PERMISSIONS = 1 << 10 | 1 << 11 | 1 << 38 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 6


class DiscordSettings(Settings):
    """What Discord adds: where its servers are, a proxy, whether links unfold."""

    api_root: str = Field("https://discord.com", description="root of the REST API, under which /api/v10 lies")
    gateway_url: str | None = Field(None, description="ws:// or wss:// address of the gateway; unset: Discord's own")
    proxy: str | None = Field(None, description="http:// or https:// proxy for every connection")
    suppress_embeds: bool = Field(True, description="links in replies do not unfold into previews")  # noqa: FBT003

    @field_validator("proxy")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        # aiohttp, which discord.py speaks through, has no SOCKS.
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("it must begin with http:// or https://")
        return url

    @field_validator("api_root")
    @classmethod
    def _safe(cls, url: str) -> str:
        try:
            return safe_root("api_root", url)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @field_validator("gateway_url")
    @classmethod
    def _safe_gateway(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"ws", "wss"}:
            raise ValueError("it must begin with wss://, or ws:// on loopback")
        try:
            safe_root("gateway_url", "http" + url[2:])
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return url


def bot_id(token: str) -> str:
    """The bot's id, which is what the first part of a token says in base64; the token itself is never shown."""
    first = token.partition(".")[0]
    try:
        found = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        found = ""
    if _TOKEN.fullmatch(token) is None or not re.fullmatch(r"\d{15,20}", found):
        raise ConfigError(
            f"the Discord token does not look like one (it has {len(token)} characters; the developer portal gives "
            "three parts of letters and digits with dots between, under Bot > Reset Token); set it again with "
            "`channels setup discord`"
        )
    return found


def invite_link(bot: str) -> str:
    """The page on which a server's owner lets the bot in, with the permissions that it needs."""
    return f"https://discord.com/oauth2/authorize?client_id={bot}&scope=bot&permissions={PERMISSIONS}"


def _connect(env: Environment, settings: Settings, token: str) -> Adapter:
    del env
    from channels.discord.adapter import DiscordAdapter

    return DiscordAdapter(cast("DiscordSettings", settings), token)


def _silence_s(settings: Settings) -> float:
    # Discord asks for a heartbeat every 41 s and answers each; two that were missed are one connection lost.
    del settings
    return 100.0


CHANNEL = Channel(
    name="discord",
    title="Discord",
    formats="markdown (default), Discord's own, or text, which is shown as it stands",
    settings=DiscordSettings,
    bot_id=bot_id,
    connect=_connect,
    silence_s=_silence_s,
)
