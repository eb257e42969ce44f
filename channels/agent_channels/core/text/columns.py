"""How many columns of a monospace line a text takes."""

from __future__ import annotations

import unicodedata

__all__ = ["char_columns", "columns_of"]


def columns_of(text: str) -> int:
    """Return the monospace columns of `text`: two for a wide character, none for a combining mark (UAX #11)."""
    return len(text) if text.isascii() else sum(map(char_columns, text))


def char_columns(char: str) -> int:
    """Return the columns of one character."""
    if char < "\u0300":
        return 1
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
