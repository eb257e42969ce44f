"""The one command, `channels`: finds the verb, imports that verb alone, and turns errors into exit codes.

A new verb is one module with `SUMMARY`, `add_arguments(parser)` and `run(args)`, and one entry in `VERBS`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Collection, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TextIO, cast

import agent_channels
from agent_channels import __version__
from agent_channels.cli.arguments import WrongUsage, add_command, can_ask
from agent_channels.core.limits import keep_compiled_files_whole, refuse_too_little_memory, system_fault
from agent_channels.core.process import keep_private

if TYPE_CHECKING:
    from agent_channels.core.errors import UntrustedState

__all__ = ["build_parser", "main"]

# In the order of `channels --help`.
VERBS = {
    "serve": "agent_channels.cli.serve",
    "setup": "agent_channels.cli.setup",
    "import": "agent_channels.cli.import_reference",
    "status": "agent_channels.cli.status",
    "doctor": "agent_channels.cli.doctor",
    "logs": "agent_channels.cli.logs",
    "launch": "agent_channels.cli.launch",
    "inbox": "agent_channels.cli.inbox",
    "history": "agent_channels.cli.history",
    "access": "agent_channels.cli.access",
    "loop": "agent_channels.cli.loop",
    "trust": "agent_channels.cli.trust",
    "backup": "agent_channels.cli.backup",
    "restore": "agent_channels.cli.restore",
    "update": "agent_channels.cli.update",
    "uninstall": "agent_channels.cli.uninstall",
    "hook": "agent_channels.hooks.run",
    "sandbox": "agent_channels.cli.sandbox",
}
# These load a platform's library.
CONNECTING = {"serve", "setup", "doctor", "launch"}
# These work on a project, which is named first; on stderr where stdout is for machines, as it is with --json.
OF_A_PROJECT = {
    "setup",
    "import",
    "status",
    "doctor",
    "launch",
    "inbox",
    "history",
    "access",
    "loop",
    "trust",
    "uninstall",
}
FOR_MACHINES = {"launch", "history"}
# These hand on what people said, in which no command is ours to reword.
VERBATIM = {"serve", "history", "hook"}
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
    if not _has_working_folder():
        sys.exit(_fail("the folder that this was started in does not exist any more: change to another one"))
    _prefer_installed_modules()
    if sys.warnoptions:
        # PYTHONWARNINGS is meant for the user's own programs; as errors, warnings would end the libraries' imports.
        warnings.simplefilter("ignore")
    words, host_arguments = _split_host_arguments(list(sys.argv[1:] if argv is None else argv))
    if words[:1] == ["serve"] and (sys.stdin is None or sys.stdout is None):
        sys.exit(_fail("serve speaks with an agent host over stdin and stdout, and one of them is closed"))
    _open_closed_streams()
    # The sandbox prints the tokens of its own bots, which work nowhere else.
    _guard_output(redacted=words[:1] != ["sandbox"], verbatim="--json" in words or bool(VERBATIM & set(words[:1])))
    # The host that `launch` becomes is not ours to restrict.
    keep_private(for_good=words[:1] != ["launch"])
    from agent_channels.core.errors import ChannelError
    from agent_channels.core.i18n.sentences import words_of

    try:
        code = _run(words, host_arguments)
    except SystemExit as end:
        # Exit code 2 of a hook tells the host to block; a misspelt hook entry must not do that.
        sys.exit(1 if words[:1] == ["hook"] and end.code == 2 else end.code)
    except ChannelError as error:
        code = _fail(words_of(error), 2 if isinstance(error, WrongUsage) else 1)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The program that reads our output has seen enough.
        sys.stdout = None
        code = 0
    except Exception as error:
        if not (fault := system_fault(error)):
            raise
        code = _fail(fault)
    sys.exit(code)


def _run(words: Sequence[str], host_arguments: Sequence[str]) -> int:
    """Run the verb; where it meets a state folder that is not trusted, a person at a terminal may adopt it."""
    from agent_channels.core.errors import UntrustedState

    if words and words[0] in CONNECTING:
        refuse_too_little_memory()
    if not words:
        build_parser().print_help()
        return 0
    if not words[0].startswith("-") and words[0] not in VERBS:
        raise WrongUsage(_no_such_verb(words[0]))
    args = build_parser(_needed(words)).parse_args(words, argparse.Namespace(host_arguments=host_arguments))
    if words[0] in OF_A_PROJECT and not getattr(args, "folder", None):
        _name_project(on_stderr=words[0] in FOR_MACHINES or getattr(args, "json", False))
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except UntrustedState as error:
        if not _adopted_now(error):
            raise
        return run(args)


def _no_such_verb(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, VERBS, n=1)
    guess = f"did you mean `channels {near[0]}`? " if near else ""
    return f"there is no verb {word!r}; {guess}`channels --help` lists them"


def _name_project(*, on_stderr: bool) -> None:
    """Say first which project this is about: the one that the working folder is in, or that the environment names."""
    from agent_channels.core.settings.paths import project_dir

    line = f"Project {project_dir().absolute()}\n"
    if on_stderr or not isinstance(sys.stdout, _RedactedOutput):
        sys.stderr.write(line)
    else:
        sys.stdout.head = line


def _open_closed_streams() -> None:
    """Open the null device where a standard stream is closed: a file, such as the database, could get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _guard_output(*, redacted: bool, verbatim: bool) -> None:
    """Keep the output going whatever is printed, and free of tokens.

    Unless stdout is `verbatim`, the commands in what is printed begin with the words that start this program here.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Characters that the terminal or pipe cannot encode are shown as escapes instead of failing the command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        if stream is not None and redacted:
            setattr(sys, name, _RedactedOutput(stream, hints=name == "stderr" or not verbatim))


def _has_working_folder() -> bool:
    """Return whether there is a working folder; where it was removed, it becomes the project that the host names."""
    try:
        Path.cwd()
    except FileNotFoundError:
        try:
            os.chdir(os.environ.get("CLAUDE_PROJECT_DIR", ""))
        except OSError:
            return False
    return True


def _prefer_installed_modules() -> None:
    """Look in the folders of PYTHONPATH last: a `telegram` or `mcp` of the user's project is not the library."""
    named = {os.path.abspath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep)}  # noqa: PTH100
    # Where this package itself is found that way, so are its libraries.
    named.discard(str(Path(agent_channels.__file__).parents[1]))
    behind = [folder for folder in sys.path if os.path.abspath(folder) in named]  # noqa: PTH100
    sys.path[:] = [folder for folder in sys.path if folder not in behind] + behind


def _adopted_now(error: UntrustedState) -> bool:
    """Offer a person at a terminal to adopt the folder that an error is about; return whether they did."""
    if error.folder is None or not can_ask():
        return False
    from agent_channels.cli.trust import offer

    return offer(error.folder)


def _fail(reason: str, code: int = 1) -> int:
    """Say on stderr why it failed; return the exit code."""
    from agent_channels.cli.language import shown
    from agent_channels.core.log import redact

    if isinstance(sys.stdout, _RedactedOutput) and sys.stdout.head:
        print(sys.stdout.head, end="", file=sys.stderr)
        sys.stdout.head = ""
    print(redact(f"channels: {shown(reason)}"), file=sys.stderr)
    return code


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


class _RedactedOutput:
    """An output in which tokens are masked: what people wrote is listed, exported and handed to hosts through it."""

    def __init__(self, stream: TextIO, *, hints: bool) -> None:
        self._stream, self._hints = stream, hints
        # What stands above the first that is written.
        self.head = ""
        self._redact: Callable[[str], str] | None = None
        self._imports = False

    def write(self, text: str) -> int:
        if self._redact is None and not self._imports:
            # With PYTHONVERBOSE an import writes here itself, also once the modules are being taken down.
            self._imports = True
            try:
                from agent_channels.core.log import redact
            except ImportError:
                # Nothing more is written, since it could not be redacted.
                self._stream.write("channels: its files were removed or replaced by an update; start it again\n")
                self._redact = lambda _text: ""
                return len(text)
            self._redact, self._imports = redact, False
        text, self.head = self.head + text, ""
        shown = self._redact(text) if self._redact else text
        if self._hints and "channels " in shown:
            from agent_channels.core.program import in_hints

            shown = in_hints(shown)
        self._stream.write(shown)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        from agent_channels.core.log import redact

        # The message repeats what was typed, and that may be a token.
        super().error(redact(message))
