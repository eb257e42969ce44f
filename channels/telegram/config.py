"""Telegram as a row of data: its settings and how to connect, without importing its library."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from pydantic import Field, field_validator

from channels.core.channel import Channel
from channels.core.config import Environment, Settings, safe_root
from channels.core.errors import ConfigError

if TYPE_CHECKING:
    from channels.core.adapter import Adapter

__all__ = ["CHANNEL", "TelegramSettings", "bot_id"]

_TOKEN = re.compile(r"(\d{3,20}):[A-Za-z0-9_-]{20,}")


class TelegramSettings(Settings):
    """What Telegram adds: a Bot API server's root, a proxy, the length of a long poll."""

    api_root: str = Field("https://api.telegram.org", description="root of the Bot API server")
    proxy: str | None = Field(None, description="http://, https:// or socks5:// proxy for every request")
    # Bot API: at most 50 s; a longer poll is answered after 50 s all the same.
    poll_timeout_s: int = Field(30, ge=0, le=50, description="length of a long poll")

    @field_validator("proxy")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://", "socks5://", "socks5h://")):
            raise ValueError("it must begin with http://, https:// or socks5://")
        return url

    @field_validator("api_root")
    @classmethod
    def _safe(cls, url: str) -> str:
        try:
            return safe_root("api_root", url)
        except ConfigError as error:
            raise ValueError(str(error)) from None


def bot_id(token: str) -> str:
    """The bot's id, which is the part of a token before the colon; the token itself is never shown."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ConfigError(
            f"the Telegram token does not look like one (it has {len(token)} characters; BotFather gives "
            "digits, a colon and about 35 more characters); set it again with `channels setup telegram`"
        )
    return match[1]


def _connect(env: Environment, settings: Settings, token: str) -> Adapter:
    del env
    from channels.telegram.adapter import TelegramAdapter

    return TelegramAdapter(cast("TelegramSettings", settings), token)


def _silence_s(settings: Settings) -> float:
    # A poll may take its time-out and ten seconds more before it counts as dead by itself; then the watchdog bites.
    return cast("TelegramSettings", settings).poll_timeout_s + 20.0


CHANNEL = Channel(
    name="telegram",
    title="Telegram",
    formats="text (default), markdownv2 or html, Telegram's own",
    settings=TelegramSettings,
    bot_id=bot_id,
    connect=_connect,
    silence_s=_silence_s,
)
