"""The one command, `channels`: finds the verb, imports that verb alone, and turns errors into exit codes.

A new verb is one module with `SUMMARY`, `add_arguments(parser)` and `run(args)`, and one entry in `VERBS`.
"""

from __future__ import annotations

import argparse
import contextlib
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
from agent_channels.cli.arguments import WrongUsage, add_command, can_ask, the_channel
from agent_channels.cli.language import choose_language, shown, speak
from agent_channels.cli.parser import Parser
from agent_channels.cli.wrapping import LineWrapper
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.limits import keep_compiled_files_whole, refuse_too_little_memory, system_fault
from agent_channels.core.process import keep_private
from agent_channels.core.text.nearest import nearest
from agent_channels.registry import CHANNELS

if TYPE_CHECKING:
    from agent_channels.core.errors import UntrustedState

__all__ = ["build_parser", "main"]

# In the order of `channels --help`.
VERBS = {
    "serve": "agent_channels.cli.serve",
    "setup": "agent_channels.cli.setup",
    "import": "agent_channels.cli.import_reference",
    "status": "agent_channels.cli.status",
    "open": "agent_channels.cli.open",
    "doctor": "agent_channels.cli.doctor",
    "logs": "agent_channels.cli.logs",
    "launch": "agent_channels.cli.launch",
    "inbox": "agent_channels.cli.inbox",
    "history": "agent_channels.cli.history",
    "audit": "agent_channels.cli.audit",
    "access": "agent_channels.cli.access",
    "loop": "agent_channels.cli.loop",
    "yt2pdf": "agent_channels.cli.yt2pdf",
    "hub": "agent_channels.cli.hub",
    "trust": "agent_channels.cli.trust",
    "backup": "agent_channels.cli.backup",
    "restore": "agent_channels.cli.restore",
    "update": "agent_channels.cli.update",
    "uninstall": "agent_channels.cli.uninstall",
    "hook": "agent_channels.hooks.run",
    "sandbox": "agent_channels.cli.sandbox",
    "completion": "agent_channels.cli.completion",
}
# These load a platform's library.
CONNECTING = {"serve", "setup", "doctor", "launch"}
# These work on a project, which is named first; on stderr where stdout is for machines, as it is with --json.
OF_A_PROJECT = {
    "setup",
    "import",
    "status",
    "open",
    "doctor",
    "launch",
    "inbox",
    "history",
    "audit",
    "access",
    "loop",
    "hub",
    "trust",
    "uninstall",
    "yt2pdf",
}
FOR_MACHINES = {"launch", "history", "audit", "yt2pdf"}
# These print JSON whether or not it is asked for.
ALWAYS_JSON = {"yt2pdf"}
# These hand on what people said or what programs read, in which no command is ours to reword, and no line to break.
VERBATIM = {"serve", "history", "audit", "hook", "completion"}
# A host starts these, and keeps what they say in its log, which stays English.
BY_A_HOST = {"serve", "hook"}
# These are about one channel, which need not be named where only one is set up.
CHOOSING = {"status", "inbox", "history", "audit"}
# These speak the language that the project's config.yaml sets, if it sets one.
BY_CONFIG = {*OF_A_PROJECT, "logs", "backup", "restore"}
# Lines of these are records and commands, which stay in one piece.
UNBROKEN = {*VERBATIM, "logs", "launch"}
_START = (
    "Try it with `channels sandbox`, set up a bot with `channels setup`, and find out why it is silent with "
    "`channels doctor`."
)


# Told when nothing can be imported any more, and so not translated.
GONE = "channels: its files were removed or replaced by an update; start it again\n"


class Verb(Protocol):
    """A verb's module. `SUMMARY` is its line in `channels --help`; `run` returns the exit code."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...

    def run(self, args: argparse.Namespace, /) -> int: ...


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one verb and exit: 0 done, 1 could not be done, 2 wrong usage.

    The reason is on stderr; with --json it is on stdout too, as an object.
    """
    keep_compiled_files_whole()
    if not _has_working_folder():
        sys.exit(_fail("the folder that this was started in does not exist any more: change to another one"))
    _prefer_installed_modules()
    if sys.warnoptions:
        # PYTHONWARNINGS is meant for the user's own programs; as errors, warnings would end the libraries' imports.
        warnings.simplefilter("ignore")
    words, host_arguments = _split_host_arguments(list(sys.argv[1:] if argv is None else argv))
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    speak("en" if words[:1] and words[0] in BY_A_HOST else None)
    if words[:1] == ["serve"] and (sys.stdin is None or sys.stdout is None):
        sys.exit(_fail("serve speaks with an agent host over stdin and stdout, and one of them is closed"))
    _open_closed_streams()
    _guard_output(words)
    # The hosts that `launch` becomes and the keeper starts are not ours to restrict.
    keep_private(for_good=words[:1] != ["launch"] and words[:2] != ["hub", "keep"])
    from agent_channels.core.errors import ChannelError
    from agent_channels.core.i18n.sentences import words_of

    try:
        code = _run(words, host_arguments)
    except ChannelError as error:
        # Exit code 2 of a hook tells the host to block; a misspelt hook entry must not do that.
        wrong_usage = isinstance(error, WrongUsage) and words[:1] != ["hook"]
        usage = getattr(error, "usage", "")
        code = _fail(words_of(error), 2 if wrong_usage else 1, as_json=_prints_json(words), usage=usage)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The program that reads our output has seen enough.
        sys.stdout = None
        code = 0
    except Exception as error:
        if not (fault := system_fault(error)):
            raise
        code = _fail(fault, as_json=_prints_json(words))
    sys.exit(_flushed(code))


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
    given = argparse.Namespace(host_arguments=host_arguments, build_parser=build_parser)
    if words[0] == "access" and not _names_channel(words[1:]):
        # argparse would take the action for the channel if that could be left out; help is the same for each.
        helps = not {"-h", "--help"}.isdisjoint(words)
        words = [words[0], next(iter(CHANNELS)) if helps else the_channel(), *words[1:]]
    args = build_parser(_needed(words)).parse_args(_with_action(words), given)
    if words[0] in CHOOSING and args.channel is None:
        args.channel = the_channel()
    if words[0] in BY_CONFIG:
        named = getattr(args, "channel", None)
        choose_language(*([named] if named else CHANNELS))
    if words[0] in OF_A_PROJECT and not (getattr(args, "folder", None) or getattr(args, "of_user", False)):
        for_machines = any(getattr(args, option, False) for option in ("json", "manifest"))
        _name_project(on_stderr=words[0] in FOR_MACHINES or for_machines)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except UntrustedState as error:
        if not _adopted_now(error):
            raise
        return run(args)


def _with_action(words: Sequence[str]) -> Sequence[str]:
    """Return the words with the action of `audit` that is meant if there is none, which argparse cannot leave out."""
    return [words[0], "show", *words[1:]] if words[0] == "audit" and {*words[1:2]} & {*CHANNELS} else words


def _prints_json(words: Sequence[str]) -> bool:
    return "--json" in words or not ALWAYS_JSON.isdisjoint(words[:1])


def _names_channel(words: Sequence[str]) -> bool:
    """Return whether the first word of these names a channel, or nearly."""
    first = next((word for word in words if not word.startswith("-")), "")
    return first in CHANNELS or bool(first and nearest(first, CHANNELS))


def _no_such_verb(word: str) -> str:
    if near := nearest(word, VERBS):
        return sentence(
            "there is no verb {word!r}; did you mean `channels {near}`? `channels --help` lists them",
            word=word,
            near=near,
        )
    return sentence("there is no verb {word!r}; `channels --help` lists them", word=word)


def _name_project(*, on_stderr: bool) -> None:
    """Say first which project this is about: the one that the working folder is in, or that the environment names."""
    from agent_channels.core.settings.paths import project_dir

    line = shown(sentence("Project {folder}", folder=project_dir().absolute())) + "\n"
    if on_stderr or not isinstance(sys.stdout, _RedactedOutput):
        sys.stderr.write(line)
    else:
        sys.stdout.head = line


def _open_closed_streams() -> None:
    """Open the null device where a standard stream is closed: a file, such as the database, could get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _guard_output(words: Sequence[str]) -> None:
    """Keep the output going whatever is printed, free of tokens, and as wide as the terminal.

    Unless a program reads it, the commands in what is printed begin with the words that start this program here.
    """
    verb, as_json = words[0] if words else "", _prints_json(words)
    explains = not {"-h", "--help"}.isdisjoint(words)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        is_error = name == "stderr"
        # Characters that the terminal or pipe cannot encode are shown as escapes instead of failing the command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        # The sandbox prints the tokens of its own bots, which work nowhere else; its transcript has its own form.
        if stream is not None and verb != "sandbox":
            hints = is_error or not (as_json or verb in VERBATIM)
            broken = verb not in BY_A_HOST if is_error else not (as_json or (verb in UNBROKEN and not explains))
            # The agent hands on the signed links in it, which would lead nowhere with a part masked.
            tokens_only = verb in ALWAYS_JSON and not is_error
            made = _RedactedOutput(stream, hints=hints, broken=broken, may_fail=is_error, tokens_only=tokens_only)
            setattr(sys, name, made)


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


def _flushed(code: int) -> int:
    """Write out what was printed; return the exit code, which is 1 if standard output cannot take it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            # The interpreter would try again at its end, and fail in its own words.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if name == "stdout" and not isinstance(error, BrokenPipeError):
                code = _fail(system_fault(error))
    return code


def _fail(reason: str, code: int = 1, *, as_json: bool = False, usage: str = "") -> int:
    """Say on stderr why it failed, and on stdout too, in English, if a program reads that; return the exit code.

    `usage`: the usage of a verb whose arguments could not be parsed, with the verb's name below it.
    """
    from agent_channels.core.log import redact

    error = sentence("error: {reason}", reason=reason) if usage else reason
    try:
        told = shown(error)
    except MemoryError:
        # Too little memory may be the reason, and a translation needs more of it.
        told = error
    if isinstance(sys.stdout, _RedactedOutput) and sys.stdout.head:
        print(sys.stdout.head, end="", file=sys.stderr)
        sys.stdout.head = ""
    if as_json:
        import json

        with contextlib.suppress(OSError):
            print(json.dumps({"ok": False, "error": redact(reason)}, ensure_ascii=False))
    with contextlib.suppress(OSError):
        # The reason repeats what was typed, and that may be a token.
        print(redact(f"{usage or 'channels'}: {told}"), file=sys.stderr)
    return code


def build_parser(names: Collection[str] = VERBS) -> argparse.ArgumentParser:
    """Return the command's parser; it imports the modules of these verbs, by default all, and knows no other verb."""
    parser: argparse.ArgumentParser = Parser(
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

    def __init__(
        self,
        stream: TextIO,
        *,
        hints: bool,
        broken: bool = False,
        may_fail: bool = False,
        tokens_only: bool = False,
    ) -> None:
        """`hints`: commands are reworded; `broken`: lines are broken where the terminal ends.

        `may_fail`: what cannot be written is left out. `tokens_only`: other credentials than bots' tokens stay.
        """
        self._tokens_only = tokens_only
        self._stream, self._hints, self._may_fail = stream, hints, may_fail
        self._wrapper = LineWrapper(stream) if broken else None
        # What stands above the first that is written.
        self.head = ""
        self._redact: Callable[[str], str] | None = None
        self._imports = False

    def write(self, text: str) -> int:
        if self._redact is None and not self._imports:
            # With PYTHONVERBOSE an import writes here itself, also once the modules are being taken down.
            self._imports = True
            try:
                from agent_channels.core.log import redact, redact_tokens
            except ImportError:
                # Nothing more is written, since it could not be redacted.
                self._stream.write(GONE)
                self._redact = lambda _text: ""
                return len(text)
            self._redact, self._imports = redact_tokens if self._tokens_only else redact, False
        text, self.head = self.head + text, ""
        printed = self._redact(text) if self._redact else text
        if self._hints and "channels " in printed:
            from agent_channels.core.program import in_hints

            printed = in_hints(printed)
        try:
            self._stream.write(self._wrapper.wrap(printed) if self._wrapper else printed)
        except OSError:
            if not self._may_fail:
                raise
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
