"""Lengths are counted as each platform counts them, and no cut falls inside what a reader sees as one character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.text.units import GRAPHEME_MAX, graphemes, length, truncate

# A family, a skin tone, a country's and a region's flag, a keycap, an accent, a vowel sign, a Hangul syllable, a
# line end.
SINGLE_GRAPHEMES = [
    "👩‍👩‍👧‍👦",
    "👍🏽",
    "🇩🇪",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1️⃣",
    "e\u0301",
    "न\u093f",
    "\u1112\u1161\u11ab",
    "\r\n",
]
TEXTS = st.lists(st.sampled_from([*SINGLE_GRAPHEMES, "ab", "c "]), max_size=40).map("".join)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_lengths_are_those_of_the_platform(text: str) -> None:
    """UTF-16 code units or code points, as asked for."""
    assert length(text, "utf16") == len(text.encode("utf-16-le")) // 2
    assert length(text, "codepoint") == len(text)


@pytest.mark.parametrize("grapheme", SINGLE_GRAPHEMES, ids=ascii)
def test_a_grapheme_stays_whole(grapheme: str) -> None:
    """What a reader sees as one character is one item, wherever it stands."""
    assert list(graphemes(f"a{grapheme}{grapheme}b")) == ["a", grapheme, grapheme, "b"]


@given(st.text(st.characters()) | TEXTS)
def test_graphemes_joined_are_the_text(text: str) -> None:
    """Nothing is lost, and none is longer than the bound."""
    found = list(graphemes(text))
    assert "".join(found) == text
    assert all(0 < len(grapheme) <= GRAPHEME_MAX for grapheme in found)


@pytest.mark.parametrize("char", ["\u0301", "\u200d", "\U0001f1e6", "\ud800", "👩\u200d"], ids=ascii)
def test_graphemes_take_linear_time(char: str) -> None:
    """A long run of anything ends within the test's time limit."""
    assert "".join(graphemes(char * 200_000)) == char * 200_000


@given(TEXTS, st.integers(2, 30), st.sampled_from(["utf16", "codepoint"]))
def test_a_truncated_text_fits_and_ends_with_an_ellipsis(text: str, limit: int, unit: str) -> None:
    """A text within the limit is not changed; a longer one keeps whole graphemes from its beginning."""
    short = truncate(text, limit, unit)
    assert length(short, unit) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
    assert (short == text) == (length(text, unit) <= limit)
