"""What Slack's messages are made of: limits, formats, escapes, buttons, and how a sent message reads."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, Style
from agent_channels.core.errors import Refused
from agent_channels.core.text import markdown
from agent_channels.core.text.units import truncate

__all__ = [
    "FORM",
    "FORMATS",
    "KEPT",
    "LIMITS",
    "MENU",
    "action_blocks",
    "check_format",
    "closed_blocks",
    "escape",
    "escape_text",
    "fallback",
    "modal",
    "snapshot",
    "text_blocks",
]

FORMATS = ("markdown", "text")

# "chat.postMessage" and "Block Kit" in Slack's documentation: a message that can be edited has 4,000 characters. For
# uploads Slack allows 1 GB; this one and that for downloads are ours.
LIMITS = Limits(
    text=4000,
    unit="codepoint",
    buttons=100,
    row=5,
    rows=5,
    label=75,
    upload=100 * 1024 * 1024,
    photo=100 * 1024 * 1024,
    download=100 * 1024 * 1024,
    links=25,
    caption=4000,
    thread_name=100,
    paste=3700,
    # One message a second in each chat, and edits about as often.
    edit_every_s=1.2,
    group_edit_every_s=1.2,
    # A status in a thread is shown for two minutes.
    typing_every_s=30.0,
)
# At the end of the data of a button that opens a form, since it has to be opened at once.
FORM = "!"
# The names of menus begin with this; those of buttons are their data.
MENU = "menu."
# What the button is called that stays when a panel is closed.
KEPT = "kept."
# What a link's button is called, which sends nothing that matters.
_LINK = "link."
_STYLES: dict[Style | None, str] = {"primary": "primary", "success": "primary", "danger": "danger"}
# Above as many buttons they are drawn as menus, each of as many options: a longer list is hard to read on a phone.
_BUTTONS_MAX, _PER_MENU = 25, 25
# "chat.update": the text that stands for the blocks where these are not shown.
_FALLBACK_MAX = 4000


def action_blocks(keyboard: Keyboard | None) -> list[dict[str, Any]]:
    """Return a block for each row of buttons; above 25 buttons, menus. A button that can only copy is left out."""
    rows = [[key for key in row if key.url or key.data is not None] for row in keyboard or ()]
    rows = [row for row in rows if row]
    keys = [key for row in rows for key in row]
    if len(keys) <= _BUTTONS_MAX:
        numbers = iter(range(len(keys)))
        return [{"type": "actions", "elements": [_button(key, next(numbers)) for key in row]} for row in rows]
    menus = [keys[at : at + _PER_MENU] for at in range(0, len(keys), _PER_MENU)]
    drawn = [_menu(number, menu, 1 + number * _PER_MENU) for number, menu in enumerate(menus)]
    return [{"type": "actions", "elements": drawn}]


def _button(key: KeyboardButton, number: int) -> dict[str, Any]:
    drawn: dict[str, Any] = {"type": "button", "text": _plain(key.label)}
    if style := _STYLES.get(key.style):
        drawn["style"] = style
    if key.url:
        return drawn | {"action_id": f"{_LINK}{number}", "url": key.url}
    return drawn | {"action_id": f"button.{number}", "value": _data(key)}


def _menu(number: int, keys: list[KeyboardButton], first: int) -> dict[str, Any]:
    return {
        "type": "static_select",
        "action_id": f"{MENU}{number}",
        "placeholder": _plain(f"{first}-{first + len(keys) - 1}"),
        "options": [{"text": _plain(key.label), "value": _data(key)} for key in keys],
    }


def _plain(label: str) -> dict[str, Any]:
    # Words between colons are no emoji.
    return {"type": "plain_text", "text": label, "emoji": False}


def _data(key: KeyboardButton) -> str:
    return f"{key.data}{FORM}" if key.form else str(key.data)


def modal(title: str, private: str, question: str) -> dict[str, Any]:
    """Return a form with one field under the question that it answers. `private` comes back with what was typed."""
    # "Modals": a title has at most 24 characters, a text 3,000; an input holds 3,000.
    field = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 3000}
    return {
        "type": "modal",
        "callback_id": "answer",
        "private_metadata": private,
        "title": _plain(title[:24]),
        "submit": _plain("OK"),
        "blocks": [
            *([{"type": "section", "text": _plain(truncate(question, 3000, LIMITS.unit))}] if question else []),
            {"type": "input", "block_id": "answer", "label": _plain(title), "element": field},
        ],
    }


def check_format(format_: str) -> None:
    """Raise `Refused` for an unknown format."""
    if format_ not in FORMATS:
        raise Refused(f"format {format_!r} is not known here; it is one of {', '.join(FORMATS)}")


def escape(text: str, format_: str) -> str:
    """Return `text` with everything escaped that the format would read as markup."""
    return markdown.escape(text) if format_ == "markdown" else text


def escape_text(text: str) -> str:
    """Return `text` as Slack's `text` fields have it: three characters begin or end its references."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fallback(text: str) -> str:
    """Return what stands for a message's blocks in notifications; never empty."""
    escaped = escape_text(text)
    if len(escaped) > _FALLBACK_MAX:
        # Cut before it is escaped, so that no sign is cut in two.
        escaped = escape_text(text[: _FALLBACK_MAX // 5])
    return escaped or "…"


def text_blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks of a message that are its text, without its buttons."""
    return [_bare(block) for block in message.get("blocks") or () if block.get("type") != "actions"]


def _bare(block: dict[str, Any]) -> dict[str, Any]:
    # Slack numbers the blocks of each message itself.
    return {key: value for key, value in block.items() if key != "block_id"}


def closed_blocks(chosen: KeyboardButton | None) -> list[dict[str, Any]]:
    """Return the one button that was chosen, nothing for None.

    Slack has no buttons that do nothing: a tap on this one is told that the panel is answered.
    """
    if chosen is None:
        return []
    kept = _button(chosen, 0) | {"action_id": f"{KEPT}0", "value": str(chosen.data)}
    return [{"type": "actions", "elements": [kept]}]


def snapshot(message: dict[str, Any]) -> str | None:
    """Return a message's text with its formatting, as JSON; None without a text."""
    blocks = text_blocks(message)
    return json.dumps({"blocks": blocks, "text": str(message.get("text") or "")}) if blocks else None
