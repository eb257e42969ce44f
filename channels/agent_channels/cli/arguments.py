"""Arguments that several verbs declare alike."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent_channels.core.errors import ChannelError
from agent_channels.core.i18n.sentences import Sentence, joined, sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.nearest import nearest
from agent_channels.registry import CHANNELS, channel

if TYPE_CHECKING:
    from agent_channels.core.host.agents.agent_host import AgentHost

__all__ = [
    "CHANNEL_NAMES",
    "CLAUDE",
    "Subparsers",
    "WrongUsage",
    "add_agent_host",
    "add_channel",
    "add_command",
    "add_json",
    "agent_host_names",
    "can_ask",
    "channel_name",
    "did_you_mean",
    "moment",
    "platform_id",
    "port",
    "set_up_channels",
    "the_channel",
]

*_FIRST, _LAST = CHANNELS
CHANNEL_NAMES = joined([joined(_FIRST, ", "), _LAST], " or ")
# The host that is meant without --host.
CLAUDE = "claude"
_ID = lazy_pattern(r"-?[0-9]{1,20}")
_UNITS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
Subparsers = argparse._SubParsersAction  # noqa: SLF001 - what `add_subparsers` returns has no public name


class WrongUsage(ChannelError, argparse.ArgumentTypeError):
    """An argument is malformed; exit code 2. An argument's `type` may raise it too."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return what may have been meant, as the end of a sentence: the nearest known word, else all of them."""
    names = list(known)
    if near := nearest(word, names):
        return sentence("did you mean {near!r}?", near=near)
    return sentence("there are {names}", names=joined(names, ", "))


def channel_name(text: str) -> str:
    """Return the name of a channel, where several may stand. Raises `WrongUsage` if there is none of that name."""
    if text not in CHANNELS:
        known = did_you_mean(text, CHANNELS)
        raise WrongUsage(sentence("there is no {kind} {value!r}; {known}", kind="channel", value=text, known=known))
    return text


def platform_id(text: str, channel_name: str | None = None) -> str:
    """Return the id of a chat, a thread or a person as the store has it; None: on any platform. Raises `WrongUsage`."""
    names = [channel_name] if channel_name else list(CHANNELS)
    if any(re.fullmatch(channel(name).ids, text) for name in names):
        return str(int(text)) if _ID.fullmatch(text) else text
    if channel_name and not re.fullmatch(channel(channel_name).ids, "1"):
        raise WrongUsage(
            sentence(
                "{text!r} is not an id as events carry them (names can change hands, so they never decide)", text=text
            )
        )
    raise WrongUsage(
        sentence(
            "{text!r} is not an id: a number of at most 20 digits (names can change hands, so they never decide)",
            text=text,
        )
    )


def port(text: str) -> int:
    """Return a port of this machine; 0 stands for a free one. Raises `ArgumentTypeError`."""
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(
            sentence("{text!r} is not a port; it must be a number from 0 to 65535", text=text)
        )
    return int(text)


def moment(text: str) -> float:
    """Return `7d`, `12h`, a date or an ISO time (of this machine's zone unless it says otherwise) as epoch seconds.

    Raises `WrongUsage` for anything else.
    """
    if ago := re.fullmatch(r"(\d{1,6})([mhdw])", text):
        return time.time() - int(ago[1]) * _UNITS_S[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise WrongUsage(
            sentence(
                "{text!r} is not a time; give how long ago (30m, 12h, 7d, 2w), a date (2026-01-31) or an ISO time",
                text=text,
            )
        ) from None


def add_command(into: Subparsers[argparse.ArgumentParser], name: str, summary: str) -> argparse.ArgumentParser:
    """Add a verb or an action; its own help begins with its summary as a sentence."""
    described = Sentence(f"{summary[0].upper()}{summary[1:]}.")
    described.template, described.values = "{summary}.", {"summary": summary}
    return into.add_parser(name, help=summary, description=described)


def add_channel(parser: argparse.ArgumentParser, *, may_miss: bool = False) -> None:
    """Declare the channel as the first argument; `may_miss`: it is `the_channel` if it is left out."""
    if may_miss:
        explained = sentence("{names}; default: the one that is set up here", names=CHANNEL_NAMES)
        parser.add_argument("channel", choices=CHANNELS, nargs="?", metavar="CHANNEL", help=explained)
    else:
        parser.add_argument("channel", choices=CHANNELS, metavar="CHANNEL", help=CHANNEL_NAMES)


def add_agent_host(parser: argparse.ArgumentParser, *, help: str) -> None:  # noqa: A002 - as argparse calls it
    """Declare --host, the name of a known agent host, as an `AgentHost`; None for Claude Code. `help` has {names}."""
    explained = sentence(help, names=joined(agent_host_names(), ", "))
    parser.add_argument("--host", type=_agent_host, metavar="NAME", help=explained)


def agent_host_names() -> list[str]:
    """Return the names of the agent hosts that are known."""
    from agent_channels.core.host.agents.registry import AGENT_HOSTS

    return [CLAUDE, *AGENT_HOSTS]


def _agent_host(text: str) -> AgentHost | None:
    from agent_channels.core.host.agents.registry import AGENT_HOSTS

    if text not in AGENT_HOSTS and text != CLAUDE:
        known = did_you_mean(text, agent_host_names())
        raise WrongUsage(sentence("there is no {kind} {value!r}; {known}", kind="agent host", value=text, known=known))
    return AGENT_HOSTS.get(text)


def set_up_channels() -> list[str]:
    """Return the channels with a token or any state in this project."""
    # Imported here: the parser's own words need no settings.
    from agent_channels.core.settings.config import Environment

    def is_set_up(env: Environment) -> bool:
        return bool(env.own("BOT_TOKEN")) or any((env.state_dir / name).exists() for name in (".env", "channel.db"))

    return [name for name in CHANNELS if is_set_up(Environment(name))]


def the_channel() -> str:
    """Return the one channel that is set up in this project. Raises `WrongUsage` if there are several, or none."""
    found = set_up_channels()
    if len(found) != 1:
        raise WrongUsage(sentence("say which channel: {names}", names=joined(found or CHANNELS, " or ")))
    return found[0]


def add_json(parser: argparse.ArgumentParser, **options: Any) -> None:
    """Declare --json; `options` are those of `add_argument`."""
    explained = {"help": "print JSON instead of sentences"} | options
    parser.add_argument("--json", action="store_true", **explained)


def can_ask() -> bool:
    """Return whether a person is at the terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()
