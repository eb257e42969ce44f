"""Application commands: what a bot registers, and what a person's app makes of choosing one.

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
# The kinds of options that need more than a value are not played here.
OPTION_KINDS = range(3, 12)
COMMANDS_MAX, OPTIONS_MAX, CHOICES_MAX = 100, 25, 25
FOREIGN = DiscordError(403, 20012, "You are not authorized to perform this action on this application")
TOO_MANY = DiscordError(400, 30032, "Maximum number of application commands reached (100).")
# Besides these, letters and digits of any script.
_SIGNS = set("-_'")


class CommandRegistry:
    """The global commands of one bot, and the routes that change them."""

    def __init__(self, state: DiscordState) -> None:
        self.state = state
        self.all: list[dict[str, Any]] = []
        self.route = Routes()
        self.route("PUT /applications/{application_id}/commands")(self.replace)
        self.route("GET /applications/{application_id}/commands")(self.get)

    # --- by the bot

    def get(self, request: Request) -> list[dict[str, Any]]:
        """All of them."""
        self._own(request)
        return self.all

    def replace(self, request: Request) -> list[dict[str, Any]]:
        """All of them anew; one that keeps its name keeps its id."""
        self._own(request)
        problems = FormErrors()
        if request.items is None:
            problems.add("_misc", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            problems.check()
        given = request.items or []
        if len(given) > COMMANDS_MAX:
            raise TOO_MANY
        made = [self._checked(one, str(number), problems) for number, one in enumerate(given)]
        names = [one["name"] for one in made]
        for number, name in enumerate(names):
            if name in names[:number]:
                path = f"{number}.name"
                problems.add(path, "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        problems.check()
        known = {one["name"]: one["id"] for one in self.all}
        bot = str(self.state.bot.id)
        self.all = [
            {
                "id": known.get(one["name"]) or str(self.state.ids()),
                "application_id": bot,
                "version": str(self.state.ids()),
                "default_member_permissions": None,
                "nsfw": False,
                **one,
            }
            for one in made
        ]
        self.state.changed()
        return self.all

    def _own(self, request: Request) -> None:
        if request.ident("application_id") != self.state.bot.id:
            raise FOREIGN

    def _checked(self, given: Any, path: str, problems: FormErrors) -> dict[str, Any]:
        values = problems.model(given, path)
        kind = problems.number(values.get("type"), f"{path}.type", 1, 4, CHAT_INPUT)
        options = problems.items(values.get("options"), f"{path}.options", 0, OPTIONS_MAX)
        made: dict[str, Any] = {
            "type": kind,
            "name": _name(values, path, problems),
            "description": problems.text(values.get("description"), f"{path}.description", 1, 100),
            "options": [self._option(one, f"{path}.options.{number}", problems) for number, one in enumerate(options)],
            "contexts": _among(values.get("contexts"), f"{path}.contexts", (0, 1, 2), problems),
            "integration_types": _among(values.get("integration_types"), f"{path}.integration_types", (0, 1), problems)
            or [0],
        }
        required = [one["required"] for one in made["options"]]
        if required != sorted(required, reverse=True):
            words = "Required options must be placed before non-required options"
            problems.add(f"{path}.options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", words)
        return made

    def _option(self, given: Any, path: str, problems: FormErrors) -> dict[str, Any]:
        values = problems.model(given, path)
        if values.get("type") is None:
            problems.required(f"{path}.type")
        kind = problems.number(values.get("type"), f"{path}.type", OPTION_KINDS[0], OPTION_KINDS[-1], STRING)
        choices = problems.items(values.get("choices"), f"{path}.choices", 0, CHOICES_MAX)
        made = []
        for number, one in enumerate(choices):
            here = f"{path}.choices.{number}"
            choice = problems.model(one, here)
            name = problems.text(choice.get("name"), f"{here}.name", 1, 100)
            made.append({"name": name, "value": problems.text(choice.get("value"), f"{here}.value", 1, 100)})
        return {
            "type": kind,
            "name": _name(values, path, problems),
            "description": problems.text(values.get("description"), f"{path}.description", 1, 100),
            "required": bool(values.get("required", False)),
            "choices": made,
        }

    # --- by people

    def chosen(self, name: str, options: dict[str, str], place: GuildChannel) -> dict[str, Any]:
        """An interaction's data. Raises LookupError or ValueError for what the app would not let anybody send."""
        found = next((one for one in self.all if one["name"] == name and one["type"] == CHAT_INPUT), None)
        if found is None:
            raise LookupError(f"the bot registered no /{name}; it has {[one['name'] for one in self.all]}")
        context = 1 if place.guild is None else 0
        if found["contexts"] is not None and context not in found["contexts"]:
            raise LookupError(f"/{name} is not offered here: its contexts are {found['contexts']}")
        known = {one["name"]: one for one in found["options"]}
        if unknown := set(options) - set(known):
            raise LookupError(f"/{name} has no option {sorted(unknown)}; it has {sorted(known)}")
        for option in known.values():
            value = options.get(option["name"])
            allowed = [choice["value"] for choice in option["choices"]]
            if value is None and option["required"]:
                raise ValueError(f"option {option['name']!r} of /{name} must be filled in")
            if value is not None and allowed and value not in allowed:
                raise ValueError(f"option {option['name']!r} of /{name} is one of {allowed}, not {value!r}")
        data: dict[str, Any] = {"id": found["id"], "name": name, "type": CHAT_INPUT}
        if options:
            data["options"] = [{"type": known[key]["type"], "name": key, "value": options[key]} for key in options]
        return data


def _name(values: dict[str, Any], path: str, problems: FormErrors) -> str:
    name = problems.text(values.get("name"), f"{path}.name", 1, 32)
    wrong = any(not (sign in _SIGNS or unicodedata.category(sign)[0] in "LN") for sign in name)
    if name and (wrong or name != name.lower() or re.search(r"\s", name)):
        problems.add(f"{path}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    return name


def _among(value: Any, path: str, known: tuple[int, ...], problems: FormErrors) -> list[int] | None:
    if value is None:
        return None
    found = problems.items(value, path, 1, len(known))
    if any(one not in known for one in found):
        problems.choices(path, known)
    return list(found)
