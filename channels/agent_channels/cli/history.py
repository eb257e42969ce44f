"""`channels history export`: what was said, as JSON lines, oldest first."""

from __future__ import annotations

import argparse
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

from agent_channels.core.errors import Refused
from agent_channels.core.journal.history import History, HistoryLine
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.database import Store
from agent_channels.core.text.times import epoch_iso

__all__ = ["run"]

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def run(args: argparse.Namespace) -> int:
    """Prints every line of a channel's history, of one chat or all: one JSON object a line."""
    since = _since(args.since) if args.since else 0.0
    with Store.open(state_dir(args.channel)) as store:
        for said in History(store).lines(args.chat, since):
            print(json.dumps(_exported(said), ensure_ascii=False))
    return 0


def _exported(said: HistoryLine) -> dict[str, Any]:
    return {
        "chat_id": said.chat_id,
        "message_id": said.message_id,
        "ts": epoch_iso(said.at),
        "direction": "out" if said.own else "in",
        "kind": said.kind,
        "user": said.user,
        "user_id": said.user_id or None,
        "text": said.text,
        "files": list(said.files),
        "reply_to_message_id": said.reply_to,
        "thread_id": said.thread_id,
        "thread_name": said.thread_name,
        "forward_from": said.forward_from,
        "edited": said.edited,
    }


def _since(text: str) -> float:
    """A time as epoch seconds: `7d`, `12h`, a date or an ISO time (UTC unless it says otherwise).

    Raises `Refused` for anything else.
    """
    ago = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if ago:
        return time.time() - int(ago[1]) * _UNITS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"--since is {text!r}; give how long ago (30m, 12h, 7d, 2w), a date (2026-01-31) or an ISO time"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
