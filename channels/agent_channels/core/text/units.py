"""Lengths of text: in code points, in UTF-16 code units, and in graphemes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

__all__ = ["Unit", "graphemes", "length", "truncate"]

Unit = Literal["utf16", "codepoint"]
# Unicode sets no limit to the marks behind a letter; a longer run is cut like any other text.
GRAPHEME_MAX = 32


def length(text: str, unit: Unit) -> int:
    """Return the length of `text` in the platform's unit."""
    if unit == "codepoint" or text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def truncate(text: str, limit: int, unit: Unit) -> str:
    """Return `text`, or where it is longer than `limit` units, its first graphemes and an ellipsis."""
    if length(text, unit) <= limit:
        return text
    kept, used = "", 1
    for grapheme in graphemes(text):
        used += length(grapheme, unit)
        if used > limit:
            break
        kept += grapheme
    return kept.rstrip() + "…"


def graphemes(text: str) -> Iterator[str]:
    """Split `text` into what a reader sees as one character each (UAX #29), of at most 32 code points."""
    for match in _grapheme().finditer(text):
        yield from (match[0][start : start + GRAPHEME_MAX] for start in range(0, len(match[0]), GRAPHEME_MAX))


@cache
def _grapheme() -> Any:
    # Imported late: most texts need no cut. Flags stand apart from \X, which takes quadratic time for a run of them.
    return importlib.import_module("regex").compile(r"\p{Regional_Indicator}{2}|\X")
