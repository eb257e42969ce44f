"""`channels inbox`: the journal of messages, entry by entry, and a hand on each of them."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from agent_channels.core.errors import Refused
from agent_channels.core.services import Services
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.database import Row, Store
from agent_channels.core.text.sanitize import attribute
from agent_channels.core.text.times import epoch_iso

__all__ = ["run"]

WIDTH = 60


def run(args: argparse.Namespace) -> int:
    """Lists entries, or redelivers or drops one."""
    with Store.open(state_dir(args.channel)) as store:
        inbox = Services.of(store).inbox
        if args.redeliver:
            return _change(args, "redelivered", args.redeliver, done=inbox.redeliver(args.redeliver))
        if args.drop:
            return _change(args, "dropped", args.drop, done=inbox.give_up(args.drop))
        entries = [_entry(row) for row in inbox.newest(only_open=args.open, limit=max(0, min(args.limit, 1 << 31)))]
    if args.json:
        print(json.dumps(entries, ensure_ascii=False))
    else:
        print("\n".join(map(_line, entries)) or ("no open messages" if args.open else "no messages yet"))
    return 0


def _change(args: argparse.Namespace, what: str, delivery_id: str, *, done: bool) -> int:
    if not done:
        raise Refused(
            f"no entry {delivery_id!r} can be {what}; `channels inbox {args.channel} --json` lists them by delivery_id"
        )
    print(json.dumps({"ok": True, what: delivery_id}) if args.json else f"{delivery_id} {what}")
    return 0


def _entry(row: Row) -> dict[str, Any]:
    meta = json.loads(row["meta"] or "{}")
    return {
        "delivery_id": row["delivery_id"],
        "state": _STATES.get(row["state"], row["state"]),
        "open": row["state"] not in {"answered", "held", "failed"},
        "age_s": round(time.time() - row["received_at"]),
        "received_at": epoch_iso(row["received_at"]),
        "offered_at": epoch_iso(row["offered_at"]),
        "answered_at": epoch_iso(row["answered_at"]),
        "offers": row["offers"],
        "chat_id": row["chat_id"],
        "message_id": row["message_id"],
        "user": meta.get("user"),
        "text": attribute(row["content"] or "", WIDTH),
    }


# The steps in between are the program's own affair.
_STATES = {"raw": "received", "joining": "received", "fetching": "received", "ready": "received", "offering": "offered"}


def _line(entry: dict[str, Any]) -> str:
    said = f"{entry['user'] or '-'}: {entry['text']}"
    return f"{entry['delivery_id']:<24} {entry['state']:<9} {_age(entry['age_s']):>5}  {said}"


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
