"""What a `@frozen` class does like a frozen dataclass."""

from __future__ import annotations

from dataclasses import asdict, field, replace

from agent_channels.core.frozen import frozen


@frozen
class Seat:
    """A value."""

    row: str
    note: str = field(default="", compare=False)
    code: str = field(default="", repr=False)
    tags: list[str] = field(default_factory=list, compare=False)


@frozen
class Box(Seat):
    """Another kind of it, which says itself how it looks."""

    def __repr__(self) -> str:
        return f"box {self.row}"


def test_values_are_compared_by_their_class_and_fields() -> None:
    """But for the fields that are left out of it."""
    assert Seat("1", "by the door") == Seat("1", "at the back")
    assert Seat("1") != Seat("2")
    assert Seat("1") != Box("1")
    assert Seat("1") != "1"
    assert len({Seat("1", "by the door"), Seat("1", "at the back"), Seat("2"), Box("1")}) == 3


def test_a_value_is_shown_without_what_is_secret() -> None:
    """As every dataclass is."""
    assert repr(Seat("1", code="abc")) == "Seat(row='1', note='', tags=[])"
    assert repr(Box("1")) == "box 1"


def test_a_value_is_a_dataclass() -> None:
    """What takes dataclasses takes it, and it holds nothing else."""
    assert replace(Seat("1"), row="2") == Seat("2")
    assert asdict(Box("1")) == {"row": "1", "note": "", "code": "", "tags": []}
    assert not hasattr(Seat("1"), "__dict__")
