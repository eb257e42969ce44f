"""A chat as it looks on a phone, drawn with characters: bubbles, grids of buttons, toasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

__all__ = ["DemoPhone"]

_STYLES = {"bold": "bold", "italic": "italic", "underline": "underline", "code": "bold cyan", "pre": "cyan"}


@dataclass(frozen=True, slots=True)
class _Ink:
    """The characters of a drawing: corners of a bubble and of a button, lines, and the stuff of pictures."""

    round: str
    square: str
    across: str
    down: str
    picture: str


_FINE = _Ink("╭╮╰╯", "┌┐└┘", "─", "│", "▒")
_PLAIN = _Ink("++++", "++++", "-", "|", "#")


class DemoPhone:
    """One person's screen, `width` cells wide: theirs on the right, the bot's on the left."""

    def __init__(self, console: Console, width: int, me: int) -> None:
        self._console, self._width, self._me = console, width, me
        self._ink = _PLAIN if console.options.ascii_only else _FINE

    def message(self, message: dict[str, Any]) -> list[Text]:
        """A message as it looks now: bubble, "edited", and its grid of buttons."""
        mine = message["from"]["id"] == self._me
        grid = [[key["text"] for key in row] for row in message.get("reply_markup", {}).get("inline_keyboard", [])]
        room = self._width - 6
        body = [line for part in self._parts(message) for line in self._wrapped(part, room)]
        name = message["from"]["first_name"]
        inner = max([cell_len(name) + 2, *(line.cell_len for line in body), *(_needed(row) for row in grid)])
        colour = "green" if mine else "blue"
        lines = self._bubble(body, inner, name, "edited" if "edit_date" in message else "", colour)
        for row in grid:
            lines += self._buttons(row, inner + 4)
        return [self._right(line) for line in lines] if mine else lines

    def tap(self, label: str) -> list[Text]:
        """The person's finger on a button."""
        return [self._right(Text.assemble(("taps ", "dim"), (f"[{label}]", "bold")))]

    def toast(self, text: str) -> list[Text]:
        """The short notice a tap is answered with."""
        line = Text.assemble(("toast ", "dim"), (f'"{text}"', "italic"))
        return [Text(" " * max(0, (self._width - line.cell_len) // 2)).append_text(line)]

    def remark(self, text: str) -> list[Text]:
        """What the person can tell about the phone itself, in the middle."""
        line = Text(text, "dim")
        return [Text(" " * max(0, (self._width - line.cell_len) // 2)).append_text(line)]

    # --- drawing

    def _parts(self, message: dict[str, Any]) -> list[Text]:
        parts = []
        if photo := message.get("photo"):
            label = f" photo {photo[-1]['width']} x {photo[-1]['height']} "
            ink = self._ink.picture
            edge = ink * (len(label) + 4)
            parts = [Text(edge, "magenta"), Text(f"{ink}{ink}{label}{ink}{ink}", "magenta"), Text(edge, "magenta")]
        if "text" in message:
            parts.append(_styled(message["text"], message.get("entities", ())))
        elif message.get("caption"):
            parts.append(_styled(message["caption"], message.get("caption_entities", ())))
        return parts

    def _wrapped(self, text: Text, width: int) -> list[Text]:
        return list(text.wrap(self._console, width)) or [Text()]

    def _bubble(self, body: Sequence[Text], inner: int, name: str, note: str, colour: str) -> list[Text]:
        ink = self._ink
        head = f"{ink.across} {name} ".ljust(inner + 2, ink.across)
        foot = (f" {note} {ink.across}" if note else "").rjust(inner + 2, ink.across)
        side = (ink.down, colour)
        return [
            Text(f"{ink.round[0]}{head}{ink.round[1]}", colour),
            *(Text.assemble(side, " ", line, " " * (inner - line.cell_len), " ", side) for line in body),
            Text(f"{ink.round[2]}{foot}{ink.round[3]}", colour),
        ]

    def _buttons(self, labels: Sequence[str], width: int) -> list[Text]:
        ink, each, rest = self._ink, width // len(labels), width % len(labels)
        top, middle, bottom = Text(style="yellow"), Text(), Text(style="yellow")
        for number, label in enumerate(labels):
            inner = each - 2 + (1 if number < rest else 0)
            top.append(f"{ink.square[0]}{ink.across * inner}{ink.square[1]}")
            bottom.append(f"{ink.square[2]}{ink.across * inner}{ink.square[3]}")
            spare = inner - cell_len(label)
            middle.append(ink.down + " " * (spare // 2), "yellow").append(label, "bold")
            middle.append(" " * (spare - spare // 2) + ink.down, "yellow")
        return [top, middle, bottom]

    def _right(self, line: Text) -> Text:
        return Text(" " * max(0, self._width - line.cell_len)).append_text(line)


def _needed(labels: Sequence[str]) -> int:
    """How wide a bubble must be inside for these buttons to be equally wide under it."""
    return len(labels) * (max(cell_len(label) for label in labels) + 4) - 4


def _styled(text: str, entities: Sequence[dict[str, Any]]) -> Text:
    """Text with its entities, whose offsets count UTF-16 units."""
    shown, units = Text(text), text.encode("utf-16-le")
    for entity in entities:
        begin = len(units[: 2 * entity["offset"]].decode("utf-16-le"))
        end = len(units[: 2 * (entity["offset"] + entity["length"])].decode("utf-16-le"))
        if style := _STYLES.get(entity["type"]):
            shown.stylize(style, begin, end)
    return shown
