"""Tables on a phone: aligned in a monospace block where they fit, else a record for each row."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agent_channels.core.text.document import Dialect, FormattedText, Writer
from agent_channels.core.text.spans import SpanKind

__all__ = ["Table", "laid_out", "width"]

GAP = "  "
HEAD_MAX = 400
# Formatting that a monospace block cannot show, and without which something would be missing.
_LOST: frozenset[SpanKind] = frozenset({"link", "spoiler"})


@dataclass(frozen=True, slots=True)
class Table:
    """`rows`: cells, the head first; `sides`: left, center, right or nothing for each column."""

    rows: Sequence[Sequence[FormattedText]]
    sides: Sequence[str]


def width(text: str) -> int:
    """How many columns `text` takes in a monospace line: wide characters two, marks none ("UAX #11")."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if char < "\u0300":
        return 1
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def laid_out(table: Table, out: Writer, look: Dialect) -> None:
    """Writes the table."""
    cells = [[cell.text.split("\n") for cell in row] for row in table.rows]
    widths = [max(width(line) for row in cells for line in row[column]) for column in range(len(table.sides))]
    plain = not any(span.kind in _LOST for row in table.rows for cell in row for span in cell.spans)
    if plain and sum(widths) + len(GAP) * (len(widths) - 1) <= look.columns:
        _aligned(cells, widths, table.sides, out)
    else:
        _records(table.rows, out)


def _aligned(rows: Sequence[Sequence[Sequence[str]]], widths: Sequence[int], sides: Sequence[str], out: Writer) -> None:
    lines = [_lines(row, widths, sides) for row in rows]
    head = [*lines[0], GAP.join("-" * max(1, one) for one in widths)]
    start = out.mark(indented=False)
    top = "\n".join(head)
    # Platforms take the white space at the beginning of a message away: a space that stays keeps the columns.
    kept = top.lstrip(" ")
    top = "\u00a0" * (len(top) - len(kept)) + kept
    body = [line for row in lines[1:] for line in row]
    out.put("\n".join([top, *body]), indented=False)
    # A head of many lines would leave the parts no room.
    out.span("pre", start, head=len(top) + 1 if body and len(top) <= HEAD_MAX else 0)


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int], sides: Sequence[str]) -> list[str]:
    return [
        GAP.join(_padded(text, room, side) for text, room, side in zip(line, widths, sides, strict=True)).rstrip()
        for line in zip_longest(*row, fillvalue="")
    ]


def _padded(text: str, room: int, side: str) -> str:
    left = {"right": room - width(text), "center": (room - width(text)) // 2}.get(side, 0)
    return " " * left + text + " " * (room - width(text) - left)


def _records(rows: Sequence[Sequence[FormattedText]], out: Writer) -> None:
    """The first cell of each row as its title, the others under it, each behind the name of its column."""
    head, *body = rows
    if not body:
        body, head = [head], [FormattedText("")] * len(head)
    for number, row in enumerate(body):
        if number:
            out.gap(2)
        start = out.mark()
        for column, (name, cell) in enumerate(zip(head, row, strict=True)):
            if not cell.text.strip():
                continue
            if column:
                out.gap(1)
                mark = out.mark()
                out.put("• ")
                out.span("bullet", mark)
            _named(name, cell, out)
            if not column:
                out.span("bold", start)


def _named(name: FormattedText, cell: FormattedText, out: Writer) -> None:
    if name.text.strip():
        out.copy(name)
        out.put(": ")
    out.copy(cell)
