"""Slack as data: its settings and how to connect, without importing its library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from agent_channels.core.contract.channel import Channel, Secret
from agent_channels.core.contract.checks import Check, Setup
from agent_channels.core.i18n.sentences import add_table
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.network import Route, route
from agent_channels.slack.settings import (
    COMMAND_PREFIX,
    NO_SOCKS,
    PROXY_SCHEMES,
    SlackSettings,
    app_token_problem,
    bot_id,
    manifest,
)

if TYPE_CHECKING:
    from agent_channels.core.contract.adapter import Adapter
    from agent_channels.slack.adapter import SlackAdapter

__all__ = ["CHANNEL"]

STEPS = """\
1. Open https://api.slack.com/apps?new_app=1, choose From a manifest and your workspace, and paste the manifest above.
2. Choose Create, then Install to Workspace, and Allow.
3. Under OAuth & Permissions, copy the Bot User OAuth Token: it begins with xoxb-.
4. Under Basic Information, App-Level Tokens, generate one with the scope connections:write: it begins with xapp-."""


def _adapter(settings: Settings, token: str, proxy: str | None, ipv4: bool) -> Adapter:  # noqa: FBT001
    from agent_channels.slack.adapter import SlackAdapter

    return SlackAdapter(cast("SlackSettings", settings), token, proxy=proxy, ipv4=ipv4)


def _route(env: Environment, settings: Settings) -> Route:
    ours = cast("SlackSettings", settings)
    return route((("api_root", ours.api_root),), ours.proxy, env.origin, env.environ, PROXY_SCHEMES, NO_SOCKS)


def _checks(adapter: Adapter, setup: Setup) -> Mapping[str, Check]:
    from agent_channels.slack.checks import checks

    return checks(cast("SlackAdapter", adapter), setup)


def _silence_s(settings: Settings) -> float:
    # Both sides ask every ten seconds whether the other one is there.
    del settings
    return 60.0


CHANNEL = Channel(
    name="slack",
    title="Slack",
    formats="markdown (default), or text, which is shown as it stands",
    settings=SlackSettings,
    bot_id=bot_id,
    adapter=_adapter,
    silence_s=_silence_s,
    route=_route,
    checks=_checks,
    steps=STEPS,
    preparation=manifest,
    ids=r"[CDGUW][A-Z0-9]{1,24}|[0-9]{1,12}\.[0-9]{6}",
    person_ids=r"[UW][A-Z0-9]{1,24}",
    commands=COMMAND_PREFIX,
    secrets=(Secret("APP_TOKEN", "Slack app-level token", app_token_problem, check="socket"),),
)
add_table("zh-TW", "agent_channels.slack.zh_tw")
