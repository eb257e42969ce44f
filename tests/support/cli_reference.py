"""Writes docs/cli.md, the reference of the command line, from the parsers: python -m tests.support.cli_reference."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from agent_channels.cli.main import build_parser

__all__ = ["COMMAND", "PATH", "all_parsers", "render"]

PATH = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
COMMAND = "python -m tests.support.cli_reference"
WIDTH = 100
INTRO = f"""\
# The command line

The `--help` of each verb, written by `{COMMAND}`.
A test fails when this file is out of date.

Exit codes: 0 done, 1 could not be done (a sentence on stderr says what to do), 2 wrong usage. Only
`channels hook` differs: to a host, a hook's exit code 2 is an order (block; for the hook `bell`: wake
the session), so wrong usage is 1 there.
"""


def all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and all below it, in the order of `--help`."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from all_parsers(below)


def render() -> str:
    """Return the text of docs/cli.md."""
    sections = [INTRO]
    for parser in all_parsers(build_parser()):
        # The same text in every terminal and with every Python.
        parser.formatter_class = partial(argparse.HelpFormatter, width=WIDTH)
        parser.color = False
        level = "##" if len(parser.prog.split()) <= 2 else "###"
        sections.append(f"{level} {parser.prog}\n\n```text\n{parser.format_help()}```\n")
    return "\n".join(sections)


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
    print(f"wrote {PATH}")
