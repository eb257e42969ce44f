"""Arguments that several verbs declare alike."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from agent_channels.core.errors import ChannelError
from agent_channels.registry import CHANNELS

__all__ = [
    "CHANNEL_NAMES",
    "Subparsers",
    "WrongUsage",
    "add_channel",
    "add_command",
    "add_json",
    "can_ask",
    "numeric_id",
]

CHANNEL_NAMES = " or ".join(CHANNELS)
_ID = re.compile(r"-?[0-9]{1,20}")
Subparsers = argparse._SubParsersAction  # noqa: SLF001 - what `add_subparsers` returns has no public name


class WrongUsage(ChannelError, argparse.ArgumentTypeError):
    """An argument is malformed; exit code 2. An argument's `type` may raise it too."""


def numeric_id(text: str) -> str:
    """Return the id of a chat or a person as the store has it. Raises `WrongUsage`."""
    if not _ID.fullmatch(text):
        raise WrongUsage(
            f"{text!r} is not an id: a number of at most 20 digits (names can change hands, so they never decide)"
        )
    return str(int(text))


def add_command(into: Subparsers[argparse.ArgumentParser], name: str, summary: str) -> argparse.ArgumentParser:
    """Add a verb or an action; its own help begins with its summary as a sentence."""
    return into.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")


def add_channel(parser: argparse.ArgumentParser) -> None:
    """Declare the channel as the first argument."""
    parser.add_argument("channel", choices=CHANNELS, metavar="CHANNEL", help=CHANNEL_NAMES)


def add_json(parser: argparse.ArgumentParser, **options: Any) -> None:
    """Declare --json; `options` are those of `add_argument`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences", **options)


def can_ask() -> bool:
    """Return whether a person is at the terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()
