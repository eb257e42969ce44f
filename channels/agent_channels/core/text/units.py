"""Lengths in a platform's own unit."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Literal

__all__ = ["Unit", "graphemes", "length", "shortened"]

Unit = Literal["utf16", "codepoint"]


def length(text: str, unit: Unit) -> int:
    """The length of `text` as the platform counts it."""
    if unit == "codepoint" or text.isascii():
        return len(text)
    return len(text) + sum(ch > "\uffff" for ch in text)


def shortened(text: str, limit: int, unit: Unit) -> str:
    """`text`, cut between two signs and ended with an ellipsis where it is longer than `limit` units."""
    if length(text, unit) <= limit:
        return text
    kept, used = "", 1
    for bit in graphemes(text):
        used += length(bit, unit)
        if used > limit:
            break
        kept += bit
    return kept.rstrip() + "…"


def graphemes(text: str) -> Iterator[str]:
    """Characters with their marks, joiners and modifiers: near enough what a reader sees as one sign."""
    start = 0
    for index in range(1, len(text)):
        here, before = text[index], text[index - 1]
        joined = (
            unicodedata.combining(here)
            or unicodedata.category(here) in {"Mn", "Me", "Mc"}
            or here in "\u200d\ufe0f\u20e3"
            or before == "\u200d"
            or "\U0001f3fb" <= here <= "\U0001f3ff"
            or "\U000e0020" <= here <= "\U000e007f"
            or ("\U0001f1e6" <= here <= "\U0001f1ff" and _half_flag(text, start, index))
            or (before == "\r" and here == "\n")
        )
        # A run of marks without end is not one sign any more.
        if not joined or index - start >= 32:
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


def _half_flag(text: str, start: int, index: int) -> bool:
    run = 0
    while index - run - 1 >= start and "\U0001f1e6" <= text[index - run - 1] <= "\U0001f1ff":
        run += 1
    return run % 2 == 1
