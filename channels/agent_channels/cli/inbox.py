"""`channels inbox`: list the journal of messages; redeliver or drop one of them."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from agent_channels.cli.arguments import WrongUsage, add_channel, add_json
from agent_channels.cli.language import column, shown
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.journal.entry import OPEN, State
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact
from agent_channels.core.services import Services
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.database import Row, Store
from agent_channels.core.text.columns import columns_of
from agent_channels.core.text.sanitize import attribute
from agent_channels.core.text.times import epoch_iso

__all__ = ["REPORTED", "SUMMARY", "add_arguments", "drop", "redeliver", "run"]

SUMMARY = "list every message with its state and age; redeliver or drop one"
TEXT_MAX = 60
LIMIT = 50
# SQLite takes no larger limit.
LIMIT_MAX = 1 << 31
# The states in between are internal.
REPORTED = {
    **dict.fromkeys((State.RAW, State.JOINING, State.FETCHING, State.READY), "received"),
    State.OFFERING: "offered",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, which messages to list, and the two changes."""
    add_channel(parser, may_miss=True)
    parser.add_argument("--open", action="store_true", help="only those that are not answered")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_positive,
        default=LIMIT,
        help=sentence("how many at most, the newest (default {limit})", limit=LIMIT),
    )
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--redeliver", metavar="ID", help="offer this delivery_id again")
    change.add_argument("--drop", metavar="ID", help="give this delivery_id up")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the entries, or change one."""
    with Store.open_existing(state_dir(args.channel)) as store:
        services = Services.of(store)
        if args.redeliver:
            redeliver(args.channel, services, args.redeliver)
            return _report(args, "redelivered", args.redeliver, "{delivery_id} redelivered")
        if args.drop:
            drop(args.channel, services, args.drop)
            return _report(args, "dropped", args.drop, "{delivery_id} dropped")
        found = services.inbox.newest(only_open=args.open, limit=min(args.limit, LIMIT_MAX))
        entries = [_entry(row) for row in found]
    if args.json:
        print(json.dumps({"ok": True, "channel": args.channel, "messages": entries}, ensure_ascii=False))
    else:
        print("\n".join(map(_line, entries)) or shown("no open messages" if args.open else "no messages yet"))
    return 0


def redeliver(channel: str, services: Services, delivery_id: str) -> None:
    """Offer a message again, answered or not, and record that. Raises `Refused` if it cannot be offered."""
    with services.store.transaction():
        if services.inbox.redeliver(delivery_id):
            services.audit.add("redeliver", detail=delivery_id)
            return
    raise Refused(_why_not(channel, "redelivered", delivery_id, services.inbox))


def drop(channel: str, services: Services, delivery_id: str) -> None:
    """Give a message up that is not answered, and record that. Raises `Refused` for any other."""
    with services.store.transaction():
        if services.inbox.give_up(delivery_id):
            services.audit.add("drop", detail=delivery_id)
            return
    raise Refused(_why_not(channel, "dropped", delivery_id, services.inbox))


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise WrongUsage(sentence("{text!r} is not a number of messages; give 1 or more", text=text))
    return int(text)


def _why_not(channel: str, change: str, delivery_id: str, inbox: Inbox) -> str:
    """Return why a message cannot be dropped or redelivered."""
    found = inbox.state_of(delivery_id)
    if found is None:
        return sentence(
            "there is no message {delivery_id!r}; `channels inbox {channel} --json` lists them by delivery_id",
            delivery_id=delivery_id,
            channel=channel,
        )
    state, has_content = found
    if state is State.HELD:
        reason = sentence(
            "its sender waits to be let in: `channels access {channel} pair CODE`, or `channels access {channel} deny "
            "CODE`, which drops it",
            channel=channel,
        )
    elif state is State.ANSWERED:
        reason = sentence(
            "it is answered already" if has_content else "this program answered it itself; it is not for the agent"
        )
    elif state is State.DROPPED:
        reason = sentence("it is dropped already" if has_content else "it is not for the agent")
    elif state is State.FAILED:
        reason = sentence("this version could not process it, and it is kept for a newer one")
    else:
        reason = sentence("it is not ready yet, or is part of another message")
    return sentence(
        "{delivery_id} cannot be redelivered: {reason}"
        if change == "redelivered"
        else "{delivery_id} cannot be dropped: {reason}",
        delivery_id=delivery_id,
        reason=reason,
    )


def _report(args: argparse.Namespace, change: str, delivery_id: str, words: str) -> int:
    told = shown(sentence(words, delivery_id=delivery_id))
    print(json.dumps({"ok": True, change: delivery_id}) if args.json else told)
    return 0


def _entry(row: Row) -> dict[str, Any]:
    meta = json.loads(row["meta"] or "{}")
    return {
        "delivery_id": row["delivery_id"],
        "state": REPORTED.get(row["state"], row["state"]),
        "open": row["state"] in OPEN,
        "age_s": round(time.time() - row["received_at"]),
        "received_at": epoch_iso(row["received_at"]),
        "offered_at": epoch_iso(row["offered_at"]),
        "answered_at": epoch_iso(row["answered_at"]),
        "offers": row["offers"],
        "chat_id": row["chat_id"],
        "message_id": row["message_id"],
        "user": meta.get("user"),
        # Masked before it is cut: of a token that is cut, the beginning would show.
        "text": attribute(redact(row["content"] or ""), TEXT_MAX),
    }


def _line(entry: dict[str, Any]) -> str:
    message = f"{entry['user'] or '-'}: {entry['text']}"
    if entry["user"] is None and not entry["text"]:
        # No message for the agent was made of it: a command, a verdict on a permission, or what is not read yet.
        answered = entry["state"] == State.ANSWERED
        message = shown("(for this program, which answered it)" if answered else "(not read yet)")
    age = shown(_age(entry["age_s"]))
    padding = " " * (6 - columns_of(age))
    return f"{entry['delivery_id']:<24} {column(entry['state'], 9)}{padding}{age}  {message}"


def _age(seconds: int) -> str:
    for size, words in ((86_400, "{count}d"), (3600, "{count}h"), (60, "{count}m")):
        if seconds >= size:
            return sentence(words, count=seconds // size)
    return sentence("{count}s", count=seconds)
