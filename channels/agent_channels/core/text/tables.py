"""Tables for a phone: aligned columns in a code block where they fit, otherwise one record per row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from agent_channels.core.text.columns import columns_of
from agent_channels.core.text.formatted_text import FormattedText, FormattedTextBuilder, SpanKind, Table

__all__ = ["write_table"]

COLUMN_GAP = "  "
HEADER_MAX = 400
# Formatting that a code block cannot show and that carries information.
_ESSENTIAL: frozenset[SpanKind] = frozenset({"link", "spoiler"})


def write_table(
    rows: Sequence[Sequence[FormattedText]], alignments: Sequence[str], builder: FormattedTextBuilder, columns: int
) -> None:
    """Write a table whose first row is its header.

    `alignments` says left, center, right or nothing for each column; `columns` is the width of a monospace line.
    """
    cells = [[cell.text.split("\n") for cell in row] for row in rows]
    widths = [max(columns_of(line) for row in cells for line in row[column]) for column in range(len(alignments))]
    plain = not any(span.kind in _ESSENTIAL for row in rows for cell in row for span in cell.spans)
    if plain and sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) <= columns:
        _write_aligned(cells, widths, alignments, builder)
    else:
        _write_records(rows, alignments, builder)


def _write_aligned(
    rows: Sequence[Sequence[Sequence[str]]],
    widths: Sequence[int],
    alignments: Sequence[str],
    builder: FormattedTextBuilder,
) -> None:
    lines = [_row_lines(row, widths, alignments) for row in rows]
    rule = COLUMN_GAP.join("-" * max(1, width) for width in widths)
    header = "\n".join([*lines[0], rule])
    # Platforms strip white space at the beginning of a message: non-breaking spaces keep the columns aligned.
    stripped = header.lstrip(" ")
    header = "\u00a0" * (len(header) - len(stripped)) + stripped
    body = [line for row in lines[1:] for line in row]
    start = builder.next_offset(indented=False)
    builder.write("\n".join([header, *body]), indented=False)
    # A header of many lines would fill every part.
    builder.add_span("pre", start, header=len(header) + 1 if body and len(header) <= HEADER_MAX else 0)


def _row_lines(row: Sequence[Sequence[str]], widths: Sequence[int], alignments: Sequence[str]) -> list[str]:
    return [
        COLUMN_GAP.join(
            _align(text, width, alignment) for text, width, alignment in zip(line, widths, alignments, strict=True)
        ).rstrip()
        for line in zip_longest(*row, fillvalue="")
    ]


def _align(text: str, width: int, alignment: str) -> str:
    padding = width - columns_of(text)
    left = {"right": padding, "center": padding // 2}.get(alignment, 0)
    return " " * left + text + " " * (padding - left)


def _write_records(
    rows: Sequence[Sequence[FormattedText]], alignments: Sequence[str], builder: FormattedTextBuilder
) -> None:
    """Write a record per row: its first cell as the title, the others below it with the names of their columns."""
    header, *body = rows
    if not body:
        body, header = [header], [FormattedText("")] * len(header)
    begin = builder.next_offset()
    for number, row in enumerate(body):
        if number:
            builder.request_breaks(2)
        start = builder.next_offset()
        for column, (name, cell) in enumerate(zip(header, row, strict=True)):
            if not cell.text.strip():
                continue
            if column:
                builder.request_breaks(1)
                marker = builder.next_offset()
                builder.write("• ")
                builder.add_span("bullet", marker)
            _write_field(name, cell, column, builder)
            if not column:
                builder.add_span("bold", start)
        if builder.structure:
            builder.add_span("row", start)
    if builder.structure:
        builder.add_span("table", begin, str(len(builder.tables)))
        builder.tables.append(Table(tuple(header), tuple(alignments)))


def _write_field(name: FormattedText, cell: FormattedText, column: int, builder: FormattedTextBuilder) -> None:
    if name.text.strip():
        builder.write_formatted(name)
        builder.write(": ")
    start = builder.next_offset()
    builder.write_formatted(cell)
    if builder.structure:
        builder.add_span("cell", start, str(column))
