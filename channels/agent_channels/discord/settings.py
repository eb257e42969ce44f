"""Discord's settings, the format of its tokens, and the link that invites a bot."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.config import Settings, parse_root, safe_root
from agent_channels.core.settings.declared import Flag, Nullable, Text, declare
from agent_channels.core.settings.network import http_proxy_url

__all__ = ["NO_SOCKS", "PERMISSIONS", "PROXY_SCHEMES", "DiscordSettings", "bot_id", "invite_link"]

# Three parts in URL-safe base64: the bot's id, a time, a signature.
_TOKEN = lazy_pattern(r"[A-Za-z0-9_-]{20,40}\.[A-Za-z0-9_-]{5,10}\.[A-Za-z0-9_-]{20,80}")


# The permissions that the bot asks for when it is invited: view channels, send messages, also in threads, embed links,
# attach files, read the message history, add reactions ("Permissions" in Discord's documentation).
# What works without: `OPENING_THREADS`, to create public threads.
PERMISSIONS = 1 << 10 | 1 << 11 | 1 << 38 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 6


OPENING_THREADS = 1 << 35
PROXY_SCHEMES = ("http://", "https://")
NO_SOCKS = (
    "Discord is reached through HTTP proxies only, since its library knows no SOCKS; name an http:// proxy in `proxy` "
    "(DISCORD_PROXY), such as one that hands on to your SOCKS proxy"
)


_TEXT = Text()


def _proxy(value: object) -> str | None:
    # aiohttp, which discord.py uses, does not speak SOCKS.
    return http_proxy_url(_TEXT(value), PROXY_SCHEMES, NO_SOCKS)


def _gateway(value: object) -> str:
    url = _TEXT(value)
    if urlsplit(url).scheme not in {"ws", "wss"}:
        raise ValueError("it must begin with wss://, or ws:// on loopback")
    safe_root("http" + url[2:])
    return url


class DiscordSettings(Settings):
    """The settings that Discord adds to the common ones."""

    api_root: str = declare("https://discord.com", parse_root, "root of the REST API, under which /api/v10 lies")
    gateway_url: str | None = declare(
        None, Nullable(_gateway), "ws:// or wss:// address of the gateway; unset: Discord's own"
    )
    proxy: str | None = declare(None, Nullable(_proxy), "http:// or https:// proxy for every connection")
    suppress_embeds: bool = declare(True, Flag(), "links in replies do not unfold into previews")  # noqa: FBT003


def bot_id(token: str) -> str:
    """Return the bot's id, the first part of a token in base64. Raises `ConfigError`, which never shows the token."""
    first = token.partition(".")[0]
    try:
        found = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        found = ""
    if _TOKEN.fullmatch(token) is None or not re.fullmatch(r"\d{15,20}", found):
        why = sentence(
            "the Discord token does not look like one (it has {length} characters; the developer portal gives three "
            "parts of letters and digits with dots between, under Bot > Reset Token)",
            length=len(token),
        )
        raise ConfigError(joined([why, "set it again with `channels setup discord`"]))
    return found


def invite_link(bot: str) -> str:
    """Return the page on which a server's owner adds the bot, with the permissions that it needs."""
    return f"https://discord.com/oauth2/authorize?client_id={bot}&scope=bot&permissions={PERMISSIONS | OPENING_THREADS}"
