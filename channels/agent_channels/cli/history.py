"""`channels history export`: the conversation in both directions, as JSON lines, oldest first."""

from __future__ import annotations

import argparse
from typing import Any

from agent_channels.cli.arguments import add_channel, add_command, platform_id
from agent_channels.cli.export import add_export_options, print_records
from agent_channels.core.journal.history import History, HistoryLine
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.database import Store
from agent_channels.core.text.times import epoch_iso

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "export the conversation, both directions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action `export` with its filters."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = add_command(actions, "export", "print it as JSON lines, oldest first")
    add_channel(export, may_miss=True)
    export.add_argument("--chat", metavar="ID", type=platform_id, help="only this chat; negative ids as they are")
    add_export_options(export)


def run(args: argparse.Namespace) -> int:
    """Print each message of a chat, or of all chats, as one JSON object per line, or all in one object."""
    with Store.open_existing(state_dir(args.channel)) as store:
        print_records(args, "messages", map(_exported, History(store).lines(args.chat, args.since)))
    return 0


def _exported(line: HistoryLine) -> dict[str, Any]:
    return {
        "chat_id": line.chat_id,
        "message_id": line.message_id,
        "ts": epoch_iso(line.at),
        "direction": "out" if line.own else "in",
        "kind": line.kind,
        "user": line.user,
        "user_id": line.user_id or None,
        "text": line.text,
        "files": list(line.files),
        "reply_to_message_id": line.reply_to,
        "thread_id": line.thread_id,
        "thread_name": line.thread_name,
        "forward_from": line.forward_from,
        "edited": line.edited,
    }
