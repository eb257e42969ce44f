"""What Discord's messages are made of: limits, formats, escapes, components, and how a sent message reads."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from discord.utils import escape_markdown

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, Style
from agent_channels.core.errors import Refused
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text import markdown

__all__ = [
    "FORM",
    "FORMATS",
    "LIMITS",
    "closed_components",
    "components",
    "escape",
    "escape_markup",
    "form",
    "list_marker",
    "snapshot",
    "to_content",
]

FORMATS = ("markdown", "text")

# "Message" and "Component Reference" in Discord's documentation. It counts code points; UTF-16 units are never fewer.
# Uploads: the limit of every server and direct chat. For downloads Discord has none; this one is ours.
LIMITS = Limits(
    text=2000,
    unit="utf16",
    buttons=125,
    row=5,
    rows=5,
    label=80,
    upload=10 * 1024 * 1024,
    photo=10 * 1024 * 1024,
    download=100 * 1024 * 1024,
    links=25,
    caption=2000,
    thread_name=100,
    album_keyboard=True,
    paste=1900,
    # Discord shows typing for ten seconds.
    typing_every_s=8.0,
)
# The marks of headings, lists and quotations at the start of a line; `-# small` stays one.
_LINE = lazy_pattern(r"^([^\S\n]*)(#{1,3}(?=\s)|[-+](?=\s)|>{1,3}(?=\s)|\d+(?=\.\s))", re.MULTILINE)
_ITEM = lazy_pattern(r"([^\S\n]*)(?:(\d{1,18})\.|[-*+•])\s")
_LOOSE = lazy_pattern(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_INLINE = lazy_pattern(
    r"\\(?=[^0-9A-Za-z\s]|$)|[*`_]|~(?=~)|(?<=~)~|\|(?=\|)|(?<=\|)\||(?<=\])\(|(?<=https):(?=//)|(?<=http):(?=//)"
)
# At the end of the data of a button that opens a form: the form has to be the very first answer to the tap.
FORM = "!"

_ROW, _BUTTON, _MENU, _INPUT = 1, 2, 3, 4
_STYLES: dict[Style | None, int] = {None: 2, "primary": 1, "secondary": 2, "success": 3, "danger": 4}
_LINK = 5
_PER_MENU = 25


def components(keyboard: Keyboard | None) -> list[dict[str, Any]]:
    """Return rows of buttons; above 25 buttons, menus of 25 options each. A button that can only copy is left out."""
    rows = [[key for key in row if key.url or key.data is not None] for row in keyboard or ()]
    keyboard = tuple(tuple(row) for row in rows if row)
    keys = [key for row in keyboard for key in row]
    if len(keys) <= _PER_MENU:
        return [{"type": _ROW, "components": [_button(key) for key in row]} for row in keyboard]
    menus = [keys[i : i + _PER_MENU] for i in range(0, len(keys), _PER_MENU)]
    return [
        {"type": _ROW, "components": [_menu(number, menu, 1 + number * _PER_MENU)]} for number, menu in enumerate(menus)
    ]


def _button(key: KeyboardButton) -> dict[str, Any]:
    if key.url:
        return {"type": _BUTTON, "style": _LINK, "label": key.label, "url": key.url}
    return {"type": _BUTTON, "style": _STYLES[key.style], "label": key.label, "custom_id": _data(key)}


def closed_components(chosen: KeyboardButton | None) -> list[dict[str, Any]]:
    """Return the one button that was chosen, which does nothing any more; nothing for None."""
    return [{"type": _ROW, "components": [_button(chosen) | {"disabled": True}]}] if chosen else []


def _menu(number: int, keys: list[KeyboardButton], first: int) -> dict[str, Any]:
    return {
        "type": _MENU,
        "custom_id": f"menu.{number}",
        "placeholder": f"{first}-{first + len(keys) - 1}",
        "options": [{"label": key.label, "value": _data(key)} for key in keys],
    }


def _data(key: KeyboardButton) -> str:
    return f"{key.data}{FORM}" if key.form else str(key.data)


def form(data: str, title: str) -> dict[str, Any]:
    """Return a modal with one field. `data` is the custom_id of the button that opens it."""
    # "Component Reference": a text input holds at most 4,000 characters, 2 is the style of several lines.
    field = {"type": _INPUT, "custom_id": "text", "style": 2, "label": title[:45], "max_length": 4000, "required": True}
    return {"custom_id": data, "title": title[:45], "components": [{"type": _ROW, "components": [field]}]}


def to_content(text: str, format_: str) -> str:
    """Return the content of a message that says `text`. Raises `Refused` for an unknown format."""
    if format_ not in FORMATS:
        raise Refused(f"format {format_!r} is not known here; it is one of {', '.join(FORMATS)}")
    return escape_markdown(text, ignore_links=True) if format_ == "text" else text


def escape(text: str, format_: str) -> str:
    """Return `text` with everything escaped that the format would read as markup."""
    return markdown.escape(text) if format_ == "markdown" else text


def list_marker(marker: str, whole: str) -> str:
    """Return the marker of a list item, escaped if Discord would draw another number; `whole` as in `escape_markup`."""
    return marker if _traits(whole)[1] else marker.replace(".", "\\.")


def escape_markup(text: str, whole: str | None = None) -> str:
    """Return `text` escaped so that Discord shows it as it stands. `whole`: the message that it is a part of."""
    keep_underscores, numbers_stay = _traits(text if whole is None else whole)
    escaped = _INLINE.sub(lambda match: match[0] if keep_underscores and match[0] == "_" else "\\" + match[0], text)
    return _LINE.sub(lambda match: _escaped_line_mark(match, numbers_stay=numbers_stay), escaped)


def _escaped_line_mark(match: re.Match[str], *, numbers_stay: bool) -> str:
    if match[2].isdigit():
        return match[0] if numbers_stay else match[0] + "\\"
    return f"{match[1]}\\{match[2]}"


@lru_cache(maxsize=4)
def _traits(whole: str) -> tuple[bool, bool]:
    """Return whether underscores can stay and whether numbers at line starts can, which decides how to escape any part.

    Underscores within words mark nothing, unless another one in the message could end them. Cached, since a message
    may have thousands of parts.
    """
    return _LOOSE.search(whole) is None, _counts_up(whole)


def _counts_up(text: str) -> bool:
    """Return whether Discord's own numbers would be those of the text: in a list it counts up from the first.

    A line that is neither an item nor indented ends its lists; bullets next to numbers may be numbered too.
    """
    # The last item of each open list by its indentation: its number, or None for a bullet.
    last: dict[int, int | None] = {}
    for line in text.split("\n"):
        match = _ITEM.match(line)
        if match is None:
            last = {} if line[:1].strip() else last
            continue
        indent, number = len(match[1]), int(match[2]) if match[2] else None
        last = {other: value for other, value in last.items() if other <= indent}
        if indent in last and number != (None if (before := last[indent]) is None else before + 1):
            return False
        last[indent] = number
    return True


def snapshot(message: dict[str, Any]) -> str | None:
    """Return a message's text with its Markdown, as JSON; None without a text."""
    return json.dumps({"content": message["content"]}) if message.get("content") else None
