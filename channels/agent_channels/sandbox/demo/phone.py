"""A chat as it looks on a phone, drawn with characters: bubbles, rows of buttons, toasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from agent_channels.sandbox.telegram.utf16 import entity_text

__all__ = ["DemoPhone"]

STYLES = {"bold": "bold", "italic": "italic", "underline": "underline", "code": "bold cyan", "pre": "cyan"}


@dataclass(frozen=True, slots=True)
class _CharacterSet:
    """The characters of a drawing: corners of bubbles and buttons, lines, and the filling of pictures."""

    round: str
    square: str
    horizontal: str
    vertical: str
    picture: str


BOX_CHARACTERS = _CharacterSet("╭╮╰╯", "┌┐└┘", "─", "│", "▒")
ASCII_CHARACTERS = _CharacterSet("++++", "++++", "-", "|", "#")


class DemoPhone:
    """The screen of the person with id `owner_id`, `width` cells wide: their messages right, the bot's left."""

    def __init__(self, console: Console, width: int, owner_id: int) -> None:
        self._console, self._width, self._owner_id = console, width, owner_id
        self._characters = ASCII_CHARACTERS if console.options.ascii_only else BOX_CHARACTERS

    def message(self, message: dict[str, Any]) -> list[Text]:
        """Draw a message as it looks now: its bubble, "edited", and its buttons."""
        own = message["from"]["id"] == self._owner_id
        rows = [[key["text"] for key in row] for row in message.get("reply_markup", {}).get("inline_keyboard", [])]
        body = [line for part in self._parts(message) for line in self._wrapped(part, self._width - 6)]
        name = message["from"]["first_name"]
        inner = max([cell_len(name) + 2, *(line.cell_len for line in body), *(_width_for_buttons(row) for row in rows)])
        lines = self._bubble(body, inner, name, "edited" if "edit_date" in message else "", "green" if own else "blue")
        for row in rows:
            lines += self._buttons(row, inner + 4)
        return [self._right(line) for line in lines] if own else lines

    def tap(self, label: str) -> list[Text]:
        """Draw the person's tap on a button."""
        return [self._right(Text.assemble(("taps ", "dim"), (f"[{label}]", "bold")))]

    def toast(self, text: str) -> list[Text]:
        """Draw the short notice that answers a tap."""
        line = Text.assemble(("toast ", "dim"), (f'"{text}"', "italic"))
        return [Text(" " * max(0, (self._width - line.cell_len) // 2)).append_text(line)]

    # --- drawing

    def _parts(self, message: dict[str, Any]) -> list[Text]:
        parts = []
        if photo := message.get("photo"):
            label = f" photo {photo[-1]['width']} x {photo[-1]['height']} "
            filling = self._characters.picture
            edge = filling * (len(label) + 4)
            middle = f"{filling}{filling}{label}{filling}{filling}"
            parts = [Text(edge, "magenta"), Text(middle, "magenta"), Text(edge, "magenta")]
        if "text" in message:
            parts.append(_styled(message["text"], message.get("entities", ())))
        elif message.get("caption"):
            parts.append(_styled(message["caption"], message.get("caption_entities", ())))
        return parts

    def _wrapped(self, text: Text, width: int) -> list[Text]:
        return list(text.wrap(self._console, width)) or [Text()]

    def _bubble(self, body: Sequence[Text], inner: int, name: str, note: str, colour: str) -> list[Text]:
        characters = self._characters
        head = f"{characters.horizontal} {name} ".ljust(inner + 2, characters.horizontal)
        foot = (f" {note} {characters.horizontal}" if note else "").rjust(inner + 2, characters.horizontal)
        side = (characters.vertical, colour)
        return [
            Text(f"{characters.round[0]}{head}{characters.round[1]}", colour),
            *(Text.assemble(side, " ", line, " " * (inner - line.cell_len), " ", side) for line in body),
            Text(f"{characters.round[2]}{foot}{characters.round[3]}", colour),
        ]

    def _buttons(self, labels: Sequence[str], width: int) -> list[Text]:
        characters, each, rest = self._characters, width // len(labels), width % len(labels)
        top, middle, bottom = Text(style="yellow"), Text(), Text(style="yellow")
        for index, label in enumerate(labels):
            inner = each - 2 + (1 if index < rest else 0)
            line = characters.horizontal * inner
            top.append(f"{characters.square[0]}{line}{characters.square[1]}")
            bottom.append(f"{characters.square[2]}{line}{characters.square[3]}")
            spare = inner - cell_len(label)
            middle.append(characters.vertical + " " * (spare // 2), "yellow").append(label, "bold")
            middle.append(" " * (spare - spare // 2) + characters.vertical, "yellow")
        return [top, middle, bottom]

    def _right(self, line: Text) -> Text:
        return Text(" " * max(0, self._width - line.cell_len)).append_text(line)


def _width_for_buttons(labels: Sequence[str]) -> int:
    """Return the inner width of a bubble under which these buttons have equal widths."""
    return len(labels) * (max(cell_len(label) for label in labels) + 4) - 4


def _styled(text: str, entities: Sequence[dict[str, Any]]) -> Text:
    styled = Text(text)
    for entity in entities:
        begin = len(entity_text(text, {"offset": 0, "length": entity["offset"]}))
        if style := STYLES.get(entity["type"]):
            styled.stylize(style, begin, begin + len(entity_text(text, entity)))
    return styled
