"""The line that says how far something is: at a terminal only, after a second, and gone at the end."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from agent_channels.cli import progress
from agent_channels.cli.progress import ProgressLine


class Terminal(io.StringIO):
    """A stderr that is, or is not, a terminal."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "shown"), [(True, ["", "copying 50 %", "copying 100 %", "             ", ""]), (False, [""])]
)
def test_it_is_for_people_who_wait(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, shown: list[str]) -> None:
    """Nothing in the first second, then at most every fifth of one; nothing at all in a script's log."""
    now = 100.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    stderr = Terminal(is_terminal=is_terminal)
    monkeypatch.setattr("sys.stderr", stderr)
    with ProgressLine() as line:
        line.what = "copying"
        for now, done in ((100.5, 10), (101.1, 50), (101.2, 60), (101.4, 100)):  # noqa: B007 - the clock reads it
            line(done, 100)
    assert stderr.getvalue().split("\r") == shown
