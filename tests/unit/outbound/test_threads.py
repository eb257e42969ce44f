"""Titles made of first words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.outbound.threads import TITLE_MAX, first_words


@given(st.text(max_size=300))
def test_a_title_is_one_short_line(text: str) -> None:
    """At most 40 characters, without line breaks; empty only if there is nothing to see."""
    title = first_words(text)
    assert len(title) <= TITLE_MAX
    assert title == " ".join(title.split())


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), min_size=12, max_size=30))
def test_a_long_text_is_cut_at_a_word(words: list[str]) -> None:
    """The title is the first words, whole, and an ellipsis."""
    title = first_words(" ".join(words))
    if title.endswith("…"):
        kept = title.removesuffix("…").split()
        assert kept == words[: len(kept)]
        assert len(" ".join(words[: len(kept) + 1])) >= TITLE_MAX
    else:
        assert title == " ".join(words)


def test_secrets_and_languages_without_spaces() -> None:
    """A secret is masked before the cut; what has no spaces is cut anywhere."""
    assert first_words("use ghp_" + "a1B2" * 9 + " to push it to the other repository") == (
        "use ghp_[secret] to push it to the…"
    )
    assert first_words("修" * 60) == "修" * 39 + "…"
    assert first_words("hello") == "hello"
    assert first_words(" \n ") == ""
