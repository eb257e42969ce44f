"""Telegram as data: its settings and how to connect, without importing its library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import Check, Setup
from agent_channels.core.i18n.sentences import add_table
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.network import Route, route
from agent_channels.telegram.settings import (
    PRIVACY_MODE_OFF,
    PROXY_REFUSAL,
    PROXY_SCHEMES,
    TelegramSettings,
    bot_id,
)

if TYPE_CHECKING:
    from agent_channels.core.contract.adapter import Adapter
    from agent_channels.telegram.adapter import TelegramAdapter

__all__ = ["CHANNEL"]


STEPS = """\
1. In Telegram, write /newbot to @BotFather and answer its two questions (a name, a username that ends in "bot").
2. Copy the token that it sends: digits, a colon, 35 characters."""


def _adapter(settings: Settings, token: str, proxy: str | None, ipv4: bool) -> Adapter:  # noqa: FBT001
    from agent_channels.telegram.adapter import TelegramAdapter

    return TelegramAdapter(cast("TelegramSettings", settings), token, proxy=proxy, ipv4=ipv4)


def _route(env: Environment, settings: Settings) -> Route:
    ours = cast("TelegramSettings", settings)
    return route((("api_root", ours.api_root),), ours.proxy, env.origin, env.environ, PROXY_SCHEMES, PROXY_REFUSAL)


def _checks(adapter: Adapter, setup: Setup) -> Mapping[str, Check]:
    from agent_channels.telegram.checks import checks

    return checks(cast("TelegramAdapter", adapter), setup)


def _silence_s(settings: Settings) -> float:
    # The poll itself gives up ten seconds after its time-out; the watchdog waits ten more.
    return cast("TelegramSettings", settings).poll_timeout_s + 20.0


CHANNEL = Channel(
    name="telegram",
    title="Telegram",
    formats="markdown (default), text as it stands, or Telegram's own markdownv2 and html (one message at most)",
    settings=TelegramSettings,
    bot_id=bot_id,
    adapter=_adapter,
    silence_s=_silence_s,
    route=_route,
    checks=_checks,
    steps=STEPS,
    to_hear_all=PRIVACY_MODE_OFF,
)
add_table("zh-TW", "agent_channels.telegram.zh_tw")
