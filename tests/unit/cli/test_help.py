"""`--help` of the command and of every verb: complete, and readable in a narrow terminal."""

from __future__ import annotations

import argparse

import pytest

from agent_channels.cli.main import build_parser
from agent_channels.registry import CHANNELS
from reference import all_parsers

VERBS = {
    "serve", "setup", "import", "status", "doctor", "launch", "inbox", "history", "access", "hook", "sandbox",
}  # fmt: skip


EVERY = list(all_parsers(build_parser()))


def test_every_verb_is_there() -> None:
    """Every verb that users know, with its own actions."""
    names = {parser.prog for parser in EVERY}
    assert {f"channels {verb}" for verb in VERBS} <= names
    assert {f"channels access CHANNEL {step}" for step in ("pair", "invite", "group add", "approver rm")} <= names


@pytest.mark.parametrize("words", ["", "status", "history export"])
def test_help_is_a_word_too(channels, words: str) -> None:
    """`channels help` and `channels help VERB` print what `--help` does; for an unknown verb, the nearest one."""
    assert channels("help", *words.split()) == channels(*words.split(), "--help")
    assert channels("help", *words.split()).code == 0
    assert "did you mean `channels status`?" in channels("help", "statsu").err


@pytest.mark.parametrize("parser", EVERY, ids=lambda parser: parser.prog)
def test_everything_is_explained(parser: argparse.ArgumentParser) -> None:
    """A sentence for the verb, words for each argument, option and step; channels are named by what they are."""
    assert parser.description is not None
    assert parser.description[0].isupper()
    assert parser.description.endswith(".")
    for action in parser._actions:
        name = action.option_strings or action.dest
        if isinstance(action, argparse._SubParsersAction):
            summaries = {choice.dest: choice.help for choice in action._choices_actions}
            assert set(summaries) == set(action.choices), name
            assert all(summaries.values()), summaries
            continue
        assert action.help, name
        assert action.help[-1] != ".", name
        if action.dest in {"channel", "channels"}:
            assert all(name in action.help for name in CHANNELS)
        if isinstance(action.default, int) and action.nargs != 0:
            assert f"default {action.default}" in action.help, name


@pytest.mark.parametrize("parser", EVERY, ids=lambda parser: parser.prog)
def test_help_fits_a_narrow_terminal(parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns no line is cut by the terminal, and the whole fits one screen or little more."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = parser.format_help().splitlines()
    # A usage that names its own words is shown as it is written.
    assert [line for line in lines if len(line) > 80 and not line.startswith("usage:")] == []
    assert len(lines) <= 50
