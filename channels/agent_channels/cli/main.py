"""The one command, `channels`. Each verb imports what it needs when it runs: starting must cost next to nothing."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

from agent_channels.registry import CHANNELS

__all__ = ["main"]

_NAMES = " or ".join(CHANNELS)
_JSON = "print JSON instead of sentences"
_START = "Try it with `channels sandbox`; set a bot up with `channels setup`; why is it silent? `channels doctor`."


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs one verb. Exit codes: 0 done, 1 could not be done (the reason on stderr), 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe whose encoding lacks a character shows an escape; nothing fails for it.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words, after = _host_arguments(list(sys.argv[1:] if argv is None else argv))
    args = _parser().parse_args(words, argparse.Namespace(host_arguments=after))
    from agent_channels.core.errors import ChannelError

    try:
        code = args.run(args)
    except ChannelError as error:
        from agent_channels.core.log import redact

        print(redact(f"channels: {error}"), file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stdout = None
        code = 0
    sys.exit(code)


def _host_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """What follows `--` is the agent host's, where a host is started."""
    if words[:1] != ["launch"] or "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        from agent_channels.core.log import redact

        # Wrong usage shows back what was typed, and that may be a token.
        if self.prog.endswith(" hook"):
            # To a host, exit code 2 of a hook is an order to block; a misspelt entry must not give it.
            self.exit(1, redact(f"{self.prog}: {message}\n"))
        super().error(redact(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="channels", description="Your agent's phone line: chats and button taps for a coding agent.", epilog=_START
    )
    parser.add_argument("--version", action="version", version=_version())
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    serve = _verb(verbs, "serve", "the MCP server over stdio; an agent host starts it from .mcp.json")
    _of_channel(serve)
    serve.set_defaults(run=_run("cli.serve"))

    _setup_verbs(verbs)

    status = _verb(verbs, "status", "who reads the bot, who is paired, what is waiting")
    _of_channel(status)
    _json(status)
    status.add_argument("--release", action="store_true", help="ask the process that reads the bot to hand it over")
    status.set_defaults(run=_run("cli.status"))

    doctor = _verb(verbs, "doctor", "why is it silent? every known cause, checked and named")
    doctor.add_argument(
        "channel", choices=CHANNELS, nargs="?", metavar="CHANNEL", help=f"{_NAMES}; default: every one that was set up"
    )
    _json(doctor)
    doctor.set_defaults(run=_run("cli.doctor"))

    _launch_verb(verbs)

    inbox = _verb(verbs, "inbox", "every message with its state and age; redeliver or drop one")
    _of_channel(inbox)
    inbox.add_argument("--open", action="store_true", help="only those nobody has answered")
    inbox.add_argument(
        "--limit", metavar="N", type=_positive, default=50, help="how many at most, the newest (default 50)"
    )
    change = inbox.add_mutually_exclusive_group()
    change.add_argument("--redeliver", metavar="ID", help="offer this delivery_id again")
    change.add_argument("--drop", metavar="ID", help="give this delivery_id up")
    _json(inbox)
    inbox.set_defaults(run=_run("cli.inbox"))

    history = _verb(verbs, "history", "what was said, both ways: as a file")
    steps = history.add_subparsers(dest="step", required=True, metavar="STEP")
    export = _verb(steps, "export", "prints it as JSON lines, oldest first")
    _of_channel(export)
    export.add_argument("--chat", metavar="ID", help="only this chat; negative ids as they are")
    export.add_argument("--since", metavar="WHEN", help="only from then on: 7d, 12h, a date or an ISO time")
    history.set_defaults(run=_run("cli.history"))

    access = _verb(verbs, "access", "who may talk to the agent: pair, allow, remove, groups")
    _of_channel(access)
    _json(access)
    _access_verbs(access)

    hook = _verb(verbs, "hook", "what an agent host's hooks run (hooks/hooks.json)")
    hook.add_argument(
        "hook",
        choices=("bell", "stop", "prompt", "session", "permission", "question"),
        metavar="HOOK",
        help="bell: wakes the session for a message; stop, prompt: hand messages over; session: tells the model how "
        "the channels stand; permission, question: ask people. The event's JSON is read from standard input",
    )
    hook.set_defaults(run=_run("hooks.run"))

    sandbox = _verb(verbs, "sandbox", "try everything on this machine, with no account and no network")
    sandbox.add_argument(
        "--agent", choices=("scripted", "none"), default="scripted", help="who answers; none: attach your own host"
    )
    sandbox.add_argument("--port", metavar="N", type=_port, help="port of the chat page (default 8765; 0: a free one)")
    sandbox.add_argument("--no-open", action="store_true", help="do not open the chat page in a browser")
    sandbox.add_argument("--transcript", action="store_true", help="play a journey in the terminal, without a page")
    sandbox.add_argument("--keep", action="store_true", help="as --transcript; the Telegram stays up afterwards")
    sandbox.set_defaults(run=_run("cli.sandbox"))
    return parser


def _verb(into: argparse._SubParsersAction[_Parser], name: str, text: str, *, usage: str | None = None) -> _Parser:
    """A verb whose own help begins with what the list of verbs says of it."""
    return into.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", usage=usage)


def _of_channel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("channel", choices=CHANNELS, metavar="CHANNEL", help=_NAMES)


def _launch_verb(verbs: argparse._SubParsersAction[_Parser]) -> None:
    launch = _verb(
        verbs,
        "launch",
        "start the agent host so that it hears, or say why it cannot",
        usage="channels launch [telegram] [discord] [--host PATH] [--print] [-- HOST ARGUMENTS]",
    )
    launch.add_argument(
        "channels", type=_channel, nargs="*", metavar="CHANNEL", help=f"{_NAMES}; default: every one that was set up"
    )
    launch.add_argument("--host", metavar="PATH", help="the agent host's program (default: claude)")
    launch.add_argument("--print", action="store_true", help="show the command, and start nothing")
    launch.set_defaults(run=_run("cli.launch"))


def _setup_verbs(verbs: argparse._SubParsersAction[_Parser]) -> None:
    setup = _verb(verbs, "setup", "a bot's token, the host's files and the first invitation, step by step")
    _of_channel(setup)
    setup.add_argument("--token-stdin", action="store_true", help="read the token from standard input; ask nothing")
    for option, text in (
        ("--mcp-json", "enter the server into the project's .mcp.json"),
        ("--hooks", "enter the hooks into the project's .claude/settings.json"),
        ("--invite", "end with an invitation"),
    ):
        setup.add_argument(option, choices=("yes", "no"), help=f"{text} (default: ask; without a terminal: no)")
    _json(setup)
    setup.set_defaults(run=_run("cli.setup"))

    taking = _verb(verbs, "import", "take over the reference plugin's token, people, groups and settings")
    _of_channel(taking)
    taking.add_argument("folder", metavar="DIR", help="its folder, such as ~/.claude/channels/telegram")
    taking.add_argument("--token", choices=("yes", "no"), help="replace a token that is set already (default: ask)")
    _json(taking)
    taking.set_defaults(run=_run("cli.import_reference"))


def _channel(text: str) -> str:
    if text not in CHANNELS:
        raise argparse.ArgumentTypeError(f"there is no channel {text!r}; there are {', '.join(CHANNELS)}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _access_verbs(access: _Parser) -> None:
    access.set_defaults(run=_run("cli.access"), action="status")
    actions = access.add_subparsers(dest="action", metavar="ACTION")

    def add(name: str, text: str, *arguments: tuple[str, str]) -> _Parser:
        sub = _verb(actions, name, text)
        for argument, words in arguments:
            sub.add_argument(argument, help=words)
        # On the verb itself and on each action; the later one must not undo the earlier.
        sub.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=_JSON)
        return sub

    add("status", "lists people, groups and who is waiting (the default)")
    add("pair", "lets the person with this code in", ("code", "the 8 characters the person was shown"))
    add("deny", "turns the person with this code away", ("code", "the 8 characters the person was shown"))
    inviting = add("invite", "a code for one person, as a link and a picture to scan; 10 minutes, one use")
    inviting.add_argument("--no-qr", action="store_true", help="print the link only")
    add("allow", "lets a person in by id", ("id", "the person's numeric id"))
    add("remove", "takes a person off every list", ("id", "the person's numeric id"))
    add("policy", "the rule for direct messages", ("mode", "pairing, allowlist or disabled"))
    approver = _verb(actions, "approver", "who may answer permission prompts")
    roles = approver.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, text in (("add", "gives a paired person the role"), ("rm", "takes the role back")):
        role = _verb(roles, name, text)
        role.add_argument("id", help="the person's numeric id")
        role.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=_JSON)
    group = _verb(actions, "group", "enables or disables a group")
    steps = group.add_subparsers(dest="step", required=True, metavar="STEP")
    adding = _verb(steps, "add", "enables a group, or changes its rule")
    adding.add_argument("id", help="the group's id; negative ones as they are")
    adding.add_argument("--no-mention", action="store_true", help="every message counts, not only those to the bot")
    adding.add_argument(
        "--pattern", action="append", default=[], metavar="REGEX", help="messages it is found in are for the bot too"
    )
    adding.add_argument("--allow", metavar="IDS", help="comma-separated ids of those who may speak; default: everybody")
    removing = _verb(steps, "rm", "disables a group")
    removing.add_argument("id", help="the group's id")
    for step in (adding, removing):
        step.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=_JSON)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help=_JSON)


def _run(verb: str):  # type: ignore[no-untyped-def]
    """A verb's function, imported when it is called."""

    def run(args: argparse.Namespace) -> int:
        found: int = importlib.import_module(f"agent_channels.{verb}").run(args)
        return found

    return run


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; it is a number from 0 to 65535")
    return int(text)


def _version() -> str:
    from agent_channels import __version__

    return f"channels {__version__}"
