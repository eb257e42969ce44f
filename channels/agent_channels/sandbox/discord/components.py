"""Components of messages and modals: what Discord accepts, and the buttons and menus people find on a message."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from agent_channels.sandbox.discord.errors import FormErrors
from agent_channels.sandbox.discord.records import Message

__all__ = ["BUTTON", "ROW", "SELECT", "buttons", "checked_modal", "checked_rows", "fields_of", "menus"]

ROW, BUTTON, SELECT, INPUT, LABEL, TEXT_DISPLAY = 1, 2, 3, 4, 18, 10
AUTO_SELECTS = (5, 6, 7, 8)
LINK, PREMIUM = 5, 6
SCHEMES = ("http", "https", "discord")


class _Checker:
    """Checks one tree of components; every custom_id may be there once."""

    def __init__(self, problems: FormErrors) -> None:
        self.problems = problems
        self.seen: set[str] = set()
        self.count = itertools.count(1)

    def identified(self, component: dict[str, Any]) -> dict[str, Any]:
        """The component with its number: what has none is numbered in order."""
        return {**component, "id": component.get("id") or next(self.count)}

    def custom_id(self, value: Any, path: str) -> None:
        found = self.problems.text(value, f"{path}.custom_id", 1, 100)
        if found and found in self.seen:
            text = "Component custom id cannot be duplicated"
            self.problems.add(f"{path}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", text)
        self.seen.add(found)

    def button(self, button: dict[str, Any], path: str) -> None:
        problems = self.problems
        style = button.get("style")
        if style not in (1, 2, 3, 4, LINK, PREMIUM):
            problems.choices(f"{path}.style", (1, 2, 3, 4, 5, 6))
        if style == PREMIUM:
            problems.snowflake(button.get("sku_id"), f"{path}.sku_id")
            return
        problems.text(button.get("label"), f"{path}.label", 0, 80)
        if not button.get("label") and not button.get("emoji"):
            problems.required(f"{path}.label")
        if style == LINK:
            self.url(button.get("url"), f"{path}.url")
            if button.get("custom_id"):
                text = "A custom id and url cannot both be specified"
                problems.add(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", text)
            return
        if button.get("url"):
            text = "A url cannot be specified for this button style"
            problems.add(f"{path}.url", "BUTTON_COMPONENT_URL_STYLE", text)
        self.custom_id(button.get("custom_id"), path)

    def url(self, value: Any, path: str) -> None:
        text = self.problems.text(value, path, 1, 512)
        try:
            parts = urlsplit(text)
        except ValueError:
            parts = urlsplit("")
        if text and parts.scheme not in SCHEMES:
            scheme = f'Scheme "{parts.scheme}" is not supported. Scheme must be one of {SCHEMES}.'
            self.problems.add(path, "URL_TYPE_INVALID_SCHEME", scheme)
        elif text and not parts.netloc:
            self.problems.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")

    def select(self, select: dict[str, Any], path: str) -> None:
        problems = self.problems
        self.custom_id(select.get("custom_id"), path)
        problems.text(select.get("placeholder"), f"{path}.placeholder", 0, 150)
        top = 25
        if select["type"] == SELECT:
            options = problems.items(select.get("options"), f"{path}.options", 1, 25)
            self.options(options, f"{path}.options")
            top = len(options) or 25
        low = problems.number(select.get("min_values"), f"{path}.min_values", 0, 25, 1)
        high = problems.number(select.get("max_values"), f"{path}.max_values", 1, top, 1)
        if low > high:
            text = f"int value should be less than or equal to {high}."
            problems.add(f"{path}.min_values", "NUMBER_TYPE_MAX", text)

    def options(self, options: list[Any], path: str) -> None:
        problems = self.problems
        values: set[str] = set()
        for index, each in enumerate(options):
            option = problems.model(each, f"{path}.{index}")
            problems.text(option.get("label"), f"{path}.{index}.label", 1, 100)
            value = problems.text(option.get("value"), f"{path}.{index}.value", 1, 100)
            problems.text(option.get("description"), f"{path}.{index}.description", 0, 100)
            if value in values:
                text = "The specified option value is already used"
                problems.add(f"{path}.{index}.value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", text)
            values.add(value)

    def text_input(self, field: dict[str, Any], path: str, *, labelled: bool) -> None:
        problems = self.problems
        self.custom_id(field.get("custom_id"), path)
        if field.get("style") not in (1, 2):
            problems.choices(f"{path}.style", (1, 2))
        if not labelled:
            problems.text(field.get("label"), f"{path}.label", 1, 45)
        problems.text(field.get("placeholder"), f"{path}.placeholder", 0, 100)
        problems.text(field.get("value"), f"{path}.value", 0, 4000)
        problems.number(field.get("min_length"), f"{path}.min_length", 0, 4000, 0)
        problems.number(field.get("max_length"), f"{path}.max_length", 1, 4000, 4000)


def checked_rows(value: Any, problems: FormErrors, path: str = "components") -> list[dict[str, Any]]:
    """The rows of a message, numbered: at most 5, of 1-5 buttons or one menu each."""
    check = _Checker(problems)
    rows = []
    for index, each in enumerate(problems.items(value, path, 0, 5)):
        here = f"{path}.{index}"
        row = problems.model(each, here)
        if row.get("type") != ROW:
            problems.add(f"{here}.type", "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')
            continue
        made = check.identified(row)
        inside = problems.items(row.get("components"), f"{here}.components", 1, 5)
        made["components"] = [_checked_child(check, one, f"{here}.components.{at}") for at, one in enumerate(inside)]
        if len(inside) > 1 and any(one.get("type") != BUTTON for one in made["components"]):
            text = "The specified component exceeds the maximum width"
            problems.add(f"{here}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", text)
        rows.append(made)
    return rows


def _checked_child(check: _Checker, each: Any, path: str) -> dict[str, Any]:
    component = check.problems.model(each, path)
    kind = component.get("type")
    if kind == BUTTON:
        check.button(component, path)
    elif kind == SELECT or kind in AUTO_SELECTS:
        check.select(component, path)
    else:
        text = 'Value of field "type" must be one of (2, 3, 5, 6, 7, 8).'
        check.problems.add(f"{path}.type", "UNION_TYPE_CHOICES", text)
    defaults: dict[str, Any] = {} if kind == BUTTON else {"min_values": 1, "max_values": 1, "disabled": False}
    return {**defaults, **check.identified(component)}


def checked_modal(value: Any, problems: FormErrors, path: str = "data") -> dict[str, Any]:
    """A modal: custom_id, title of 1-45 characters, 1-5 rows with one text input, labels or text."""
    modal = problems.model(value, path)
    check = _Checker(problems)
    problems.text(modal.get("custom_id"), f"{path}.custom_id", 1, 100)
    problems.text(modal.get("title"), f"{path}.title", 1, 45)
    made = []
    for index, each in enumerate(problems.items(modal.get("components"), f"{path}.components", 1, 5)):
        here = f"{path}.components.{index}"
        component = check.identified(problems.model(each, here))
        if component.get("type") == ROW:
            inside = problems.items(component.get("components"), f"{here}.components", 1, 1)
            component["components"] = [_input(check, one, f"{here}.components.0", labelled=False) for one in inside[:1]]
        elif component.get("type") == LABEL:
            problems.text(component.get("label"), f"{here}.label", 1, 45)
            component["component"] = _input(check, component.get("component"), f"{here}.component", labelled=True)
        elif component.get("type") != TEXT_DISPLAY:
            text = 'Value of field "type" must be one of (1, 10, 18).'
            problems.add(f"{here}.type", "UNION_TYPE_CHOICES", text)
        made.append(component)
    return {**modal, "components": made}


def _input(check: _Checker, each: Any, path: str, *, labelled: bool) -> dict[str, Any]:
    field = check.identified(check.problems.model(each, path))
    if field.get("type") == INPUT:
        check.text_input(field, path, labelled=labelled)
    elif labelled and field.get("type") == SELECT:
        check.select(field, path)
    else:
        known = (3, 4) if labelled else (4,)
        text = f'Value of field "type" must be one of {known}.'
        check.problems.add(f"{path}.type", "UNION_TYPE_CHOICES", text)
    return field


# --- what people find


def buttons(message: Message) -> list[list[dict[str, Any]]]:
    """The buttons of a message, by row; a row with a menu is empty."""
    return [[one for one in row["components"] if one["type"] == BUTTON] for row in message["components"]]


def menus(message: Message) -> list[dict[str, Any]]:
    """The menus of a message, from top to bottom."""
    return [one for row in message["components"] for one in row["components"] if one["type"] == SELECT]


def fields_of(modal: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The inputs of a modal, each with the row or label around it."""
    for component in modal["components"]:
        if component["type"] == ROW:
            yield component, component["components"][0]
        elif component["type"] == LABEL:
            yield component, component["component"]
