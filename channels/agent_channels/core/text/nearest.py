"""The known word that a misspelt one most likely meant."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["nearest"]

# How alike two words have to be (0 to 1); below, the suggestion would be a guess.
NEAR = 0.65


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one; None if none is like it."""
    import difflib

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=NEAR)
    return found[0] if found else None
