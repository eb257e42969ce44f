"""Grids on a platform: whether it can show one, how it is laid out, and what each button carries."""

from __future__ import annotations

from urllib.parse import urlsplit

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.outgoing import Button, Grid, Keyboard, KeyboardButton
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.sanitize import scrub
from agent_channels.core.text.units import length, truncate

__all__ = ["callback", "check_grid", "copy_row", "lay_out", "legend", "parse_callback"]

LABEL_MAX = 4096
# Bot API, "CopyTextButton"; no other platform has a limit of its own.
COPY_MAX = 256
# What browsers and chat apps disagree about, so that another site could open than the one that is read: white space,
# controls, backslashes. A host is words with dots, in letters of any script.
_ODD = lazy_pattern(r"[\s\\<>\"`{}|^\x00-\x20\x7f]")
_HOST = lazy_pattern(r"(?:\w(?:[\w-]{0,61}\w)?\.)*\w(?:[\w-]{0,61}\w)?")


def callback(panel_id: str, position: int) -> str:
    """Return what a button carries on the platform: at most 26 bytes."""
    return f"{panel_id}.{position}"


def parse_callback(data: str) -> tuple[str, int] | None:
    """Return the panel id and position in a button's data; None if it is not ours."""
    panel_id, dot, position = data.rpartition(".")
    if not dot or len(panel_id) != 22 or not (position.isascii() and position.isdigit() and len(position) <= 3):
        return None
    return (panel_id, int(position)) if callback(panel_id, int(position)) == data else None


def check_grid(grid: Grid, limits: Limits) -> None:
    """Raise `Refused`, naming the limit, if the platform cannot show the grid."""
    cells = [button for row in grid for button in row]
    if not cells:
        raise Refused('buttons is empty; give rows of labels, such as [["Yes", "No"]]')
    if len(cells) > limits.buttons:
        raise Refused(f"buttons holds {len(cells)} buttons; one message takes at most {limits.buttons}")
    if limits.links is not None and len(cells) > limits.links and any(button.url for button in cells):
        raise Refused(
            f"buttons holds {len(cells)} buttons, and above {limits.links} they become menus, which hold no links; "
            "put the url into the text, or send fewer buttons"
        )
    for r, row in enumerate(grid):
        for c, button in enumerate(row):
            _check_button(button, f"button at row {r}, column {c}", limits)


def _check_button(button: Button, where: str, limits: Limits) -> None:
    if not scrub(button.label).strip():
        raise Refused(f"the {where} has an empty label")
    if length(button.label, limits.unit) > LABEL_MAX:
        raise Refused(f"the label of the {where} is longer than {LABEL_MAX} characters")
    for name, given, problem in (("url", button.url, _url_problem), ("copy", button.copy, _copy_problem)):
        if given is None:
            continue
        if why := problem(given):
            raise Refused(f"the {name} of the {where} is {given[:80]!r}; {why}")
        if button.value is not None:
            raise Refused(f"the {where} has both {name} and value; a {name} button sends nothing back, so drop one")
    if button.url is not None and button.copy is not None:
        raise Refused(f"the {where} has both url and copy; a button does one of the two, so drop one")


def _url_problem(url: str) -> str | None:
    """Return what keeps a URL from being a button's; None if nothing does."""
    if redact(url) != url:
        return "it holds a secret, which is never sent"
    if not url.lower().startswith(("https://", "http://")):
        return "it must begin with https:// (or http://)"
    if _ODD.search(url) or scrub(url) != url:
        return "it holds a space, a line break or another character that a URL cannot hold; percent-encode it"
    try:
        parts = urlsplit(url)
        host = parts.hostname or "" if parts.port != 0 else ""
    except ValueError:
        return "its host or port is not one"
    if "@" in parts.netloc:
        return "it holds a name or password before @, which hides where it leads; leave that out"
    if not _HOST.fullmatch(host):
        return "it has no plain host such as example.com"
    return None


def _copy_problem(text: str) -> str | None:
    """Return what keeps a text from being one that a button copies; None if nothing does."""
    if redact(text) != text:
        return "it holds a secret, which is never sent"
    if not text.strip() or length(text, "utf16") > COPY_MAX:
        return f"it must have 1 to {COPY_MAX} characters; put a longer text into the message, as a code block"
    # What is pasted into a terminal has to be what was read.
    if scrub(text) != text:
        return "it holds characters that nobody sees; leave them out"
    return None


def lay_out(panel_id: str, grid: Grid, limits: Limits) -> Keyboard:
    """Return the keyboard of a grid; positions stay those of the grid.

    Rows that are too wide are broken, if there are too many rows they are filled up, and a label that is too long is
    cut after its number, under which `legend` has it in full.
    """
    rows: list[tuple[KeyboardButton, ...]] = []
    position = 0
    for row in grid:
        keys = []
        for button in row:
            data = None if button.url else callback(panel_id, position)
            position += 1
            label = _button_label(button, position, limits)
            keys.append(KeyboardButton(label, data, button.url, button.style, button.form, button.copy))
        rows += _lines(keys, limits.row)
    if len(rows) > limits.rows:
        rows = _lines([key for row in rows for key in row], limits.row)
    return tuple(rows)


def copy_row(**copies: str) -> Keyboard:
    """Return a row of buttons that each copy a text, by the names of their labels' sentences."""
    return (tuple(KeyboardButton(translate(key), copy=text) for key, text in copies.items() if len(text) <= COPY_MAX),)


def legend(grid: Grid, limits: Limits) -> list[str]:
    """Return the labels that do not fit on the platform's buttons, in full, each after its number in reading order."""
    labels = [_shown(button.label) for row in grid for button in row]
    return [f"{number}. {label}" for number, label in enumerate(labels, 1) if _too_long(label, limits)]


def _lines(keys: list[KeyboardButton], width: int) -> list[tuple[KeyboardButton, ...]]:
    return [tuple(keys[i : i + width]) for i in range(0, len(keys), width)]


def _button_label(button: Button, number: int, limits: Limits) -> str:
    label = _shown(button.label)
    if limits.label is None or not _too_long(label, limits):
        return label
    return truncate(f"{number}. {label}", limits.label, limits.unit)


def _shown(label: str) -> str:
    return redact(scrub(label)).strip()


def _too_long(label: str, limits: Limits) -> bool:
    return limits.label is not None and length(label, limits.unit) > limits.label
