"""What the composition has to know of a platform before its library is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.checks import Check, Setup
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.network import Route

__all__ = ["Channel"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One platform, as a row of data. Only `adapter` may import the platform's library."""

    name: str
    title: str
    formats: str
    settings: type[Settings]
    bot_id: Callable[[str], str]
    """The bot's id in a token; raises `ConfigError` for what cannot be a token, never showing it."""
    adapter: Callable[[Settings, str, str | None, bool], Adapter]
    """The adapter for its settings, a token, a proxy on the way, and whether direct ways are over IPv4 only."""
    silence_s: Callable[[Settings], float]
    """How long the platform may be silent before its connection is taken for dead."""
    route: Callable[[Environment, Settings], Route]
    """The way to its servers."""
    checks: Callable[[Adapter, Setup], Mapping[str, Check]]
    """What only this platform can be asked about a set-up, by name; the adapter is entered and its token works."""
    steps: str
    """How somebody gets a bot and its token there, as numbered lines."""
    join_link: Callable[[str], str] | None = None
    """From a bot's id, the page on which the owner of a place lets the bot in, where the platform has such."""

    def connect(self, env: Environment, settings: Settings, token: str) -> Adapter:
        """Return the adapter for a token, on the route that the settings and the environment ask for.

        Imports the platform's library, which takes up to a second; connects nothing yet.
        """
        proxy = self.route(env, settings).proxy
        return self.adapter(settings, token, proxy, proxy is None and bool(settings.ipv4))
