"""App manifests, from which an app is made on api.slack.com: what Slack refuses in one, and what it configures."""

from __future__ import annotations

import json
import re
from typing import Any

from agent_channels.sandbox.slack.records import EVENTS, SlackApp

__all__ = ["configure"]

# A slash command, with what Slack says of each of its fields.
COMMAND = re.compile(r"/[a-z0-9_-]{1,31}")
COMMAND_FIELDS = {"description": 2000, "usage_hint": 1000}
# Every scope a bot can have here.
SCOPE = re.compile(
    r"(app_mentions|assistant|calls|canvases|channels|chat|commands|conversations\.connect|dnd|emoji|files|groups|im"
    r"|incoming-webhook|links|metadata\.message|mpim|pins|reactions|reminders|remote_files|team|usergroups|users"
    r"|users\.profile|workflow\.steps)(:[a-z.]+)?"
)


def configure(app: SlackApp, manifest: str) -> None:
    """Configure an app as its manifest says. Raises ValueError naming the place that Slack would refuse."""
    try:
        made = json.loads(manifest)
    except ValueError as error:
        raise ValueError(f"the manifest is not JSON: {error}") from None
    name = _at(made, "display_information.name")
    if not isinstance(name, str) or not 1 <= len(name) <= 35:
        raise ValueError("/display_information/name must have 1 to 35 characters")
    if len(str(_at(made, "display_information.description") or "")) > 140:
        raise ValueError("/display_information/description must be less than 141 characters")
    if not _at(made, "features.bot_user.display_name"):
        raise ValueError("/features/bot_user/display_name is missing: without it the app has no bot")
    scopes, events = _rights(made)
    commands = {one["command"]: bool(one.get("should_escape")) for one in _commands(made)}
    if commands and "commands" not in scopes:
        raise ValueError("/features/slash_commands need the scope commands")
    app.bot_scopes, app.events, app.commands = scopes, set(events), commands
    app.socket_mode = bool(_at(made, "settings.socket_mode_enabled"))
    app.interactivity = bool(_at(made, "settings.interactivity.is_enabled"))
    home = _at(made, "features.app_home") or {}
    app.messages_tab = bool(home.get("messages_tab_enabled")) and not home.get("messages_tab_read_only_enabled")


def _rights(made: Any) -> tuple[list[str], list[str]]:
    """Return the bot's scopes and events."""
    scopes = list(_at(made, "oauth_config.scopes.bot") or ())
    events = list(_at(made, "settings.event_subscriptions.bot_events") or ())
    for scope in scopes:
        if SCOPE.fullmatch(scope) is None:
            raise ValueError(f"/oauth_config/scopes/bot: no scope {scope!r}")
    for event in events:
        if event not in EVENTS:
            raise ValueError(f"/settings/event_subscriptions/bot_events: no event {event!r}")
        if EVENTS[event] and EVENTS[event] not in scopes:
            raise ValueError(f"/settings/event_subscriptions/bot_events: {event} needs the scope {EVENTS[event]}")
    return scopes, events


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _commands(made: Any) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = list(_at(made, "features.slash_commands") or ())
    if len(commands) > 50:
        raise ValueError("/features/slash_commands: no more than 50 items allowed")
    for number, one in enumerate(commands):
        if COMMAND.fullmatch(str(one.get("command"))) is None:
            raise ValueError(f"/features/slash_commands/{number}/command: {one.get('command')!r} is not a command")
        if not one.get("description"):
            raise ValueError(f"/features/slash_commands/{number}/description is missing")
        for name, most in COMMAND_FIELDS.items():
            if len(str(one.get(name, ""))) > most:
                raise ValueError(f"/features/slash_commands/{number}/{name} must be less than {most + 1} characters")
    return commands
