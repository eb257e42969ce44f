"""`--help` of the command and of every verb: complete, and readable in a narrow terminal."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from agent_channels.cli.main import _parser
from agent_channels.registry import CHANNELS

VERBS = {
    "serve", "setup", "import", "status", "doctor", "launch", "inbox", "history", "access", "hook", "sandbox",
}  # fmt: skip


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser with all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


EVERY = list(parsers(_parser()))


def test_every_verb_is_there() -> None:
    """Those that the design names, each with the steps of its own."""
    names = {parser.prog for parser in EVERY}
    assert {f"channels {verb}" for verb in VERBS} <= names
    assert {f"channels access CHANNEL {step}" for step in ("pair", "invite", "group add", "approver rm")} <= names


@pytest.mark.parametrize("parser", EVERY, ids=lambda parser: parser.prog)
def test_everything_is_explained(parser: argparse.ArgumentParser) -> None:
    """A sentence for the verb, words for each argument, option and step; channels are named by what they are."""
    assert parser.description is not None
    assert parser.description[0].isupper()
    assert parser.description.endswith(".")
    for action in parser._actions:
        shown = action.option_strings or action.dest
        if isinstance(action, argparse._SubParsersAction):
            told = {one.dest: one.help for one in action._choices_actions}
            assert set(told) == set(action.choices), shown
            assert all(told.values()), told
            continue
        assert action.help, shown
        assert action.help[-1] != ".", shown
        if action.dest in {"channel", "channels"}:
            assert all(name in action.help for name in CHANNELS)
        if isinstance(action.default, int) and action.nargs != 0:
            assert f"default {action.default}" in action.help, shown


@pytest.mark.parametrize("parser", EVERY, ids=lambda parser: parser.prog)
def test_help_fits_a_narrow_terminal(parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns no line is cut by the terminal, and the whole fits one screen or little more."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = parser.format_help().splitlines()
    # A usage that names its own words is shown as it is written.
    assert [line for line in lines if len(line) > 80 and not line.startswith("usage:")] == []
    assert len(lines) <= 50
