"""Patterns are regular expressions whose cost nobody who writes can drive up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.errors import Refused
from agent_channels.core.people.mention_patterns import PATTERNS_MAX, PatternMatcher, checked
from agent_channels.core.people.pattern_worker import judge, match

CATASTROPHIC = [
    r"(a+)+$",
    r"(a|aa)+$",
    r"(.*a){20}$",
    r"(?:a?){30}a{30}$",
    r"(x+x+)+y",
    r"([a-zA-Z0-9]+)*@",
    r"(deploy|deploydeploy)+!$",
    r"(\d+)*z",
    r"(.*?,){8}now",
]


@pytest.fixture
async def matcher() -> AsyncIterator[PatternMatcher]:
    made = PatternMatcher()
    yield made
    await made.close()


async def test_a_pattern_is_found_anywhere_whatever_the_case(matcher: PatternMatcher) -> None:
    """As in every search, unless it says otherwise; in each text on its own."""
    texts = ["please DEPLOY it", "deploy it", "lunch?"]
    assert await matcher.matching(["deploy"], texts) == set(texts[:2])
    assert await matcher.matching(["^deploy"], texts) == {"deploy it"}
    assert await matcher.matching([], texts) == set()
    assert await matcher.matching(["deploy"], []) == set()


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_catastrophic_pattern_is_refused(pattern: str) -> None:
    """When it is added, with one sentence that names it."""
    with pytest.raises(Refused, match="takes too long") as refused:
        checked([pattern])
    assert repr(pattern) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "deploy", r"^hey claude\b", "部署", r"\bv\d+\.\d+\b", "(ship|release) it", r"@agent\w*", r"claude.*deploy",
        r"^(hey|hi|hello),? (claude|agent)\b", r".*deploy.*now", r"(?<!\w)bot(?!\w)",
    ],
)  # fmt: skip
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    """What people write to call a bot."""
    assert checked([pattern]) == (pattern,)


async def test_a_pattern_from_before_is_given_up_and_rests(matcher: PatternMatcher) -> None:
    """Twenty that are stored already and take too long match nothing; one after them still counts."""
    bad = [rf"(a+)+{n}$" for n in range(PATTERNS_MAX)]
    text = "a" * 4000 + "!"
    assert await matcher.matching([*bad, "!"], [text] * 3) == {text}
    # At rest, they are not even asked about.
    assert await matcher.matching(bad, [text]) == set()
    assert await matcher.matching([*bad, "!"], [text]) == {text}


def test_a_pattern_is_given_up_that_takes_long_for_all_texts_together() -> None:
    """Each of them is quick enough by itself: whoever writes a hundred of them keeps everybody waiting."""
    slow = r"(.*?,){8}now"
    assert match([slow, "x"], ["a," * 13] * 500 + ["x"]) == {"found": [False] * 500 + [True], "slow": [slow]}


async def test_a_process_that_ended_is_started_again(matcher: PatternMatcher) -> None:
    """What it was asked does not match, and what comes after its rest does."""
    assert await matcher.matching(["one"], ["one"]) == {"one"}
    assert matcher._process is not None
    matcher._process.kill()
    await matcher._process.wait()
    assert await matcher.matching(["one"], ["one"]) == set()
    assert await matcher.matching(["two"], ["two"]) == {"two"}


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


@given(st.text(min_size=1, max_size=20), st.text(max_size=200))
def test_any_pattern_is_refused_or_works_on_any_text(pattern: str, text: str) -> None:
    """Nothing is raised, and each text has its answer."""
    if not judge(pattern):
        assert len(match([pattern], [text, text])["found"]) == 2
