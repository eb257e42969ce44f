"""`channels sandbox`: chat with an agent without an account or network, on a chat page or in the terminal."""

from __future__ import annotations

import argparse
import re

from agent_channels.cli.arguments import CHANNEL_NAMES, WrongUsage, add_json, channel_name, port
from agent_channels.core.i18n.sentences import sentence

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "try everything on this machine, with no account and no network"
PORT = 8765


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the page's and the transcript's options."""
    parser.epilog = (
        "Examples: `channels sandbox` opens every chat in a browser; `channels sandbox --projects 3` plays three "
        "projects on one bot, one of which can die and return; `channels sandbox --transcript` stays in the terminal."
    )
    played = sentence("play this one alone, {names}, or several (default: all)", names=CHANNEL_NAMES)
    parser.add_argument("channels", metavar="CHANNEL", nargs="*", type=channel_name, help=played)
    parser.add_argument(
        "--agent", choices=("scripted", "none"), default="scripted", help="who answers; none: attach your own host"
    )
    page = sentence("port of the chat page (default {port}; 0: a free one)", port=PORT)
    parser.add_argument("--port", metavar="N", type=port, help=page)
    parser.add_argument(
        "--bot-api",
        metavar="VERSION",
        type=_version,
        help="version of the Bot API that its Telegram server speaks, such as 10.0 (default: the newest it knows)",
    )
    parser.add_argument(
        "--projects",
        metavar="N",
        type=_count,
        help="play so many projects on one bot, from 2 to 5, with a server and an agent each, and topics",
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the chat page in a browser")
    parser.add_argument("--transcript", action="store_true", help="play a journey in the terminal, without a page")
    parser.add_argument("--keep", action="store_true", help="as --transcript; the Telegram server stays up afterwards")
    add_json(parser, help="print the addresses as JSON, and nothing else; not with a transcript")


def run(args: argparse.Namespace) -> int:
    """Serve the chat page until interrupted, or play the transcript.

    Returns 0 if all went well, 130 if the transcript was interrupted.
    """
    if args.json and (args.transcript or args.keep):
        raise WrongUsage(sentence("a transcript is for people; leave --json out, or --transcript and --keep"))
    if args.channels and (args.transcript or args.keep or args.projects):
        raise WrongUsage(sentence("a transcript and --projects choose their channel themselves; leave it out"))
    if args.projects and (args.transcript or args.keep or args.agent == "none"):
        raise WrongUsage(
            sentence("--projects plays on the page, with an agent each; leave --agent, --transcript and --keep out")
        )
    if args.transcript or args.keep:
        from agent_channels.sandbox.demo import run as demo

        return demo.run(keep=args.keep, port=args.port or 0)
    from agent_channels.sandbox.page import run as page

    return page.run(
        port=PORT if args.port is None else args.port,
        browser=not args.no_open,
        scripted=args.agent == "scripted",
        bot_api=args.bot_api or page.BOT_API,
        projects=args.projects or 1,
        channels=args.channels,
        as_json=args.json,
    )


def _count(text: str) -> int:
    if text not in {"2", "3", "4", "5"}:
        raise argparse.ArgumentTypeError(
            sentence("{text!r} is not a number of projects; it must be from 2 to 5", text=text)
        )
    return int(text)


def _version(text: str) -> str:
    if re.fullmatch(r"\d{1,2}\.\d{1,2}", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError(
            sentence("{text!r} is not a version of the Bot API; write it as 10.0", text=text)
        )
    return text
