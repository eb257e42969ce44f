"""Splits formatted text into messages: at the ends of paragraphs, else of list items and lines, sentences, words.

A span that is open at a cut ends there and begins again in the next part.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.formatted_text import FormattedText, Span
from agent_channels.core.text.units import graphemes

__all__ = ["split_formatted"]

# The fraction of one message that a text takes.
Measure = Callable[[FormattedText], float]

# How good a cut is: behind a paragraph; behind a line or list item; in code, before a line that is not indented, and
# before any other line; behind a sentence; behind a word; behind a heading.
PARAGRAPH, LINE, CODE_BLOCK, CODE_LINE, SENTENCE, WORD, HEADING = 60, 50, 40, 30, 25, 10, 5
# The longest part that fits is searched by proportion this often, then by bisection; a part this full ends the search.
GUESSES = 4
FULL = 0.98
_BOUNDARY = lazy_pattern(
    r"(?P<paragraph>\n[^\S\n]*\n\s*)|(?P<line>\n)|(?P<sentence>[.!?…][)\]\"'”’»]*[^\S\n]+|[。！？][」』”’）]*)|(?P<word>[^\S\n]+)"
)


def split_formatted(formatted: FormattedText, measure: Measure, max_chars: int) -> list[FormattedText]:
    """Split a text into parts that `measure` rates at most 1; only white space at the cuts is lost.

    `measure` must be below 1 for every single grapheme; `max_chars` is an upper bound for the code points of a part. A
    table that is cut repeats its header.
    """
    parts = []
    start, end = formatted.strip_range(0, len(formatted.text))
    spans = list(formatted.spans)
    while start < end:
        max_end = min(end, start + max_chars)
        spans = [span for span in spans if span.end > start]
        nearby = replace(formatted, spans=tuple(span for span in spans if span.start < max_end))
        fitting_end = _longest_fit(nearby, start, max_end, measure)
        cut = end if fitting_end == end else _best_cut(nearby, start, fitting_end)
        first, last = formatted.strip_range(start, cut)
        if first < last:
            parts.append(nearby.slice(first, last))
        start, _ = formatted.strip_range(cut, end)
    return parts


def _longest_fit(formatted: FormattedText, start: int, end: int, measure: Measure) -> int:
    """Return an offset up to which the text from `start` fits into one part that is nearly full."""
    size = measure(formatted.slice(start, end))
    if size <= 1:
        return end
    low, high, tries = start + 1, end, 0
    while high - low > max(1, (low - start) // 100):
        tries += 1
        # Most texts are equally dense throughout, so a guess by proportion is quick; if it is not, bisect.
        guess = start + int((high - start) / size) - 1 if tries <= GUESSES else 0
        middle = guess if low < guess < high else (low + high) // 2
        middle_size = measure(formatted.slice(start, middle))
        if middle_size <= 1:
            low = middle
            if middle_size > FULL:
                break
        else:
            high, size = middle, middle_size
    return low


def _best_cut(formatted: FormattedText, start: int, end: int) -> int:
    """Return the best offset to cut at, up to `end`: in the second half if a word ends there, else in the first."""
    half = start + (end - start) // 2
    late, early = (0, 0), (0, 0)
    for offset, quality in _candidates(formatted, start, end):
        if offset > half:
            late = max(late, (quality, offset))
        else:
            early = max(early, (quality, offset))
    if late[0] >= WORD:
        return late[1]
    return early[1] if early[0] >= CODE_LINE else _grapheme_end(formatted, start, end)


def _candidates(formatted: FormattedText, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, quality) of every cut between `start` and `end` that splits no word."""
    heading_ends = {span.end for span in formatted.spans if span.kind in {"heading", "summary"}}
    unbreakable = _Unbreakable(formatted.spans)
    for match in _BOUNDARY.finditer(formatted.text, start, end):
        offset = match.end()
        if offset <= start or (offset < len(formatted.text) and _extends_grapheme(formatted.text[offset])):
            continue
        block = formatted.code_block_at(match.start())
        if block is not None and formatted.code_block_at(offset) is block:
            yield from _candidates_in_code(formatted, block, match)
        elif match.start() in heading_ends:
            yield offset, HEADING
        elif match["paragraph"]:
            yield offset, PARAGRAPH
        elif match["line"]:
            yield offset, LINE
        elif match.start() not in unbreakable:
            yield offset, SENTENCE if match["sentence"] else WORD


def _candidates_in_code(formatted: FormattedText, block: Span, match: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Yield the cut within a code block or table at `match`: none within a header, which is repeated anyway."""
    if block.header and match.end() <= block.start + block.header:
        return
    last_break = match[0].rfind("\n")
    if last_break < 0:
        yield match.end(), WORD
        return
    # Indentation belongs to the line behind it.
    offset = match.start() + last_break + 1
    indented = not formatted.text[offset : offset + 1].strip()
    yield offset, CODE_LINE if indented and not block.header else CODE_BLOCK


class _Unbreakable:
    """The ranges of links, inline code and list markers, in which white space does not end a word."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for span in spans:
            if span.kind in {"link", "code", "address", "bullet", "task"} and span.start >= (
                self._ends[-1] if self._ends else 0
            ):
                self._starts.append(span.start)
                self._ends.append(span.end)

    def __contains__(self, offset: int) -> bool:
        index = bisect.bisect_right(self._starts, offset) - 1
        return index >= 0 and offset < self._ends[index]


def _extends_grapheme(char: str) -> bool:
    """Return True if `char` belongs to the same grapheme as the character before it."""
    return unicodedata.category(char) in {"Mn", "Me", "Mc"} or char in "\u200d\ufe0e\ufe0f"


def _grapheme_end(formatted: FormattedText, start: int, end: int) -> int:
    """Return the end of the last whole grapheme up to `end`; `end` itself if the first one does not fit."""
    offset = start
    # Look further than `end`, to see whether the last grapheme continues.
    for grapheme in graphemes(formatted.text[start : end + 64]):
        if offset + len(grapheme) > end:
            break
        offset += len(grapheme)
    return offset if offset > start else end
