"""A typed answer to a question with buttons: a button's label, or its number."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["match_answer"]


def match_answer(text: str, labels: Sequence[str | None]) -> int | None:
    """Return the index of the button that a text names by its label or its number from 1; None if it names none.

    Case and runs of white space are ignored. A label of None belongs to a button that is not an answer, such as a
    link; it is counted, but never matched. Equal labels are told apart by number only.
    """
    typed = _normal(text)
    named = [index for index, label in enumerate(labels) if label is not None and _normal(label) == typed]
    if len(named) == 1:
        return named[0]
    if not named and typed.isascii() and typed.isdigit() and len(typed) <= 3:
        index = int(typed) - 1
        if 0 <= index < len(labels) and labels[index] is not None:
            return index
    return None


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()
