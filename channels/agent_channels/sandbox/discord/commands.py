"""Application commands: those the bot registers, and the interaction data of one that a person chooses.

Rules from "Application Commands" of the documentation; codes from its "JSON Error Codes".
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from agent_channels.sandbox.discord.errors import DiscordError, FormErrors
from agent_channels.sandbox.discord.records import GuildChannel
from agent_channels.sandbox.discord.request import Request, Routes
from agent_channels.sandbox.discord.state import DiscordState

__all__ = ["CommandRegistry"]

CHAT_INPUT, STRING = 1, 3
# Option types from STRING on; subcommands and groups are not supported here.
FIRST_OPTION_TYPE, LAST_OPTION_TYPE = STRING, 11
COMMANDS_MAX, OPTIONS_MAX, CHOICES_MAX = 100, 25, 25
# Allowed in names besides letters and digits of any script.
NAME_SIGNS = set("-_'")


class CommandRegistry:
    """The global commands of one bot, and the routes that change them."""

    def __init__(self, state: DiscordState) -> None:
        self.state = state
        self.commands: list[dict[str, Any]] = []
        self.route = Routes()
        self.route("PUT /applications/{application_id}/commands")(self.replace)
        self.route("GET /applications/{application_id}/commands")(self.get)

    # --- by the bot

    def get(self, request: Request) -> list[dict[str, Any]]:
        """Return all commands."""
        self._check_own(request)
        return self.commands

    def replace(self, request: Request) -> list[dict[str, Any]]:
        """Replace all commands; a command whose name stays keeps its id."""
        self._check_own(request)
        errors = FormErrors()
        if request.items is None:
            errors.add("_misc", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            errors.check()
        given = request.items or []
        if len(given) > COMMANDS_MAX:
            raise DiscordError(400, 30032, "Maximum number of application commands reached (100).")
        made = [_checked_command(item, str(index), errors) for index, item in enumerate(given)]
        names = [command["name"] for command in made]
        for index, name in enumerate(names):
            if name in names[:index]:
                path = f"{index}.name"
                errors.add(path, "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        errors.check()
        known = {command["name"]: command["id"] for command in self.commands}
        self.commands = [
            {
                "id": known.get(command["name"]) or str(self.state.ids()),
                "application_id": str(self.state.bot.id),
                "version": str(self.state.ids()),
                "default_member_permissions": None,
                "nsfw": False,
                **command,
            }
            for command in made
        ]
        self.state.changed()
        return self.commands

    def _check_own(self, request: Request) -> None:
        if request.path_id("application_id") != self.state.bot.id:
            raise DiscordError(403, 20012, "You are not authorized to perform this action on this application")

    # --- by people

    def choose(self, name: str, options: dict[str, str], channel: GuildChannel) -> dict[str, Any]:
        """Return the interaction data of a command that a person chooses in a channel.

        Raises LookupError or ValueError for what Discord's app would not let anybody send.
        """
        commands = [command for command in self.commands if command["type"] == CHAT_INPUT]
        command = next((command for command in commands if command["name"] == name), None)
        if command is None:
            raise LookupError(f"the bot registered no /{name}; it has {[command['name'] for command in self.commands]}")
        context = 1 if channel.guild is None else 0
        if command["contexts"] is not None and context not in command["contexts"]:
            raise LookupError(f"/{name} is not offered here: its contexts are {command['contexts']}")
        known = {option["name"]: option for option in command["options"]}
        if unknown := set(options) - set(known):
            raise LookupError(f"/{name} has no option {sorted(unknown)}; it has {sorted(known)}")
        for option in known.values():
            value = options.get(option["name"])
            allowed = [choice["value"] for choice in option["choices"]]
            if value is None and option["required"]:
                raise ValueError(f"option {option['name']!r} of /{name} must be filled in")
            if value is not None and allowed and value not in allowed:
                raise ValueError(f"option {option['name']!r} of /{name} is one of {allowed}, not {value!r}")
        data: dict[str, Any] = {"id": command["id"], "name": name, "type": CHAT_INPUT}
        if options:
            data["options"] = [{"type": known[key]["type"], "name": key, "value": options[key]} for key in options]
        return data


def _checked_command(item: Any, path: str, errors: FormErrors) -> dict[str, Any]:
    values = errors.model(item, path)
    kind = errors.number(values.get("type"), f"{path}.type", 1, 4, CHAT_INPUT)
    options = errors.items(values.get("options"), f"{path}.options", 0, OPTIONS_MAX)
    made: dict[str, Any] = {
        "type": kind,
        "name": _checked_name(values, path, errors),
        "description": errors.text(values.get("description"), f"{path}.description", 1, 100),
        "options": [_checked_option(option, f"{path}.options.{index}", errors) for index, option in enumerate(options)],
        "contexts": _checked_subset(values.get("contexts"), f"{path}.contexts", (0, 1, 2), errors),
        "integration_types": _checked_subset(
            values.get("integration_types"), f"{path}.integration_types", (0, 1), errors
        )
        or [0],
    }
    required = [option["required"] for option in made["options"]]
    if required != sorted(required, reverse=True):
        words = "Required options must be placed before non-required options"
        errors.add(f"{path}.options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", words)
    return made


def _checked_option(item: Any, path: str, errors: FormErrors) -> dict[str, Any]:
    values = errors.model(item, path)
    if values.get("type") is None:
        errors.required(f"{path}.type")
    kind = errors.number(values.get("type"), f"{path}.type", FIRST_OPTION_TYPE, LAST_OPTION_TYPE, STRING)
    choices = errors.items(values.get("choices"), f"{path}.choices", 0, CHOICES_MAX)
    made = []
    for index, entry in enumerate(choices):
        choice_path = f"{path}.choices.{index}"
        choice = errors.model(entry, choice_path)
        name = errors.text(choice.get("name"), f"{choice_path}.name", 1, 100)
        made.append({"name": name, "value": errors.text(choice.get("value"), f"{choice_path}.value", 1, 100)})
    return {
        "type": kind,
        "name": _checked_name(values, path, errors),
        "description": errors.text(values.get("description"), f"{path}.description", 1, 100),
        "required": bool(values.get("required", False)),
        "choices": made,
    }


def _checked_name(values: dict[str, Any], path: str, errors: FormErrors) -> str:
    name = errors.text(values.get("name"), f"{path}.name", 1, 32)
    wrong = any(not (sign in NAME_SIGNS or unicodedata.category(sign)[0] in "LN") for sign in name)
    if name and (wrong or name != name.lower() or re.search(r"\s", name)):
        errors.add(f"{path}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    return name


def _checked_subset(value: Any, path: str, known: tuple[int, ...], errors: FormErrors) -> list[int] | None:
    if value is None:
        return None
    found = errors.items(value, path, 1, len(known))
    if any(number not in known for number in found):
        errors.choices(path, known)
    return list(found)
