"""Cuts a formatted text into parts that a platform takes: at the ends of paragraphs, then of list items and lines,
of sentences, of words. Formatting that is open at a cut ends there and begins again in the next part.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from agent_channels.core.text.document import FormattedText, in_pre
from agent_channels.core.text.spans import Span
from agent_channels.core.text.units import graphemes

__all__ = ["cut"]

Fill = Callable[[FormattedText], float]

# How good a cut is: the end of a paragraph; of a line or list item; within code before a line that is not indented,
# before any other line; of a sentence; of a word; right behind a heading.
PARAGRAPH, LINE, CODE_BLOCK, CODE_LINE, SENTENCE, WORD, HEADING = 60, 50, 40, 30, 25, 10, 5
GUESSES = 4
FULL = 0.98
_BORDER = re.compile(
    r"(?P<paragraph>\n[^\S\n]*\n\s*)|(?P<line>\n)|(?P<sentence>[.!?…][)\]\"'”’»]*[^\S\n]+|[。！？][」』”’）]*)|(?P<word>[^\S\n]+)"
)


def cut(rich: FormattedText, fill: Fill, limit: int) -> list[FormattedText]:
    """Parts for which `fill` is at most 1; only white space at cuts is lost, and tables repeat their head.

    `fill` says which share of a message a text takes, and must be below 1 for every single sign; `limit` is a number
    of characters that no part exceeds.
    """
    parts = []
    start, end = rich.stripped(0, len(rich.text))
    ahead = list(rich.spans)
    while start < end:
        stop = min(end, start + limit)
        ahead = [span for span in ahead if span.end > start]
        near = FormattedText(rich.text, tuple(span for span in ahead if span.start < stop))
        room = _room(near, start, stop, fill)
        at = end if room == end else _best(near, start, room)
        first, last = rich.stripped(start, at)
        if first < last:
            parts.append(near.slice(first, last))
        start, _ = rich.stripped(at, end)
    return parts


def _room(rich: FormattedText, start: int, end: int, fill: Fill) -> int:
    """A place up to which everything from `start` on fits into one part, and not much more would."""
    share = fill(rich.slice(start, end))
    if share <= 1:
        return end
    low, high, tries = start + 1, end, 0
    while high - low > max(1, (low - start) // 100):
        tries += 1
        # Most texts are of one kind all along; where that guess does not lead there quickly, halves do.
        guess = start + int((high - start) / share) - 1 if tries <= GUESSES else 0
        middle = guess if low < guess < high else (low + high) // 2
        found = fill(rich.slice(start, middle))
        if found <= 1:
            low = middle
            if found > FULL:
                break
        else:
            high, share = middle, found
    return low


def _best(rich: FormattedText, start: int, room: int) -> int:
    """The best place to cut at, up to `room`: in the second half of the part if there is any, else in the first."""
    half = start + (room - start) // 2
    late, early = (0, 0), (0, 0)
    for place, worth in _borders(rich, start, room):
        if place > half:
            late = max(late, (worth, place))
        else:
            early = max(early, (worth, place))
    if late[0] >= WORD:
        return late[1]
    return early[1] if early[0] >= CODE_LINE else _sign(rich, start, room)


def _borders(rich: FormattedText, start: int, room: int) -> Iterator[tuple[int, int]]:
    headings = {span.end for span in rich.spans if span.kind == "heading"}
    whole = _Whole(rich.spans)
    for match in _BORDER.finditer(rich.text, start, room):
        place = match.end()
        if place <= start or (place < len(rich.text) and _joins(rich.text[place])):
            continue
        block = in_pre(rich, match.start())
        if block is not None and in_pre(rich, place) is block:
            yield from _within(rich, block.start + block.head, match, headed=bool(block.head))
        elif match.start() in headings:
            yield place, HEADING
        elif match["paragraph"]:
            yield place, PARAGRAPH
        elif match["line"]:
            yield place, LINE
        elif not whole.hold(match.start()):
            yield place, SENTENCE if match["sentence"] else WORD


class _Whole:
    """Links, code and the marks of lists, within which no words end."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for span in spans:
            if span.kind in {"link", "code", "address", "bullet", "task"} and span.start >= (
                self._ends[-1] if self._ends else 0
            ):
                self._starts.append(span.start)
                self._ends.append(span.end)

    def hold(self, at: int) -> bool:
        index = bisect.bisect_right(self._starts, at) - 1
        return index >= 0 and at < self._ends[index]


def _within(rich: FormattedText, after_head: int, match: re.Match[str], *, headed: bool) -> Iterator[tuple[int, int]]:
    """Cuts within a code block or a table: between its lines, and never within what is repeated."""
    if headed and match.end() <= after_head:
        return
    breaks = match[0].rfind("\n")
    if breaks < 0:
        yield match.end(), WORD
        return
    # The indentation belongs to the line that it indents.
    place = match.start() + breaks + 1
    yield place, CODE_BLOCK if headed or rich.text[place : place + 1].strip() else CODE_LINE


def _joins(char: str) -> bool:
    """Whether a character belongs to the sign before it."""
    return unicodedata.category(char) in {"Mn", "Me", "Mc"} or char in "\u200d\ufe0e\ufe0f"


def _sign(rich: FormattedText, start: int, room: int) -> int:
    """The end of the last whole sign up to `room`; of a sign that is longer than a part, as much as there is room."""
    place = start
    # One sign more, to see whether the last one goes on.
    for sign in graphemes(rich.text[start : room + 64]):
        if place + len(sign) > room:
            break
        place += len(sign)
    return place if place > start else room
