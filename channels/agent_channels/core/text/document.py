"""A text with its formatting as spans over it: what Markdown becomes, and what a platform draws."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from agent_channels.core.text.spans import Span, SpanKind

__all__ = ["Dialect", "FormattedText", "Writer", "in_pre", "outermost"]


@dataclass(frozen=True)
class FormattedText:
    """`text` as it reads; `spans` nest (none crosses another), in the order of their starts, the outer one first."""

    text: str
    spans: tuple[Span, ...] = field(default=())

    @cached_property
    def blocks(self) -> tuple[Span, ...]:
        """The code blocks and tables, which never nest."""
        return tuple(span for span in self.spans if span.kind == "pre")

    def slice(self, start: int, end: int) -> FormattedText:
        """The part from `start` to `end`, with the spans that reach into it; a table that is cut repeats its head."""
        spans = [
            Span(kind, max(first - start, 0), min(last, end) - start, value, head)
            for kind, first, last, value, head in self.spans
            if first < end and last > start
        ]
        text = self.text[start:end]
        table = in_pre(self, start)
        if table is None or not table.head or start < table.start + table.head:
            return FormattedText(text, tuple(spans))
        head = self.text[table.start : table.start + table.head]
        # What holds the table begins with its head; the table itself is cut behind it.
        moved = [one._replace(start=one.start and one.start + len(head), end=one.end + len(head)) for one in spans]
        return FormattedText(head + text, tuple(moved))

    def stripped(self, start: int, end: int) -> tuple[int, int]:
        """`start` and `end` moved past white space, but not past the indentation of code."""
        while start < end and self.text[start].isspace() and in_pre(self, start) is None:
            start += 1
        while end > start and self.text[end - 1].isspace():
            end -= 1
        return start, end


def in_pre(rich: FormattedText, at: int) -> Span | None:
    """The code block or table that holds the character at `at`."""
    index = bisect.bisect_right(rich.blocks, at, key=lambda span: span.start) - 1
    if index < 0 or rich.blocks[index].end <= at:
        return None
    return rich.blocks[index]


def outermost(spans: Sequence[Span]) -> Iterator[tuple[Span, Sequence[Span]]]:
    """Each span that no other one holds, with those that it holds."""
    index = 0
    while index < len(spans):
        outer, last = spans[index], index + 1
        while last < len(spans) and spans[last].start < outer.end:
            last += 1
        yield outer, spans[index + 1 : last]
        index = last


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the layout has to know of a platform: the `schemes` of its links, the `columns` of a phone's monospace
    line there, and the characters that it takes out of a text.
    """

    schemes: frozenset[str] = frozenset({"http", "https"})
    columns: int = 42
    dropped: str = ""


class Writer:
    """Puts a text together: line breaks come before what follows them, and every line of a list is indented."""

    def __init__(self, look: Dialect) -> None:
        self.indent = ""
        self._bits: list[str] = []
        self._spans: list[Span] = []
        self._at = self._breaks = 0
        # Controls, and the characters that turn the direction of everything after them.
        gone = [*range(9), *range(11, 32), *range(0x2028, 0x202F), *map(ord, look.dropped)]
        self._gone: dict[int, str | None] = {**dict.fromkeys(gone), 9: " "}

    def gap(self, breaks: int, *, always: bool = False) -> None:
        """At least so many line breaks before what comes next; `always`: even right behind a list's mark."""
        if self._breaks >= 0 or always:
            self._breaks = max(self._breaks, breaks)

    def fresh(self) -> None:
        """What comes next stands right here, whatever gap is asked for."""
        self._breaks = -1

    def mark(self, *, indented: bool = True) -> int:
        """Where the next character will stand."""
        if self._breaks > 0 and self._at:
            self._add("\n" * self._breaks + (self.indent if indented else ""))
        self._breaks = 0
        return self._at

    def put(self, text: str, *, indented: bool = True) -> None:
        """Writes `text`, without the characters that no message can carry."""
        text = text.translate(self._gone)
        if text:
            self.mark(indented=indented)
            self._add(text.replace("\n", "\n" + self.indent) if indented and self.indent else text)

    def _add(self, text: str) -> None:
        self._bits.append(text)
        self._at += len(text)

    def span(self, kind: SpanKind, start: int, value: str = "", head: int = 0) -> None:
        """Formatting from `start` to here; none over nothing."""
        if self._at > start:
            self._spans.append(Span(kind, start, self._at, value, head))

    def since(self, start: int) -> str:
        """What was written from `start` on."""
        bits, left = [], self._at - start
        for bit in reversed(self._bits):
            if left <= 0:
                break
            bits.append(bit[-left:])
            left -= len(bit)
        return "".join(reversed(bits))

    def copy(self, rich: FormattedText) -> None:
        """Writes a text with its spans; its line breaks are kept."""
        before = self.mark()
        self._add(rich.text)
        self._spans += [span._replace(start=span.start + before, end=span.end + before) for span in rich.spans]

    def done(self) -> FormattedText:
        """The text without the white space at its ends."""
        # A span is written when it ends, so of two with one place the later one holds the other.
        order = sorted(range(len(self._spans)), key=lambda n: (self._spans[n].start, -self._spans[n].end, -n))
        whole = FormattedText("".join(self._bits), tuple(self._spans[n] for n in order))
        return whole.slice(*whole.stripped(0, len(whole.text)))
