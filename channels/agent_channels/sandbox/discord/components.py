"""Components of messages and modals: what Discord accepts, and finding the buttons and menus of a message."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from agent_channels.sandbox.buttons import find_button
from agent_channels.sandbox.discord.errors import FormErrors
from agent_channels.sandbox.discord.records import Message

__all__ = [
    "BUTTON",
    "ROW",
    "SELECT",
    "TEXT_INPUT",
    "checked_modal",
    "checked_rows",
    "modal_inputs",
    "tappable_button",
    "usable_menu",
]

# "Component Types"
ROW, BUTTON, SELECT, TEXT_INPUT, TEXT_DISPLAY, LABEL = 1, 2, 3, 4, 10, 18
# Menus of users, roles, mentionables and channels, which Discord fills.
AUTO_SELECTS = (5, 6, 7, 8)
# "Button Styles"
LINK, PREMIUM = 5, 6
SCHEMES = ("http", "https", "discord")


class _Checker:
    """Checks one tree of components, in which every custom_id must be unique."""

    def __init__(self, errors: FormErrors) -> None:
        self.errors = errors
        self.custom_ids: set[str] = set()
        self.count = itertools.count(1)

    def numbered(self, component: dict[str, Any]) -> dict[str, Any]:
        """Return the component with an id; those without one are numbered in order."""
        return {**component, "id": component.get("id") or next(self.count)}

    def custom_id(self, value: Any, path: str) -> None:
        custom_id = self.errors.text(value, f"{path}.custom_id", 1, 100)
        if custom_id and custom_id in self.custom_ids:
            text = "Component custom id cannot be duplicated"
            self.errors.add(f"{path}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", text)
        self.custom_ids.add(custom_id)

    def button(self, button: dict[str, Any], path: str) -> None:
        errors = self.errors
        style = button.get("style")
        if style not in (1, 2, 3, 4, LINK, PREMIUM):
            errors.choices(f"{path}.style", (1, 2, 3, 4, 5, 6))
        if style == PREMIUM:
            errors.snowflake(button.get("sku_id"), f"{path}.sku_id")
            return
        errors.text(button.get("label"), f"{path}.label", 0, 80)
        if not button.get("label") and not button.get("emoji"):
            errors.required(f"{path}.label")
        if style == LINK:
            self.url(button.get("url"), f"{path}.url")
            if button.get("custom_id"):
                text = "A custom id and url cannot both be specified"
                errors.add(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", text)
            return
        if button.get("url"):
            text = "A url cannot be specified for this button style"
            errors.add(f"{path}.url", "BUTTON_COMPONENT_URL_STYLE", text)
        self.custom_id(button.get("custom_id"), path)

    def url(self, value: Any, path: str) -> None:
        text = self.errors.text(value, path, 1, 512)
        try:
            parts = urlsplit(text)
        except ValueError:
            parts = urlsplit("")
        if text and parts.scheme not in SCHEMES:
            scheme = f'Scheme "{parts.scheme}" is not supported. Scheme must be one of {SCHEMES}.'
            self.errors.add(path, "URL_TYPE_INVALID_SCHEME", scheme)
        elif text and not parts.netloc:
            self.errors.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")

    def select(self, select: dict[str, Any], path: str) -> None:
        errors = self.errors
        self.custom_id(select.get("custom_id"), path)
        errors.text(select.get("placeholder"), f"{path}.placeholder", 0, 150)
        top = 25
        if select["type"] == SELECT:
            options = errors.items(select.get("options"), f"{path}.options", 1, 25)
            self.options(options, f"{path}.options")
            top = len(options) or 25
        low = errors.number(select.get("min_values"), f"{path}.min_values", 0, 25, 1)
        high = errors.number(select.get("max_values"), f"{path}.max_values", 1, top, 1)
        if low > high:
            text = f"int value should be less than or equal to {high}."
            errors.add(f"{path}.min_values", "NUMBER_TYPE_MAX", text)

    def options(self, options: list[Any], path: str) -> None:
        errors = self.errors
        values: set[str] = set()
        for index, item in enumerate(options):
            option = errors.model(item, f"{path}.{index}")
            errors.text(option.get("label"), f"{path}.{index}.label", 1, 100)
            value = errors.text(option.get("value"), f"{path}.{index}.value", 1, 100)
            errors.text(option.get("description"), f"{path}.{index}.description", 0, 100)
            if value in values:
                text = "The specified option value is already used"
                errors.add(f"{path}.{index}.value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", text)
            values.add(value)

    def text_input(self, field: dict[str, Any], path: str, *, labelled: bool) -> None:
        errors = self.errors
        self.custom_id(field.get("custom_id"), path)
        if field.get("style") not in (1, 2):
            errors.choices(f"{path}.style", (1, 2))
        if not labelled:
            errors.text(field.get("label"), f"{path}.label", 1, 45)
        errors.text(field.get("placeholder"), f"{path}.placeholder", 0, 100)
        errors.text(field.get("value"), f"{path}.value", 0, 4000)
        errors.number(field.get("min_length"), f"{path}.min_length", 0, 4000, 0)
        errors.number(field.get("max_length"), f"{path}.max_length", 1, 4000, 4000)


def checked_rows(value: Any, errors: FormErrors, path: str = "components") -> list[dict[str, Any]]:
    """Return the rows of a message, numbered: at most 5, each with 1-5 buttons or one menu."""
    check = _Checker(errors)
    rows = []
    for index, item in enumerate(errors.items(value, path, 0, 5)):
        row_path = f"{path}.{index}"
        row = errors.model(item, row_path)
        if row.get("type") != ROW:
            errors.add(f"{row_path}.type", "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')
            continue
        made = check.numbered(row)
        children = errors.items(row.get("components"), f"{row_path}.components", 1, 5)
        made["components"] = [
            _checked_child(check, child, f"{row_path}.components.{at}") for at, child in enumerate(children)
        ]
        if len(children) > 1 and any(child.get("type") != BUTTON for child in made["components"]):
            text = "The specified component exceeds the maximum width"
            errors.add(f"{row_path}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", text)
        rows.append(made)
    return rows


def _checked_child(check: _Checker, item: Any, path: str) -> dict[str, Any]:
    component = check.errors.model(item, path)
    kind = component.get("type")
    if kind == BUTTON:
        check.button(component, path)
    elif kind == SELECT or kind in AUTO_SELECTS:
        check.select(component, path)
    else:
        text = 'Value of field "type" must be one of (2, 3, 5, 6, 7, 8).'
        check.errors.add(f"{path}.type", "UNION_TYPE_CHOICES", text)
    defaults: dict[str, Any] = {} if kind == BUTTON else {"min_values": 1, "max_values": 1, "disabled": False}
    return {**defaults, **check.numbered(component)}


def checked_modal(value: Any, errors: FormErrors, path: str = "data") -> dict[str, Any]:
    """Return a modal: custom_id, title of 1-45 characters, 1-5 rows with one text input, labels or text."""
    modal = errors.model(value, path)
    check = _Checker(errors)
    errors.text(modal.get("custom_id"), f"{path}.custom_id", 1, 100)
    errors.text(modal.get("title"), f"{path}.title", 1, 45)
    made = []
    for index, item in enumerate(errors.items(modal.get("components"), f"{path}.components", 1, 5)):
        item_path = f"{path}.components.{index}"
        component = check.numbered(errors.model(item, item_path))
        if component.get("type") == ROW:
            children = errors.items(component.get("components"), f"{item_path}.components", 1, 1)
            component["components"] = [
                _checked_input(check, child, f"{item_path}.components.0", labelled=False) for child in children[:1]
            ]
        elif component.get("type") == LABEL:
            errors.text(component.get("label"), f"{item_path}.label", 1, 45)
            inner = component.get("component")
            component["component"] = _checked_input(check, inner, f"{item_path}.component", labelled=True)
        elif component.get("type") != TEXT_DISPLAY:
            text = 'Value of field "type" must be one of (1, 10, 18).'
            errors.add(f"{item_path}.type", "UNION_TYPE_CHOICES", text)
        made.append(component)
    return {**modal, "components": made}


def _checked_input(check: _Checker, item: Any, path: str, *, labelled: bool) -> dict[str, Any]:
    field = check.numbered(check.errors.model(item, path))
    if field.get("type") == TEXT_INPUT:
        check.text_input(field, path, labelled=labelled)
    elif labelled and field.get("type") == SELECT:
        check.select(field, path)
    else:
        known = (3, 4) if labelled else (4,)
        text = f'Value of field "type" must be one of {known}.'
        check.errors.add(f"{path}.type", "UNION_TYPE_CHOICES", text)
    return field


# --- finding components


def tappable_button(message: Message, row: int, col: int, label: str | None, custom_id: str | None) -> dict[str, Any]:
    """Return a button by row and column, label or custom_id; an unknown custom_id gives a forged button.

    Raises LookupError for a button that is missing, disabled, or sends nothing to the bot.
    """
    # A row with a menu counts as a row without buttons.
    rows = [[one for one in line["components"] if one["type"] == BUTTON] for line in message["components"]]
    if custom_id is not None:
        forged: dict[str, Any] = {"type": BUTTON, "custom_id": custom_id, "id": 1}
        return next((button for buttons in rows for button in buttons if button.get("custom_id") == custom_id), forged)
    button = find_button(message["id"], rows, row, col, label=label, label_field="label")
    if "custom_id" not in button:
        raise LookupError(f"button {button.get('label')!r} sends nothing to the bot: it opens {button.get('url')}")
    if button.get("disabled"):
        raise LookupError(f"button {button.get('label')!r} is disabled")
    return button


def usable_menu(message: Message, wanted: Iterable[str], custom_id: str | None) -> tuple[dict[str, Any], list[str]]:
    """Return the first menu that has all these values or labels, and the values.

    Raises LookupError when there is none or it is disabled, ValueError for too few or too many values.
    """
    chosen = list(wanted)
    menus = [one for line in message["components"] for one in line["components"] if one["type"] == SELECT]
    menus = [menu for menu in menus if custom_id in {None, menu["custom_id"]}]
    for menu in menus:
        values = {str(option["label"]): str(option["value"]) for option in reversed(menu["options"])}
        values |= {str(option["value"]): str(option["value"]) for option in menu["options"]}
        if not all(name in values for name in chosen):
            continue
        if menu.get("disabled"):
            raise LookupError(f"menu {menu['custom_id']!r} is disabled")
        low, high = menu["min_values"], menu["max_values"]
        if not low <= len(chosen) <= high:
            raise ValueError(f"menu {menu['custom_id']!r} takes {low}-{high} values, not {len(chosen)}")
        return menu, [values[name] for name in chosen]
    options = [[option["label"] for option in menu["options"]] for menu in menus]
    raise LookupError(f"message {message['id']} has no menu with {chosen}; its menus: {options}")


def modal_inputs(modal: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (row or label, the input in it) for every input of a modal."""
    for component in modal["components"]:
        if component["type"] == ROW:
            yield component, component["components"][0]
        elif component["type"] == LABEL:
            yield component, component["component"]
