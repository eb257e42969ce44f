"""Slack's settings, the format of its two tokens, and the manifest from which an app is made."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.log import register_secret
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.config import Settings, parse_root, parse_secret
from agent_channels.core.settings.declared import Flag, Nullable, SecretText, Text, declare
from agent_channels.core.settings.network import http_proxy_url

__all__ = [
    "COMMANDS",
    "COMMAND_PREFIX",
    "NO_SOCKS",
    "PROXY_SCHEMES",
    "SCOPES",
    "SlackSettings",
    "app_token_problem",
    "bot_id",
    "command_of",
    "manifest",
]

# The numbers of the workspace and of the bot in it, and a secret.
_BOT_TOKEN = lazy_pattern(r"xoxb-(\d{5,20})-(\d{5,20})-[A-Za-z0-9]{16,64}")
_APP_TOKEN = lazy_pattern(r"xapp-[A-Za-z0-9]+-[A-Za-z0-9]+(?:-[A-Za-z0-9]+)+")
PROXY_SCHEMES = ("http://", "https://")
NO_SOCKS = (
    "Slack is reached through HTTP proxies only, since its library knows no SOCKS; name an http:// proxy in `proxy` "
    "(SLACK_PROXY), such as one that hands on to your SOCKS proxy"
)
# What the bot token has to be allowed, each with what fails without it.
SCOPES = {
    "app_mentions:read": "hearing that it is mentioned",
    "channels:history": "reading public channels that it is in",
    "channels:read": "the names of public channels",
    "chat:write": "writing",
    "commands": "slash commands",
    "files:read": "receiving files",
    "files:write": "sending files",
    "groups:history": "reading private channels that it is in",
    "groups:read": "the names of private channels",
    "im:history": "reading direct messages",
    "im:read": "finding direct chats",
    "im:write": "opening direct chats",
    "mpim:history": "reading group direct messages",
    "mpim:read": "the members of group direct messages",
    "reactions:read": "hearing reactions",
    "reactions:write": "reacting",
    "users:read": "the names of people",
}
EVENTS = (
    "app_mention", "channel_left", "channel_rename", "group_left", "group_rename", "member_joined_channel",
    "message.channels", "message.groups", "message.im", "message.mpim", "reaction_added",
)  # fmt: skip
# Slack has commands of its own called /status and /help, and other apps may have taken any short name.
COMMAND_PREFIX = "agent-"
COMMANDS = {
    "status": ("What the agent does right now", ""),
    "stop": ("Stop what the agent does", ""),
    "progress": ("How much of a turn is shown here", "off | brief | on | verbose"),
    "rich": ("Tables as tables, or as text", "auto | off"),
    "loop": ("Let the agent go on until a task is done", "the task, or stop"),
    "yt2pdf": ("A summary of a YouTube video as PDFs, where the project offers it", "link"),
    "inbox": ("Messages that nobody has answered yet", ""),
    "projects": ("The projects that share this bot", ""),
    "new": ("Open a thread for a project", "name"),
    "here": ("Bind this chat to a project", "name"),
    "cancel": ("Withdraw the question that waits for your words", ""),
    "session": ("Show, clear or export the session", "status | clear | export | forget WORDS"),
    "end": ("End the terminal session's waiting for messages", ""),
    "help": ("What you can do here", ""),
    "pair": ("Ask to be let in", ""),
}
_COMMAND = lazy_pattern(r"/(?:[A-Za-z0-9_-]*-)?([A-Za-z0-9_]{1,32})")


_TEXT = Text()


def _app_token(value: object) -> SecretText | None:
    token = parse_secret(value)
    if not token.value:
        return None
    register_secret(token.value)
    return token


def _proxy(value: object) -> str | None:
    return http_proxy_url(_TEXT(value), PROXY_SCHEMES, NO_SOCKS)


class SlackSettings(Settings):
    """The settings that Slack adds to the common ones."""

    app_token: SecretText | None = declare(
        None,
        Nullable(_app_token),
        "app-level token (xapp-...) that opens the connection; better in .env, as SLACK_APP_TOKEN",
    )
    api_root: str = declare("https://slack.com", parse_root, "root of the Web API, under which /api lies")
    proxy: str | None = declare(None, Nullable(_proxy), "http:// or https:// proxy for every connection")
    suppress_previews: bool = declare(True, Flag(), "links in replies do not unfold into previews")  # noqa: FBT003


def bot_id(token: str) -> str:
    """Return the bot's id: the numbers of its workspace and of itself in a token, which stay when it is made anew.

    Raises `ConfigError`, which never shows the token.
    """
    match = _BOT_TOKEN.fullmatch(token)
    if match is None:
        why = sentence(
            "the Slack bot token does not look like one (it has {length} characters; under OAuth & Permissions the "
            "app's page gives one that begins with xoxb-; one with rotation, which begins with xoxe, cannot be used)",
            length=len(token),
        )
        raise ConfigError(joined([why, "set it again with `channels setup slack`"]))
    return f"{match[1]}-{match[2]}"


def app_token_problem(token: str) -> str:
    """Return why a text is no app-level token, in a sentence that does not show it; empty if it is one."""
    if _APP_TOKEN.fullmatch(token):
        return ""
    return sentence(
        "the Slack app-level token does not look like one (it has {length} characters; under Basic Information, "
        "App-Level Tokens, the app's page gives one that begins with xapp-)",
        length=len(token),
    )


def command_of(command: str) -> str:
    """Return the name of a slash command of ours: `status` for `/agent-status`; empty for anything else."""
    match = _COMMAND.fullmatch(command)
    return match[1].lower() if match else ""


def manifest() -> str:
    """Return the app's manifest as JSON, to be pasted where Slack makes an app from one."""
    commands = [
        {"command": f"/{COMMAND_PREFIX}{name}", "description": what, "should_escape": True}
        | ({"usage_hint": hint} if hint else {})
        for name, (what, hint) in COMMANDS.items()
    ]
    made: dict[str, Any] = {
        "display_information": {"name": "Coding agent", "description": "Your coding agent, on the phone"},
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "agent", "always_online": False},
            "slash_commands": commands,
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }
    return json.dumps(made, indent=2)
