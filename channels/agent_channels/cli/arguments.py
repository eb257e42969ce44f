"""Arguments that several verbs declare alike."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from agent_channels.registry import CHANNELS

__all__ = ["CHANNEL_NAMES", "Subparsers", "add_channel", "add_command", "add_json", "can_ask"]

CHANNEL_NAMES = " or ".join(CHANNELS)
Subparsers = argparse._SubParsersAction  # noqa: SLF001 - what `add_subparsers` returns has no public name


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
