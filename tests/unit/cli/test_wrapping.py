"""Lines that fit the terminal: nothing is lost, words are whole, and what is copied stays in one piece."""

from __future__ import annotations

import io
import os
import pty
import re
import struct
import termios
from collections.abc import Callable
from fcntl import ioctl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.cli.wrapping import LineWrapper, terminal_columns
from agent_channels.core.text.columns import columns_of

WORDS = st.text(st.sampled_from("abcXYZ,.;()「」，。漢字かな한글é\u0301-=+·✓"), min_size=1, max_size=12)
TEXTS = st.lists(st.lists(WORDS, max_size=14).map(" ".join), max_size=4).map("\n".join)


@pytest.fixture
def wrap(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], str]:
    def wrapped(text: str, columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        return LineWrapper(io.StringIO()).wrap(text)

    return wrapped


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(text=TEXTS, columns=st.integers(60, 100))
def test_nothing_is_lost_and_every_line_fits(text: str, columns: int) -> None:
    """Whatever the script: the same characters in the same order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        wrapped = LineWrapper(io.StringIO()).wrap(text)
    assert squeezed(wrapped) == squeezed(text)
    # The longest word takes 24 columns, and what is aligned begins in the left half.
    assert [line for line in wrapped.split("\n") if columns_of(line) > columns] == []


@given(text=TEXTS, columns=st.integers(20, 100))
def test_what_is_broken_once_stays_as_it_is(text: str, columns: int) -> None:
    """A line that fits is not touched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        lines = [line for line in text.split("\n") if columns_of(line) <= columns]
        assert LineWrapper(io.StringIO()).wrap("\n".join(lines)) == "\n".join(lines)


def test_wide_characters_count_as_two(wrap: Callable[[str, int], str]) -> None:
    """A line of thirty columns holds fifteen of them, and none begins with a full stop."""
    assert wrap("中" * 14 + "。" + "文" * 3, 30) == f"{'中' * 14}。\n文文文"
    assert wrap("中" * 15 + "。" + "文" * 3, 30) == f"{'中' * 14}\n中。文文文"


@pytest.mark.parametrize(("text", "expected"), [
    ("first `channels setup telegram` two", "first\n`channels setup telegram` two"),
    ("  ✓ It is stored in the state folder.", "  ✓ It is stored in the state\n    folder."),
    ("    -> see whether this machine is online", "    -> see whether this\n       machine is online"),
    ("  policy  pairing: one of them waits", "  policy  pairing: one of them\n          waits"),
    ("Next:\n  channels access telegram approver add 5", "Next:\n  channels access telegram approver add 5"),
    ("下一步：\n  channels access telegram approver add 5", "下一步：\n  channels access telegram approver add 5"),
    ("Next:\n  - an item of a list that is long", "Next:\n  - an item of a list that is\n    long"),
    ("at /a/path/that/is/longer/than/a/line now", "at /a/path/that/is/longer/than/a/line\nnow"),
    ("▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█", "▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█ ▀▄█"),
    ("可以（`group add ID --x`、`--pattern`）；那樣的話", "可以（`group add ID --x`、\n`--pattern`）；那樣的話"),
    ("Keep the token from the file .env? [Y/n] ", "Keep the token from the file\n.env? [Y/n] "),
])  # fmt: skip
def test_what_belongs_together_stays_together(wrap: Callable[[str, int], str], text: str, expected: str) -> None:
    """Commands, paths and drawings are whole; text below a sign or in a column is aligned with it."""
    assert wrap(text, 30) == expected


def test_a_command_is_whole_whoever_wrote_the_line_before(wrap: Callable[[str, int], str]) -> None:
    """`print` writes a line and its end apart."""
    wrapper = LineWrapper(io.StringIO())
    long = "  channels access telegram approver add 1234567890 " + "and so on " * 1200
    assert "".join(map(wrapper.wrap, ["To copy:", "\n", long, "\n"])) == f"To copy:\n{long}\n"


@pytest.mark.parametrize(("named", "columns"), [("100", 100), ("", 80), ("0", 80), ("many", 80), ("3", 20), ("٣", 80)])
def test_without_a_terminal_it_is_80_columns(named: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless COLUMNS says another number."""
    monkeypatch.setenv("COLUMNS", named)
    assert terminal_columns(io.StringIO()) == columns


@pytest.mark.parametrize(("size", "columns"), [(57, 57), (0, 80)])
def test_a_terminal_is_asked(size: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own width counts; one that does not know it has 80."""
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    try:
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, size, 0, 0))
        with open(theirs, "w", encoding="utf-8", closefd=False) as stream:
            assert terminal_columns(stream) == columns
    finally:
        os.close(ours)
        os.close(theirs)
