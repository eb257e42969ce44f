"""Formatted text: a plain text with spans of formatting over it. Markdown becomes it, and platforms draw it."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from agent_channels.core.frozen import frozen

__all__ = [
    "RULE",
    "Dialect",
    "FormattedText",
    "FormattedTextBuilder",
    "RenderedPart",
    "Span",
    "SpanKind",
    "Table",
    "outermost",
    "spans_over",
]

# What a horizontal rule is drawn as.
RULE = "─" * 10
SpanKind = Literal[
    "bold",
    "italic",
    "strike",
    "spoiler",
    "code",
    "pre",
    "link",
    "quote",
    "heading",
    "bullet",
    "task",
    "address",
    "fold",
    "details",
    "summary",
    "item",
    "table",
    "row",
    "cell",
    "time",
]


class Span(NamedTuple):
    """Formatting over the code points from `start` to `end` of a text.

    `value` is a link's URL, a code block's language or a heading's level. `pre` is a code block or a table; `header` is
    the length of a table's header, which is repeated where the table is cut. `bullet` and `task` cover a list marker,
    `address` a bare URL. `fold` covers what a platform that can fold shows folded; others ignore it. `time` covers a
    moment, which each reader sees in their own time zone where the platform can: `value` is the one of a `Moment`.

    The structure, in dialects that want it: `details` covers what may be folded together with its `summary`, `item` a
    list item with its marker (`value` is its number with the sign behind it, as in "2."), `table` a table that is
    written as one record per row (`value` is its index in `FormattedText.tables`), `row` such a record, and `cell` a
    cell in it (`value` is its column).
    """

    kind: SpanKind
    start: int
    end: int
    value: str = ""
    header: int = 0


@frozen
class Table:
    """What the records of a table do not say: the cells of its header, and left, center, right or "" per column."""

    header: tuple[FormattedText, ...]
    alignments: tuple[str, ...]


@dataclass(frozen=True)
class FormattedText:
    """A text and its spans, which nest and never overlap otherwise; sorted by start, the outer span first."""

    text: str
    spans: tuple[Span, ...] = ()
    tables: tuple[Table, ...] = ()
    """What `table` spans refer to."""

    @cached_property
    def code_blocks(self) -> tuple[Span, ...]:
        """The code blocks and tables, which never nest."""
        return tuple(span for span in self.spans if span.kind == "pre")

    def code_block_at(self, offset: int) -> Span | None:
        """Return the code block or table that contains the character at `offset`."""
        index = bisect.bisect_right(self.code_blocks, offset, key=lambda span: span.start) - 1
        if index < 0 or self.code_blocks[index].end <= offset:
            return None
        return self.code_blocks[index]

    def slice(self, start: int, end: int) -> FormattedText:
        """Return the text from `start` to `end` with its spans; a table that is cut there begins with its header."""
        if (start, end) == (0, len(self.text)):
            return self
        spans = [
            Span(kind, max(first - start, 0), min(last, end) - start, value, header)
            for kind, first, last, value, header in self.spans
            if first < end and last > start
        ]
        text = self.text[start:end]
        table = self.code_block_at(start)
        if table is None or not table.header or start < table.start + table.header:
            return FormattedText(text, tuple(spans), self.tables)
        header = self.text[table.start : table.start + table.header]
        # Spans that begin with the part now begin with the header; later ones move behind it.
        moved = [
            span._replace(start=span.start and span.start + len(header), end=span.end + len(header)) for span in spans
        ]
        return FormattedText(header + text, tuple(moved), self.tables)

    def strip_range(self, start: int, end: int) -> tuple[int, int]:
        """Return `start` and `end` moved past white space at both ends, but not past the indentation of code."""
        while start < end and self.text[start].isspace() and self.code_block_at(start) is None:
            start += 1
        while end > start and self.text[end - 1].isspace():
            end -= 1
        return start, end


def spans_over(text: str, parts: Iterable[tuple[SpanKind, str, str]]) -> tuple[Span, ...]:
    """Return a span for each (kind, words, value) over the first place where a text has these words, if it has them."""
    found = [Span(kind, at, at + len(words), value) for kind, words, value in parts if (at := text.find(words)) >= 0]
    return tuple(sorted(found, key=lambda span: span.start))


def outermost(spans: Sequence[Span]) -> Iterator[tuple[Span, Sequence[Span]]]:
    """Yield each span that no other span contains, together with the spans inside it."""
    index = 0
    while index < len(spans):
        outer, last = spans[index], index + 1
        while last < len(spans) and spans[last].start < outer.end:
            last += 1
        yield outer, spans[index + 1 : last]
        index = last


@frozen
class RenderedPart:
    """The text of one message: `text` and `spans` in `format`, as the adapter sends them.

    `plain` is the same text without formatting, which is sent if the platform cannot parse `text`. `rich` says the same
    in the platform's form for tables and other structure, for its adapter alone to read; None where it has none.
    """

    text: str
    format: str
    plain: str
    spans: tuple[Span, ...] = ()
    rich: Any = None


@frozen
class Dialect:
    """What the layout of a text depends on: the URL `schemes` a platform accepts in links, the `columns` of a
    monospace line on a phone, the characters that the platform drops from a text, and whether it has a use for the
    `structure` of a text: the spans of lists and tables, and what may be folded.
    """

    schemes: frozenset[str] = frozenset({"http", "https"})
    columns: int = 42
    dropped: str = ""
    structure: bool = False


class FormattedTextBuilder:
    """Builds a text from start to end. Line breaks are requested, and written before the next text."""

    def __init__(self, dialect: Dialect) -> None:
        self.indent = ""
        """Written at the beginning of every line."""
        self.tables: list[Table] = []
        self.structure = dialect.structure
        self._chunks: list[str] = []
        self._spans: list[Span] = []
        self._length = 0
        # Below 0, requests for line breaks are ignored until the next text.
        self._breaks = 0
        # Control characters, and those that change the direction of everything after them.
        dropped = [*range(9), *range(11, 32), *range(0x2028, 0x202F), *map(ord, dialect.dropped)]
        self._translation: dict[int, str | None] = {**dict.fromkeys(dropped), 9: " "}

    def request_breaks(self, count: int, *, force: bool = False) -> None:
        """Write at least `count` line breaks before the next text; with `force` even after `suppress_breaks`."""
        if self._breaks >= 0 or force:
            self._breaks = max(self._breaks, count)

    def suppress_breaks(self) -> None:
        """Ignore requests for line breaks until the next text, so that it continues the line of a list marker."""
        self._breaks = -1

    def next_offset(self, *, indented: bool = True) -> int:
        """Write the requested line breaks and return the offset of the next character."""
        if self._breaks > 0 and self._length:
            self._append("\n" * self._breaks + (self.indent if indented else ""))
        self._breaks = 0
        return self._length

    def write(self, text: str, *, indented: bool = True) -> None:
        """Write `text`, without the characters that no message can hold."""
        text = text.translate(self._translation)
        if text:
            self.next_offset(indented=indented)
            self._append(text.replace("\n", "\n" + self.indent) if indented and self.indent else text)

    def write_formatted(self, formatted: FormattedText) -> None:
        """Write a text with its spans; its line breaks are not indented."""
        offset = self.next_offset()
        self._append(formatted.text)
        self._spans += [span._replace(start=span.start + offset, end=span.end + offset) for span in formatted.spans]

    def _append(self, text: str) -> None:
        self._chunks.append(text)
        self._length += len(text)

    def add_span(self, kind: SpanKind, start: int, value: str = "", header: int = 0) -> None:
        """Format the text from `start` to the end; an empty span is left out."""
        if self._length > start:
            self._spans.append(Span(kind, start, self._length, value, header))

    def text_from(self, start: int) -> str:
        """Return the text from `start` to the end."""
        chunks, missing = [], self._length - start
        for chunk in reversed(self._chunks):
            if missing <= 0:
                break
            chunks.append(chunk[-missing:])
            missing -= len(chunk)
        return "".join(reversed(chunks))

    def build(self) -> FormattedText:
        """Return the text without white space at its ends."""
        # Spans are added where they end, so of two over the same range, the later one is the outer one.
        order = sorted(range(len(self._spans)), key=lambda n: (self._spans[n].start, -self._spans[n].end, -n))
        whole = FormattedText("".join(self._chunks), tuple(self._spans[n] for n in order), tuple(self.tables))
        return whole.slice(*whole.strip_range(0, len(whole.text)))
