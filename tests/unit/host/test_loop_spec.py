"""What people write after /loop, and what of it can be begun."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.errors import Refused
from agent_channels.core.host.loop_spec import ROUNDS, WORD, LoopSpec, WrongLoop


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("work until the tests pass", LoopSpec("work until the tests pass")),
        ('"work until the tests pass"', LoopSpec("work until the tests pass")),
        ('"work" --max 5', LoopSpec("work", 5)),
        ("work --max 5 --until GREEN", LoopSpec("work", 5, "GREEN")),
        ("--until GREEN --max=5 work on", LoopSpec("work on", 5, "GREEN")),
        ("--MAX 5 work", LoopSpec("work", 5)),
        # As a phone writes it.
        ("“don't stop” —max 7 —until “all green”", LoopSpec("don't stop", 7, "all green")),
        ("don't stop", LoopSpec("don't stop")),
        ("fix pytest --lf -x", LoopSpec("fix pytest --lf -x")),
        ('"make run --max 3" --max 4', LoopSpec("make run --max 3", 4)),
        ('"make run --max 3"', LoopSpec("make run --max 3")),
        ('rename "a" to "b"', LoopSpec('rename "a" to "b"')),
        ('"a" and "b" agree', LoopSpec('"a" and "b" agree')),
        ("x --until a.*(b)[c]", LoopSpec("x", ROUNDS, "a.*(b)[c]")),
        ("two\nlines --max 2", LoopSpec("two\nlines", 2)),
        ("x --max 100", LoopSpec("x", 100)),
        ("use --maximum of it", LoopSpec("use --maximum of it")),
    ],
)
def test_a_loop_is_read_as_it_was_meant(argument: str, expected: LoopSpec) -> None:
    """Quotation marks and options in every order, as keyboards and phones write them; what is quoted is the text."""
    assert LoopSpec.parse(argument) == expected


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("work --max 0", "from 1 to 100"),
        ("work --max 101", "from 1 to 100"),
        ("work --max -5", "from 1 to 100"),
        ("work --max 1e1", "from 1 to 100"),
        ("work --max ٣", "from 1 to 100"),
        ("work --max 99999999999999999999", "from 1 to 100"),
        ("work --max", "--max needs a value"),
        ("work --until", "--until needs a value"),
        ("work --max 5 please", "before or after"),
        ("work --max 5 --max 6", "once"),
        ('work --until ""', "--until takes"),
        ("work --until <b>", "without < and >"),
        (f"work --until {'x' * 61}", "at most 60"),
        ('""', "Say what the agent should do"),
        ("--max 5", "Say what the agent should do"),
        ('"work --max 5', "quotation mark"),
        ("x" * 4001, "4000 characters"),
    ],
)
def test_malformed_arguments_are_told_what_would_be_right(argument: str, says: str) -> None:
    """Nothing is guessed: a number out of range, a missing value, an option in the middle."""
    with pytest.raises(WrongLoop, match=says.replace("(", r"\(")) as raised:
        LoopSpec.parse(argument)
    assert isinstance(raised.value, Refused)


@given(st.text(max_size=200))
def test_whatever_is_written_begins_a_loop_or_is_refused_in_words(argument: str) -> None:
    """Never another error, and never a loop outside its bounds."""
    with contextlib.suppress(WrongLoop):
        spec = LoopSpec.parse(argument)
        assert spec.prompt.strip() == spec.prompt != ""
        assert 1 <= spec.rounds_max <= 100
        assert spec.word
        assert not set("<>\n") & set(spec.word)


@given(prompt=st.from_regex(r"[a-z]{1,8}( [a-z]{1,8}){0,4}", fullmatch=True), rounds=st.integers(1, 100))
def test_options_are_found_at_either_end(prompt: str, rounds: int) -> None:
    """Before or after the text, quoted or not."""
    expected = LoopSpec(prompt, rounds, WORD)
    for argument in (f"{prompt} --max {rounds}", f'"{prompt}" --max {rounds}', f"--max {rounds} {prompt}"):
        assert LoopSpec.parse(argument) == expected
