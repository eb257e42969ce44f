"""Patterns are regular expressions whose cost nobody who writes can drive up."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.errors import Refused
from agent_channels.core.people.mention_patterns import PATTERNS_MAX, checked, matches


def test_a_pattern_is_found_anywhere_whatever_the_case() -> None:
    """As in every search, unless it says otherwise."""
    assert matches(["deploy"], "please DEPLOY it")
    assert not matches(["^deploy"], "please deploy it")
    assert not matches([], "deploy")


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(.*a){20}$", r"(?:a?){30}a{30}$"])
def test_a_catastrophic_pattern_is_given_up(pattern: str) -> None:
    """It matches nothing, within far less than it would take, and the patterns after it still count."""
    checked_pattern = [pattern] if pattern.endswith("a{30}$") else checked([pattern])
    began = time.monotonic()
    matches(checked_pattern, "a" * 4000 + "!")
    assert time.monotonic() - began < 5
    assert matches([*checked_pattern, "!"], "a" * 4000 + "!")


@pytest.mark.parametrize("wrong", ["", "(", "a*", "x" * 301, "[z-a]", "(?P<n"])
def test_what_is_no_pattern_is_refused_with_the_reason(wrong: str) -> None:
    """Empty, broken, too long, or one that matches everything."""
    with pytest.raises(Refused, match="pattern"):
        checked([wrong])


def test_there_are_not_too_many() -> None:
    """Each is looked at for every message; twice the same is once."""
    with pytest.raises(Refused, match=str(PATTERNS_MAX)):
        checked([f"p{n}" for n in range(PATTERNS_MAX + 1)])
    assert checked(["a", "b", "a"]) == ("a", "b")


@given(st.text(max_size=60), st.text(max_size=200))
def test_any_pattern_is_refused_or_works_on_any_text(pattern: str, text: str) -> None:
    """Nothing but `Refused` comes out."""
    try:
        found = checked([pattern])
    except Refused:
        return
    assert matches(found, text) in {True, False}
