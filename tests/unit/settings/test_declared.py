"""Values of settings and arguments: taken as people and models write them, refused with all that is wrong."""

from __future__ import annotations

import math
from dataclasses import MISSING
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.settings.declared import (
    Declared,
    Flag,
    InvalidValue,
    InvalidValues,
    ListOf,
    Nullable,
    Number,
    OneOf,
    SecretText,
    Text,
    declare,
)


class Trip(Declared):
    """Values of each kind."""

    to: str = declare(MISSING, Text(1, 20))
    days: int = declare(3, Number(1, 30, whole=True))
    price: float = declare(0, Number(0, above=True))
    by: str = declare("train", OneOf("train", "boat", "off"))
    back: bool = declare(True, Flag())
    stops: tuple[str, ...] = declare((), ListOf(Text(most=5), 3))
    seat: str | None = declare(None, Nullable(Text()))

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        if self.by == "boat" and self.back:
            raise ValueError("no boat comes back")


def problems(**values: Any) -> list[InvalidValue]:
    with pytest.raises(InvalidValues) as refused:
        Trip.of(values)
    return list(refused.value.problems)


def test_what_is_left_out_is_the_default() -> None:
    """Only what has no default has to be given, and null is a value where it may be one."""
    assert Trip.of({"to": "Rome"}) == Trip(to="Rome")
    assert Trip.of({"to": "Rome", "seat": None}) == Trip(to="Rome", seat=None)


@given(st.integers(1, 30))
def test_a_number_may_be_a_text(days: int) -> None:
    """And a whole one may have a fraction of zero."""
    for written in (days, str(days), f" {days} ", float(days), f"{days}.0"):
        found = Trip.of({"to": "Rome", "days": written}).days
        assert (found, type(found)) == (days, int)


@given(
    st.one_of(
        st.none(), st.text(), st.floats(), st.integers(), st.lists(st.integers()), st.dictionaries(st.text(), st.none())
    )
)
def test_whatever_is_written_is_taken_or_refused(value: object) -> None:
    """No value of any kind does anything else, and what is taken is of the declared type."""
    for name in ("to", "days", "price", "by", "back", "stops", "seat"):
        try:
            made = Trip.of({"to": "Rome", "by": "train", name: value})
        except InvalidValues:
            continue
        assert isinstance(made.to, str)
        assert isinstance(made.days, int)
        assert isinstance(made.price, int | float)
        assert made.price >= 0
        assert made.by in {"train", "off"}
        assert isinstance(made.back, bool)
        assert isinstance(made.stops, tuple)


@pytest.mark.parametrize("value", [True, "true", "True", "on", "YES", "1", 1, 1.0])
def test_true_has_many_words(value: object) -> None:
    """As people write it in YAML and in the environment."""
    assert Trip.of({"to": "Rome", "back": value}).back is True


@pytest.mark.parametrize("value", [False, "false", "off", "No", "0", 0, 0.0])
def test_false_has_many_words(value: object) -> None:
    """As people write it in YAML and in the environment."""
    assert Trip.of({"to": "Rome", "back": value}).back is False


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("to", "", "it must not be empty"),
        ("to", "x" * 21, "it must have at most 20 characters; it has 21"),
        ("to", 5, "it must be a text"),
        ("to", "\ud800", "it holds half of a character, which nobody can read"),
        ("days", 31, "it must be a whole number from 1 to 30"),
        ("days", 1.5, "it must be a whole number from 1 to 30"),
        ("days", "soon", "it must be a whole number from 1 to 30"),
        ("days", None, "it must be a whole number from 1 to 30"),
        ("days", 10**400, "it must be a whole number from 1 to 30"),
        ("price", 0, "it must be a number above 0"),
        ("price", math.nan, "it must be a number above 0"),
        ("by", "plane", "it must be train, boat or off"),
        ("by", ["train"], "it must be train, boat or off"),
        ("back", "maybe", "it must be true or false"),
        ("back", [], "it must be true or false"),
        ("stops", "here", "it must be a list"),
        ("stops", [1, 2, 3, 4], "it must have at most 3; it has 4"),
    ],
)
def test_what_would_be_right_is_said(name: str, value: object, said: str) -> None:
    """With the value, under its name."""
    given_values = {"to": "Rome", name: value}
    assert problems(**given_values) == [InvalidValue(name, "wrong", value, said)]


def test_yaml_reads_off_as_a_truth_value() -> None:
    """Where the words are on and off, it is the word that was written."""
    assert Trip.of({"to": "Rome", "by": False}).by == "off"


def test_a_list_may_be_json_and_its_wrong_part_is_named() -> None:
    """By its place in it."""
    assert Trip.of({"to": "Rome", "stops": '["a", "b"]'}).stops == ("a", "b")
    assert problems(to="Rome", stops=["a", 5]) == [InvalidValue("stops.1", "wrong", 5, "it must be a text")]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """What is missing, wrong and unknown."""
    assert problems(days=0, day=1) == [
        InvalidValue("to", "missing"),
        InvalidValue("days", "wrong", 0, "it must be a whole number from 1 to 30"),
        InvalidValue("day", "unknown", 1),
    ]


def test_values_that_contradict_each_other_are_refused() -> None:
    """With the reason, which names them."""
    assert problems(to="Rome", by="boat") == [InvalidValue("", "wrong", None, "no boat comes back")]


def test_an_object_is_a_value() -> None:
    """Equal to another with the same values, never changed, and made anew with others; nothing unknown is taken."""
    trip = Trip(to="Rome", days=2)
    assert trip == Trip(to="Rome", days=2) != trip.replace(days=3)
    assert hash(trip) == hash(Trip(to="Rome", days=2))
    assert repr(trip).startswith("Trip(to='Rome', days=2, ")
    with pytest.raises(AttributeError, match="days cannot be set"):
        trip.days = 5
    for wrong in ({}, {"to": "Rome", "day": 1}):
        with pytest.raises(TypeError):
            Trip(**wrong)


def test_a_secret_is_not_shown() -> None:
    """Not where the object that holds it is written down."""
    assert "hush" not in repr(SecretText("hush"))
