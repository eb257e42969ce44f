"""`channels hub keep` and `channels hub log`: read shared bots while no session does, and show what that did."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from contextlib import ExitStack
from typing import Any

import anyio

from agent_channels.cli.arguments import CHANNEL_NAMES, Subparsers, add_command, add_json, channel_name
from agent_channels.cli.language import choose_language, shown
from agent_channels.cli.log_records import add_filters, show_records
from agent_channels.core.i18n.sentences import counted, sentence
from agent_channels.core.log import configure
from agent_channels.core.process import umask_before
from agent_channels.core.runtime.hub.keeper import Keeper, OfChannel, keeper_dir
from agent_channels.core.settings.log_file import LogFileHandler, LogReader, log_path
from agent_channels.core.settings.state_folder import StateFolder
from agent_channels.core.text.sanitize import label
from agent_channels.registry import CHANNELS, channel

__all__ = ["add_keep_actions", "run_keep_action"]


def add_keep_actions(actions: Subparsers[argparse.ArgumentParser]) -> None:
    """Declare `keep` and `log`, which are about all projects of this user."""
    keep = add_command(
        actions, "keep", "read the shared bots of all your projects here while no session does, until interrupted"
    )
    keep.add_argument(
        "channels",
        type=channel_name,
        nargs="*",
        metavar="CHANNEL",
        help=sentence("{names}; default: all", names=CHANNEL_NAMES),
    )
    add_json(keep, help="print what is kept as a line of JSON, and another whenever that changes")
    log = add_command(actions, "log", "show what the keeper did")
    log.add_argument(
        "channel",
        choices=CHANNELS,
        nargs="?",
        metavar="CHANNEL",
        help=sentence("{names}; default: every channel", names=CHANNEL_NAMES),
    )
    add_filters(log)
    for action in (keep, log):
        action.set_defaults(of_user=True)


def run_keep_action(args: argparse.Namespace) -> int:
    """Do one action. Raises `ConfigError`, or `Refused` if another keeper keeps a bot already."""
    choose_language()
    return {"keep": _keep, "log": _log}[args.action](args)


def _keep(args: argparse.Namespace) -> int:
    handler = LogFileHandler(keeper_dir(), "keeper", shared=True)
    handler.addFilter(OfChannel())
    configure("INFO", handler)
    keeper = Keeper([channel(name) for name in dict.fromkeys(args.channels or CHANNELS)], os.environ, umask_before())
    keeper.require_unkept()
    anyio.run(_keep_until_interrupted, keeper, args)
    return 0


async def _keep_until_interrupted(keeper: Keeper, args: argparse.Namespace) -> None:
    def tell(bots: list[dict[str, Any]]) -> None:
        print(json.dumps({"ok": True, "bots": bots}, ensure_ascii=False) if args.json else _text(bots))
        sys.stdout.flush()

    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_at_signal, group.cancel_scope)
        await keeper.run(tell)


async def _cancel_at_signal(scope: anyio.CancelScope) -> None:
    if sys.platform == "win32":
        # Its event loop takes no handlers; an interruption ends the process as ever.
        return
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _text(bots: list[dict[str, Any]]) -> str:
    if not bots:
        return shown(
            sentence(
                "No project of yours on this machine shares a bot yet; waiting for one that does (`channels hub join "
                "CHANNEL` in its folder)."
            )
        )
    return "\n".join(map(_line, bots))


def _line(bot: dict[str, Any]) -> str:
    startable = [one for one in bot["projects"] if one["start"]]
    return shown(
        sentence(
            "Keeping {bot} in the hub {hub}: {projects} here, of which {startable} may be started from the chat.",
            bot=label(bot["bot"]),
            hub=label(bot["hub"]),
            projects=counted(len(bot["projects"]), "project"),
            startable=len(startable),
        )
    )


def _log(args: argparse.Namespace) -> int:
    folder = keeper_dir()
    with ExitStack() as opened:
        reader = LogReader(opened.enter_context(StateFolder.opened(folder)))
        opened.callback(reader.close)

        def read() -> list[dict[str, Any]]:
            records = [{"channel": "", **record} for record in reader.read()]
            return [record for record in records if args.channel in {None, record["channel"]}]

        return show_records(read, args, several=args.channel is None, places=str(log_path(folder)))
