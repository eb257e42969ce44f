"""Lines that fit the terminal. What a person copies from it (a command, a path, an address) stays in one piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TextIO

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.columns import char_columns, columns_of

__all__ = ["LineWrapper", "terminal_columns"]

# What programs assume of a terminal that does not say how wide it is.
COLUMNS = 80
# In less, a line would hold hardly more than what it begins with.
COLUMNS_MIN = 20
# A command in backticks is one word, with the punctuation around it.
_WORD = lazy_pattern(r"( *)((?:[^\s`]|`[^`\n]*`|`)+)")
# Where such a word may break: never within backticks.
_PART = lazy_pattern(r"`[^`\n]*`|.")
_ITEM = lazy_pattern(r" *(?:[-+=·•✓✗*]|->) +")
_GAP = lazy_pattern(r"(?<=\S) {2,}(?=\S)")
# Drawings (QR codes), colours and lines that are drawn over.
_DRAWN = lazy_pattern(r"[\x1b\r█▀▄]")
# What may not begin a line, and what may not end one, among wide characters.
_CLOSING = "，。、；：？！）」』】》〉〕…·,.;:?!)]}”’"
_OPENING = "（「『【《〈〔“‘"


def terminal_columns(stream: TextIO) -> int:
    """Return how wide to write: as COLUMNS says, else as the stream's terminal is, else 80."""
    named = os.environ.get("COLUMNS", "")
    if named.isascii() and named.isdigit() and 0 < len(named) < 6 and int(named):
        return max(int(named), COLUMNS_MIN)
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        columns = 0
    return max(columns or COLUMNS, COLUMNS_MIN)


class LineWrapper:
    """Breaks the lines of one stream, in the order in which they are written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._introduced = False

    def wrap(self, text: str) -> str:
        """Return a text whose lines fit; what follows is aligned with where a line's own text begins."""
        columns = terminal_columns(self._stream)
        return "\n".join([self._line(line, columns) for line in text.split("\n")])

    def _line(self, line: str, columns: int) -> str:
        # An indented line below "...:" is to be copied as it is, unless it is an item of a list.
        copied = self._introduced and line.startswith("  ") and not _ITEM.match(line)
        if line:
            self._introduced = line.endswith((":", "：")) or copied
        if copied or columns_of(line) <= columns or _DRAWN.search(line):
            return line
        return _broken(line, columns)


def _text_at(line: str) -> int:
    found = _ITEM.match(line)
    return found.end() if found else len(line) - len(line.lstrip(" "))


def _broken(line: str, columns: int) -> str:
    indent = " " * _hanging(line, columns)
    lines, current, used = [], "", 0
    for gap, word in _pieces(line):
        width = columns_of(word)
        # A word that fits no line stays where it is: the terminal breaks it, and it can be copied whole.
        if current.strip() and used + len(gap) + width > columns and len(indent) + width <= columns:
            lines.append(current)
            current, used, gap = indent, len(indent), ""  # noqa: PLW2901 - it became the end of the line
        current += gap + word
        used += len(gap) + width
    return "\n".join([*lines, current + line[len(line.rstrip(" ")) :]])


def _hanging(line: str, columns: int) -> int:
    """Return where the text of a line begins: behind its sign, or in its last column."""
    ends = (columns_of(line[: gap.end()]) for gap in _GAP.finditer(line))
    return max([_text_at(line), *(end for end in ends if end <= columns // 2)])


def _pieces(line: str) -> Iterator[tuple[str, str]]:
    """Yield (spaces, word); wide characters are words of their own, with the punctuation that belongs to them."""
    for found in _WORD.finditer(line):
        gap, word = found.groups()
        piece = ""
        for part in _PART.findall(word):
            if piece and _may_break(piece[-1], part[0]):
                yield gap, piece
                gap, piece = "", ""
            piece += part
        yield gap, piece


def _may_break(before: str, after: str) -> bool:
    if after in _CLOSING or before in _OPENING or char_columns(after) == 0:
        return False
    return char_columns(before) == 2 or char_columns(after) == 2
