"""The elements of a message or modal that people tap, choose from or fill in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent_channels.sandbox.buttons import find_button
from agent_channels.sandbox.slack.records import Message

__all__ = ["element_rows", "inputs", "label_of", "options_of", "tappable_button", "usable_menu"]


def options_of(menu: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the options of a menu, those of its groups too."""
    groups = [group["options"] for group in menu.get("option_groups") or () if isinstance(group, dict)]
    return [*(menu.get("options") or ()), *(one for group in groups for one in group)]


def element_rows(message: Message) -> list[list[dict[str, Any]]]:
    """Return the elements of each block that has some to tap or to choose from."""
    rows = []
    for block in message.get("blocks") or ():
        if block["type"] == "actions":
            rows.append([{**one, "block_id": block["block_id"]} for one in block["elements"]])
        elif accessory := block.get("accessory"):
            rows.append([{**accessory, "block_id": block["block_id"]}])
    return rows


def label_of(element: dict[str, Any]) -> str:
    """Return the label of a button or an option."""
    return str(element.get("text", {}).get("text", ""))


def tappable_button(message: Message, row: int, col: int, label: str | None, action_id: str | None) -> dict[str, Any]:
    """Return the button to tap, with its block's id; for an action_id no button has, one that was there before.

    Raises LookupError when there is no such button.
    """
    rows = [[one for one in line if one["type"] == "button"] for line in element_rows(message)]
    if action_id is not None:
        for button in (one for line in rows for one in line):
            if button["action_id"] == action_id:
                return button
        text = {"type": "plain_text", "text": label or "gone", "emoji": True}
        return {"type": "button", "action_id": action_id, "block_id": "gone", "text": text, "value": ""}
    labelled = [[{**one, "label": label_of(one)} for one in line] for line in rows]
    found = find_button(message["ts"], labelled, row, col, label=label, label_field="label")
    return {name: value for name, value in found.items() if name != "label"}


def usable_menu(message: Message, wanted: str, action_id: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the first menu that has an option with this value or label, and the option. Raises LookupError."""
    menus = [one for line in element_rows(message) for one in line if one["type"] in {"static_select", "overflow"}]
    menus = [menu for menu in menus if action_id in {None, menu["action_id"]}]
    for menu in menus:
        for option in options_of(menu):
            if wanted in {option.get("value"), label_of(option)}:
                return menu, option
    found = [[label_of(one) for one in options_of(menu)] for menu in menus]
    raise LookupError(f"message {message['ts']} has no menu with {wanted!r}; its menus: {found}")


def inputs(view: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (block, element) for every input of a modal."""
    for block in view["blocks"]:
        if block["type"] == "input":
            yield block, block["element"]
