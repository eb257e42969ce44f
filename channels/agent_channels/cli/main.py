"""The one command, `channels`: finds the verb, imports that verb alone, and turns errors into exit codes.

A new verb is one module with `SUMMARY`, `add_arguments(parser)` and `run(args)`, and one entry in `VERBS`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Collection, Sequence
from io import TextIOWrapper
from typing import NoReturn, Protocol, cast

from agent_channels import __version__
from agent_channels.cli.arguments import add_command
from agent_channels.core.limits import keep_compiled_files_whole, refuse_too_little_memory, system_fault

__all__ = ["build_parser", "main"]

# In the order of `channels --help`.
VERBS = {
    "serve": "agent_channels.cli.serve",
    "setup": "agent_channels.cli.setup",
    "import": "agent_channels.cli.import_reference",
    "status": "agent_channels.cli.status",
    "doctor": "agent_channels.cli.doctor",
    "launch": "agent_channels.cli.launch",
    "inbox": "agent_channels.cli.inbox",
    "history": "agent_channels.cli.history",
    "access": "agent_channels.cli.access",
    "hook": "agent_channels.hooks.run",
    "sandbox": "agent_channels.cli.sandbox",
}
# These load a platform's library.
CONNECTING = {"serve", "setup", "doctor", "launch"}
_START = (
    "Try it with `channels sandbox`, set up a bot with `channels setup`, and find out why it is silent with "
    "`channels doctor`."
)


class Verb(Protocol):
    """A verb's module. `SUMMARY` is its line in `channels --help`; `run` returns the exit code."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...

    def run(self, args: argparse.Namespace, /) -> int: ...


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one verb and exit: 0 done, 1 could not be done (the reason is on stderr), 2 wrong usage."""
    keep_compiled_files_whole()
    for stream in (sys.stdout, sys.stderr):
        # Characters that the terminal or pipe cannot encode are shown as escapes instead of failing the command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words, host_arguments = _split_host_arguments(list(sys.argv[1:] if argv is None else argv))
    from agent_channels.core.errors import ChannelError

    try:
        if words[:1] and words[0] in CONNECTING:
            refuse_too_little_memory()
        args = build_parser(_needed(words)).parse_args(words, argparse.Namespace(host_arguments=host_arguments))
        code = args.run(args)
    except SystemExit as end:
        # Exit code 2 of a hook tells the host to block; a misspelt hook entry must not do that.
        sys.exit(1 if words[:1] == ["hook"] and end.code == 2 else end.code)
    except ChannelError as error:
        code = _fail(str(error))
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The program that reads our output has seen enough.
        sys.stdout = None
        code = 0
    except Exception as error:
        if not (reason := system_fault(error)):
            raise
        code = _fail(reason)
    sys.exit(code)


def _fail(reason: str) -> int:
    """Say on stderr why it failed; return the exit code."""
    from agent_channels.core.log import redact

    print(redact(f"channels: {reason}"), file=sys.stderr)
    return 1


def build_parser(names: Collection[str] = VERBS) -> argparse.ArgumentParser:
    """Return the command's parser; it imports the modules of these verbs, by default all, and knows no other verb."""
    parser: argparse.ArgumentParser = _Parser(
        prog="channels", description="Your agent's phone line: chats and button taps for a coding agent.", epilog=_START
    )
    parser.add_argument("--version", action="version", version=f"channels {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in names:
        verb = cast("Verb", importlib.import_module(VERBS[name]))
        below = add_command(verbs, name, verb.SUMMARY)
        verb.add_arguments(below)
        below.set_defaults(run=verb.run)
    return parser


def _needed(words: Sequence[str]) -> Collection[str]:
    """The verbs whose modules a command line needs: starting one verb must not pay for the others."""
    first = words[0] if words else ""
    if first == "--version":
        return ()
    return (first,) if first in VERBS else VERBS


def _split_host_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """`launch ... -- ARGUMENTS`: what follows `--` is for the agent host and is not parsed here."""
    if words[:1] != ["launch"] or "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        from agent_channels.core.log import redact

        # The message repeats what was typed, and that may be a token.
        super().error(redact(message))
