"""A platform as data: everything that can be known of it before its library is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.checks import Check, Setup
from agent_channels.core.contract.masked_adapter import masked_adapter
from agent_channels.core.frozen import frozen
from agent_channels.core.log import redact, redact_tokens
from agent_channels.core.settings.certificates import (
    certificate_sources,
    no_system_certificates,
    refuse_unusable_key_log,
)
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.network import Route

__all__ = ["Channel", "Secret"]


@frozen
class Secret:
    """A second secret that a platform asks for, besides the bot's token."""

    name: str
    """The end of the variable that holds it, such as APP_TOKEN; in lower case it is a setting."""
    title: str
    """What people call it."""
    problem: Callable[[str], str]
    """Return why a text is not one, in a sentence that does not show it; empty if it is one."""
    check: str
    """The check of the set-up, one of `Channel.checks`, that says whether it works."""


@frozen
class Channel:
    """One platform. Only `adapter` and `checks` may import the platform's library, and only when they are called."""

    name: str
    """The name in commands, settings and folders, such as `mychat`."""
    title: str
    """The name that people read."""
    formats: str
    """The formats of a text in words, for the description of the tools."""
    settings: type[Settings]
    bot_id: Callable[[str], str]
    """Return the bot's id in a token. Raises `ConfigError`, which never shows the token, for a malformed one."""
    adapter: Callable[[Settings, str, str | None, bool], Adapter]
    """Return the adapter for (settings, token, proxy or None, whether to connect over IPv4 only)."""
    silence_s: Callable[[Settings], float]
    """Return after how many seconds of silence a connection counts as dead."""
    route: Callable[[Environment, Settings], Route]
    """Return how the platform's servers are reached."""
    checks: Callable[[Adapter, Setup], Mapping[str, Check]]
    """Return the platform's own checks of a set-up by name. The adapter is entered and its token works."""
    steps: str
    """How to get a bot and its token there, as numbered lines."""
    to_hear_all: str = ""
    """How the operator lets the bot hear messages of a group that do not name it; empty if it hears them anyway."""
    preparation: Callable[[], str] | None = None
    """Return what set-up prints above the steps, to be pasted on the way."""
    secrets: tuple[Secret, ...] = ()
    """What the settings hold besides the token that nobody may see, each a `SecretText`."""
    ids: str = r"-?[0-9]{1,20}"
    """The pattern of the ids of people, chats and threads."""
    person_ids: str = r"(?!0*$)[0-9]{1,20}"
    """The pattern of the ids of people."""
    commands: str = ""
    """What stands before the names of commands there: `agent-` if /help is /agent-help; sentences name them so."""
    join_link: Callable[[str], str] | None = None
    """Return, for a bot's id, the page on which somebody adds the bot to a group; None when there is no such page."""
    threads_are_chats: bool = False
    """Whether a thread is a chat of its own, which its id alone names."""

    def connect(self, env: Environment, settings: Settings, token: str) -> Adapter:
        """Return the adapter for a token, on the route that the settings and the environment ask for.

        Imports the platform's library, which takes up to a second; connects nothing yet. Raises `ConfigError` if the
        certificates that the environment names cannot be used.
        """
        from agent_channels.core.contract.connection_errors import explain_route

        refuse_unusable_key_log(env.environ)
        route = self.route(env, settings)
        explain_route(self.title, route, certificate_sources(env.environ))
        with no_system_certificates():
            adapter = self.adapter(settings, token, route.proxy, route.proxy is None and bool(settings.ipv4))
        return masked_adapter(adapter, redact_tokens if settings.secrets == "off" else redact)
