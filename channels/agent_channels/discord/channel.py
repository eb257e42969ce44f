"""Discord as data: its settings and how to connect, without importing its library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import Check, Setup
from agent_channels.core.i18n.sentences import add_table
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.network import Route, route
from agent_channels.discord.settings import NO_SOCKS, PROXY_SCHEMES, DiscordSettings, bot_id, invite_link

if TYPE_CHECKING:
    from agent_channels.core.contract.adapter import Adapter
    from agent_channels.discord.adapter import DiscordAdapter

__all__ = ["CHANNEL"]


STEPS = """\
1. Open https://discord.com/developers/applications, choose New Application and give it a name.
2. Under Bot, switch Message Content Intent on (Privileged Gateway Intents), and save.
3. There, choose Reset Token and copy what it shows: three parts with dots between."""


def _adapter(settings: Settings, token: str, proxy: str | None, ipv4: bool) -> Adapter:  # noqa: FBT001
    from agent_channels.discord.adapter import DiscordAdapter

    return DiscordAdapter(cast("DiscordSettings", settings), token, proxy=proxy, ipv4=ipv4)


def _route(env: Environment, settings: Settings) -> Route:
    ours = cast("DiscordSettings", settings)
    endpoints = (("api_root", ours.api_root), ("gateway_url", ours.gateway_url or ""))
    return route(endpoints, ours.proxy, env.origin, env.environ, PROXY_SCHEMES, NO_SOCKS)


def _checks(adapter: Adapter, setup: Setup) -> Mapping[str, Check]:
    from agent_channels.discord.checks import checks

    return checks(cast("DiscordAdapter", adapter), setup)


def _silence_s(settings: Settings) -> float:
    # Discord asks for a heartbeat every 41 s and answers each; after two without an answer the connection is lost.
    del settings
    return 100.0


CHANNEL = Channel(
    name="discord",
    title="Discord",
    formats="markdown (default), Discord's own, or text, which is shown as it stands",
    settings=DiscordSettings,
    bot_id=bot_id,
    adapter=_adapter,
    silence_s=_silence_s,
    route=_route,
    checks=_checks,
    steps=STEPS,
    join_link=invite_link,
    threads_are_chats=True,
)
add_table("zh-TW", "agent_channels.discord.zh_tw")
