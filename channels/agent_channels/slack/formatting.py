"""Formatted texts as Slack's rich text: sections of styled pieces, quotations, and code.

Unlike Slack's own marks in a text, these show every text as it stands, in every script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from agent_channels.core.text.formatted_text import Dialect, FormattedText, RenderedPart, Span, outermost
from agent_channels.core.text.markdown import parse
from agent_channels.core.text.split import split_formatted
from agent_channels.slack.markup import LIMITS, check_format

__all__ = ["BLOCKS_MAX", "draw", "formatted_text", "render"]

DIALECT = Dialect(structure=True)
# Spans of one message, each of which makes up to two pieces; Slack names no limit, but thousands are slow to draw.
SPANS_MAX = 450
# Characters in the blocks of one message, addresses included, with room for an outcome.
BLOCKS_MAX = 12_000
# The longest address of a link.
URL_MAX = 2000
# "Table block": one in a message, of so many rows and columns.
ROWS_MAX, COLUMNS_MAX = 100, 20

_STYLES = {"bold": "bold", "heading": "bold", "summary": "bold", "italic": "italic", "strike": "strike", "code": "code"}
_DRAWN = frozenset({*_STYLES, "pre", "quote", "link", "address", "time"})
_MOMENTS = {"t": "{time}", "D": "{date_num}"}

Json = dict[str, Any]


def render(text: str, format_: str) -> list[RenderedPart]:
    """Return the parts of a text, in order; none when nothing in it is visible.

    Raises `Refused` for an unknown format.
    """
    check_format(format_)
    formatted = parse(text, DIALECT) if format_ == "markdown" else FormattedText(text)
    if format_ == "text" and len(text) <= LIMITS.text:
        return [RenderedPart(text, format_, text)]
    parts = split_formatted(formatted, _fill, LIMITS.text)
    return [RenderedPart(part.text, "text", part.text, part.spans, _with_table(part)) for part in parts]


def formatted_text(text: str, format_: str, spans: Sequence[Span]) -> FormattedText:
    """Return what a message says in one of the formats. Raises `Refused` for an unknown one."""
    check_format(format_)
    return parse(text, DIALECT) if format_ == "markdown" else FormattedText(text, tuple(spans))


def _fill(formatted: FormattedText) -> float:
    written = len(formatted.text) + sum(len(span.value) for span in formatted.spans if span.kind == "link")
    drawn = sum(span.kind in _DRAWN for span in formatted.spans)
    return max(len(formatted.text) / LIMITS.text, drawn / SPANS_MAX, written / BLOCKS_MAX)


def draw(formatted: FormattedText) -> list[Json]:
    """Return a text as blocks: one of rich text, or none for a text in which nothing is visible."""
    return _drawn(formatted, 0, len(formatted.text))


def _drawn(formatted: FormattedText, start: int, end: int) -> list[Json]:
    # Others, such as what could be folded, are drawn as the text they cover.
    spans = [span for span in formatted.spans if span.kind in _DRAWN and start <= span.start and span.end <= end]
    elements = list(_sections(formatted.text, start, end, spans))
    return [{"type": "rich_text", "elements": elements}] if elements else []


# ---- tables


def _with_table(part: FormattedText) -> list[Json] | None:
    """Return a part as blocks with its table drawn as one; None if it has none, or Slack would not take it.

    A table that fits aligned into a line of code on a phone stays one: a phone shows a table block's columns narrower.
    """
    tables = [span for span in part.spans if span.kind == "table"]
    if len(tables) != 1 or any(
        span.kind in {"pre", "quote"} and span.start < tables[0].start < span.end for span in part.spans
    ):
        return None
    span = tables[0]
    table = part.tables[int(span.value)]
    rows = list(_rows(part, span))
    if not 2 <= len(table.alignments) <= COLUMNS_MAX or len(rows) > ROWS_MAX:
        return None
    settings = [{"align": alignment or "left", "is_wrapped": True} for alignment in table.alignments]
    block = {"type": "table", "rows": rows, "column_settings": settings}
    return [*_drawn(part, 0, span.start), block, *_drawn(part, span.end, len(part.text))]


def _rows(part: FormattedText, span: Span) -> Iterator[list[Json]]:
    """Yield the cells of each row, the header's first."""
    table = part.tables[int(span.value)]
    if any(cell.text.strip() for cell in table.header):
        yield [
            _cell(cell.text, 0, len(cell.text), [Span("bold", 0, len(cell.text)), *cell.spans]) for cell in table.header
        ]
    row: list[Json] = []
    within = [one for one in part.spans if span.start <= one.start and one.end <= span.end]
    for one in within:
        if one.kind == "row":
            if row:
                yield row
            row = [_cell("", 0, 0, ()) for _ in table.alignments]
        elif one.kind == "cell":
            inside = [other for other in within if one.start <= other.start and other.end <= one.end]
            row[int(one.value)] = _cell(part.text, one.start, one.end, inside)
    if row:
        yield row


def _cell(text: str, start: int, end: int, spans: Sequence[Span]) -> Json:
    drawn = [span for span in spans if span.kind in _DRAWN]
    # A cell may not be empty.
    if not drawn or not text[start:end].strip():
        return {"type": "raw_text", "text": text[start:end].strip() or " "}
    section = {"type": "rich_text_section", "elements": _inline(text, start, end, drawn)}
    return {"type": "rich_text", "elements": [section]}


# ---- rich text


def _sections(text: str, start: int, end: int, spans: Sequence[Span]) -> Iterator[Json]:
    """Yield the elements of a rich text: code and quotations, and sections of what is between them."""
    at = start
    held: list[Span] = []
    for span, inner in outermost(spans):
        if span.kind in {"pre", "quote"}:
            yield from _section(text, at, span.start, held)
            drawn = _preformatted(text, span) if span.kind == "pre" else _quote(text, span, inner)
            yield from drawn
            at, held = span.end, []
        else:
            held += [span, *inner]
    yield from _section(text, at, end, held)


def _section(text: str, start: int, end: int, spans: Sequence[Span]) -> Iterator[Json]:
    # Code and quotations stand on lines of their own anyway.
    if start > 0:
        start += len(text[start:end]) - len(text[start:end].lstrip("\n"))
    if end < len(text):
        end = start + len(text[start:end].rstrip("\n"))
    if elements := _inline(text, start, end, spans):
        yield {"type": "rich_text_section", "elements": elements}


def _preformatted(text: str, span: Span) -> Iterator[Json]:
    if covered := text[span.start : span.end]:
        yield {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": covered}]}


def _quote(text: str, span: Span, inner: Sequence[Span]) -> Iterator[Json]:
    if elements := _inline(text, span.start, span.end, inner):
        yield {"type": "rich_text_quote", "elements": elements}


def _inline(text: str, start: int, end: int, spans: Sequence[Span]) -> list[Json]:
    """Return a range as pieces, each with the styles of all spans over it."""
    cuts = {start, end}
    for span in spans:
        cuts |= {min(max(at, start), end) for at in (span.start, span.end)}
    edges = sorted(cuts)
    pieces: list[Json] = []
    # The spans are sorted by their start, and nest: those that are open are few.
    opened: list[Span] = []
    following = iter(spans)
    upcoming = next(following, None)
    for first, last in pairwise(edges):
        opened = [span for span in opened if span.end > first]
        while upcoming is not None and upcoming.start <= first:
            if upcoming.end > first:
                opened.append(upcoming)
            upcoming = next(following, None)
        _add(pieces, _piece(text[first:last], opened))
    return pieces


def _add(pieces: list[Json], piece: Json) -> None:
    """Append a piece, or join it to the one before when it looks the same."""
    before = pieces[-1] if pieces else None
    if before and before["type"] == piece["type"] == "text" and before.get("style") == piece.get("style"):
        before["text"] += piece["text"]
    else:
        pieces.append(piece)


def _piece(words: str, spans: Sequence[Span]) -> Json:
    styles = {_STYLES[span.kind]: True for span in spans if span.kind in _STYLES}
    if any(span.kind == "pre" for span in spans):
        styles["code"] = True
    styled: Json = {"style": styles} if styles else {}
    for span in spans:
        if span.kind == "time" and (moment := _moment(words, span)):
            return moment | styled
        if span.kind == "link" and len(span.value) <= URL_MAX:
            return {"type": "link", "url": span.value, "text": words} | styled
        if span.kind == "address" and words.startswith(("http://", "https://")) and len(words) <= URL_MAX:
            return {"type": "link", "url": words} | styled
    return {"type": "text", "text": words} | styled


def _moment(words: str, span: Span) -> Json | None:
    seconds, _, style = span.value.partition(":")
    if not seconds.lstrip("-").isdigit():
        return None
    format_ = _MOMENTS.get(style, "{date_num} {time}")
    return {"type": "date", "timestamp": int(seconds), "format": format_, "fallback": words}
