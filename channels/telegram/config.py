"""Telegram as a row of data: its settings and how to connect, without importing its library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pydantic import Field, field_validator, model_validator

from channels.core.channel import Channel
from channels.core.config import Environment, Root, Settings
from channels.core.errors import ConfigError
from channels.core.finding import Case, Check
from channels.core.network import Route, env_proxy

if TYPE_CHECKING:
    from channels.core.adapter import Adapter
    from channels.telegram.adapter import TelegramAdapter

__all__ = ["CHANNEL", "TelegramSettings", "bot_id"]

_TOKEN = re.compile(r"(\d{3,20}):[A-Za-z0-9_-]{20,}")

PUBLIC = "https://api.telegram.org"

STEPS = """\
1. In Telegram, write /newbot to @BotFather and answer its two questions (a name, a username that ends in "bot").
2. Copy the token that it sends: digits, a colon, 35 characters."""


class TelegramSettings(Settings):
    """What Telegram adds: a Bot API server's root, a proxy, the length of a long poll."""

    api_root: Root = Field(PUBLIC, description="root of the Bot API server")
    proxy: str | None = Field(None, description="http://, https:// or socks5:// proxy for every request")
    api_local: bool = Field(False, description="the Bot API server runs in local mode: files up to 2 GB")  # noqa: FBT003
    link_preview: bool = Field(True, description="links in replies unfold into previews")  # noqa: FBT003
    # Bot API: at most 50 s; a longer poll is answered after 50 s all the same.
    poll_timeout_s: int = Field(30, ge=0, le=50, description="length of a long poll")

    @field_validator("proxy")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://", "socks5://", "socks5h://")):
            raise ValueError("it must begin with http://, https:// or socks5://")
        return url

    @model_validator(mode="after")
    def _own_server(self) -> TelegramSettings:
        if self.api_local and self.api_root == PUBLIC:
            raise ValueError("api_local: true needs api_root, the address of your own Bot API server in local mode")
        return self


def bot_id(token: str) -> str:
    """The bot's id, which is the part of a token before the colon; the token itself is never shown."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ConfigError(
            f"the Telegram token does not look like one (it has {len(token)} characters; BotFather gives "
            "digits, a colon and about 35 more characters); set it again with `channels setup telegram`"
        )
    return match[1]


def _adapter(settings: Settings, token: str, proxy: str | None, ipv4: bool) -> Adapter:  # noqa: FBT001
    from channels.telegram.adapter import TelegramAdapter

    return TelegramAdapter(cast("TelegramSettings", settings), token, proxy=proxy, ipv4=ipv4)


def _route(env: Environment, settings: Settings) -> Route:
    ours = cast("TelegramSettings", settings)
    proxy = ours.proxy or env_proxy(ours.api_root, env.environ)
    return Route(ours.api_root, proxy, named=(("api_root", ours.api_root),))


def _checks(adapter: Adapter, case: Case) -> Mapping[str, Check]:
    from channels.telegram.checks import checks

    return checks(cast("TelegramAdapter", adapter), case)


def _silence_s(settings: Settings) -> float:
    # A poll may take its time-out and ten seconds more before it counts as dead by itself; then the watchdog bites.
    return cast("TelegramSettings", settings).poll_timeout_s + 20.0


CHANNEL = Channel(
    name="telegram",
    title="Telegram",
    formats="markdown (default), text as it stands, or Telegram's own markdownv2 and html",
    settings=TelegramSettings,
    bot_id=bot_id,
    adapter=_adapter,
    silence_s=_silence_s,
    route=_route,
    checks=_checks,
    steps=STEPS,
)
