"""The facts about a channel, gathered from the store and the lock: the same for the tool and for the command line."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent_channels.core.host.sessions import Sessions
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.people.access import Access
from agent_channels.core.people.pairing import Pairing
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health
from agent_channels.core.text.sanitize import label

__all__ = ["facts", "iso_time"]


def iso_time(seconds: float | str | None) -> str | None:
    """Epoch seconds as ISO 8601 UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(float(seconds), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def facts(
    channel: str, state_dir: Path, store: Store, bot_id: str | None, problem: str | None = None
) -> dict[str, Any]:
    """Everything known of a channel.

    Shape: channel, state_dir, bot {id, username} or null, policy, paired, pending, blocked_by (ids), groups,
     groups_not_enabled, owner
    {pid, host, project, since, state_dir} or null, mode {name, why}, reader {state, error, note}, last_poll_ok (ISO
    time or null), inbox {received, open, offered, answered, held, failed}, oldest_open, problem.
    """
    access, health = Access(store), Health(store).read()
    inbox = Inbox(store)
    holder = ReaderLock(channel, bot_id, state_dir).holder() if bot_id else None
    known = health.get("bot_id") == bot_id
    return {
        "channel": channel,
        "state_dir": str(state_dir),
        "bot": {"id": bot_id, "username": health.get("bot_username") if known else None} if bot_id else None,
        "policy": access.policy(),
        "paired": [
            {"id": m.user_id, "name": label(m.name), "username": m.username, "approver": access.approver(m.user_id)}
            for m in access.members()
        ],
        "pending": [
            {"id": a.user_id, "name": label(a.name), "username": a.username, "since": iso_time(a.asked_at)}
            for a in Pairing(store).pending()
        ],
        "blocked_by": [m.user_id for m in access.members() if access.left(m.user_id)],
        "groups": [
            {
                "id": g.chat_id,
                "title": label(g.title or ""),
                "require_mention": g.require_mention,
                "senders": None if g.senders is None else sorted(g.senders),
                "patterns": list(g.patterns),
            }
            for g in access.groups()
        ],
        "groups_not_enabled": [{"id": i, "title": label(t)} for i, t in access.unlisted_groups()],
        "owner": {**asdict(holder), "since": iso_time(holder.since)} if holder else None,
        "mode": _mode(store, health.get("session") if holder else None),
        "reader": {
            "state": health.get("reader") if holder else "idle",
            "error": health.get("error") or None,
            "note": health.get("note") or None,
        },
        "last_poll_ok": iso_time(health.get("last_poll_ok")),
        "inbox": inbox.counts(),
        "oldest_open": iso_time(inbox.oldest_open()),
        "problem": problem or _trouble(health, held=holder is not None),
    }


def _idle(store: Store) -> str | None:
    """Why a server that is attached to a host does not read; None when there is no such server."""
    try:
        idle = json.loads(Health(store).read().get("idle") or "{}")
        if os.name == "posix":
            # Asks whether the process exists, and nothing else of it.
            os.kill(int(idle["pid"]), 0)
        return f"a server is attached (process {idle['pid']}) and does not read the bot: {idle['why']}"
    except (KeyError, ValueError, TypeError, OSError):
        return None


def _trouble(health: dict[str, Any], *, held: bool) -> str | None:
    """What keeps the one who reads from reading."""
    if held and health.get("reader") not in {"reading", "connecting", None}:
        return f"{health['reader']}: {health.get('error') or 'see the log of the server'}"
    return None


def _mode(store: Store, session: str | None) -> dict[str, str]:
    """The mode of the session that the bot is read for."""
    if session is None:
        return {"name": "none", "why": _idle(store) or "no running server reads this bot"}
    known = Sessions(store).get(session)
    return {"name": known.mode, "why": known.why} if known and known.mode else {"name": "none", "why": "starting"}
