"""The facts about a channel, from the store and the lock: the same for the tool and for the command line."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent_channels.core.host.turns import Turn
from agent_channels.core.i18n.sentences import counted, joined, sentence, unpacked
from agent_channels.core.process import Restarts
from agent_channels.core.runtime.reader_lock import LockHolder, ReaderLock
from agent_channels.core.services import Services
from agent_channels.core.settings.log_file import log_command
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import epoch_iso, local_time

__all__ = ["fact_lines", "facts", "message_counts", "reader_state", "restarts_fact"]

_READER_STATES = {
    "reading": "reading now",
    "connecting": "connecting",
    "idle": "idle",
    "unauthorized": "unauthorized",
    "conflict": "conflict",
    "rate limited": "rate limited",
    "unreachable": "unreachable",
    "store": "store",
}


def facts(
    channel: str, state_dir: Path, services: Services, bot_id: str | None, problem: str | None = None
) -> dict[str, Any]:
    """Return everything known of a channel.

    Shape: channel, state_dir, bot {id, username} or null, policy, paired, pending, blocked_by (ids), groups,
    groups_not_enabled, owner {pid, host, project, since, state_dir} or null, mode {name, why}, client ({name, title,
    only_pulls} of the host whose session the bot is read for, or null), idle_server (why
    a server that is attached to a host does not read, or null), restarts ({count, why, last}, last as ISO time, of the
    server that reads, or null if it was never started again), reader {state, error, note}, hub (what `hub_facts` in
    `hub/member.py` returned last, and {state, problem} of the reading for all projects; null if the bot is not
    shared), last_poll_ok (ISO time or null), working (a list
    of {since, running, steps, files, stopping}, `running` in words), inbox {received, open, offered, answered, held,
    failed}, oldest_open, plain_only (why messages are not sent in the platform's rich form, or null), problem.
    Raises one of `VALUE_FAULTS` for a value that no program of ours wrote.
    """
    access, inbox, health = services.access, services.inbox, services.health.read()
    members, blocking = access.members(), services.chats.blocked_by()
    approvers = {m.user_id for m in access.approvers()}
    holder = ReaderLock(channel, bot_id, state_dir).holder() if bot_id else None
    known = health.get("bot_id") == bot_id
    hub = json.loads(health.get("hub") or "null")
    reader = {
        "state": health.get("reader") if holder else "idle",
        "error": health.get("error") or None,
        "note": health.get("note") or None,
    }
    if hub and hub.get("problem"):
        hub["problem"] = unpacked(hub["problem"])
        if reader["state"] == "reading":
            # Its own events come, as far as there are any.
            reader |= {"state": hub["state"], "error": hub["problem"]}
    every = {
        "channel": channel,
        "state_dir": str(state_dir),
        "bot": {"id": bot_id, "username": health.get("bot_username") if known else None} if bot_id else None,
        "remark": (health.get("remark") or None) if known else None,
        "policy": access.policy(),
        "paired": [
            {"id": m.user_id, "name": label(m.name), "username": m.username, "approver": m.user_id in approvers}
            for m in members
        ],
        "pending": [
            {"id": a.user_id, "name": label(a.name), "username": a.username, "since": epoch_iso(a.asked_at)}
            for a in services.pairing.pending()
        ],
        "blocked_by": [m.user_id for m in members if m.user_id in blocking],
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
        "groups_not_enabled": [{"id": i, "title": label(t)} for i, t in services.chats.groups_not_enabled()],
        "owner": {**asdict(holder), "since": epoch_iso(holder.since)} if holder else None,
        "mode": _mode(services, holder, health.get("session") if holder else None),
        "client": _client(services, health.get("session")) if holder else None,
        "idle_server": _idle(services, holder),
        "restarts": _restarts(health.get("restarts")) if holder else None,
        "reader": reader,
        "hub": hub,
        "last_poll_ok": epoch_iso(health.get("last_poll_ok")),
        "working": [_working(turn) for turn in services.turns.running()],
        "inbox": inbox.counts(),
        "oldest_open": epoch_iso(inbox.oldest_open()),
        "plain_only": health.get("plain_only") or None,
        "problem": problem or _problem(channel, reader, held=holder is not None),
    }
    # A damaged database may hold bytes where text was written. That has to show here, and not where the facts are used.
    json.dumps(every)
    return every


def fact_lines(known: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the facts in words, for people: the name of each and what it is. `token_from` is one more of them."""
    reader = known["reader"]
    lines: list[tuple[str, str]] = [
        (sentence("state folder"), known["state_dir"]),
        (sentence("bot"), _bot(known["bot"], known["token_from"])),
        (sentence("policy"), _policy(known)),
        (sentence("read by"), _reader(known["owner"])),
        (sentence("reading"), reader_state(reader["state"], reader["error"])),
        (sentence("last poll"), local_time(known["last_poll_ok"]) if known["last_poll_ok"] else sentence("never")),
        (sentence("delivery"), sentence("{mode} ({why})", mode=known["mode"]["name"], why=known["mode"]["why"])),
        (sentence("messages"), _messages(known["inbox"], known["oldest_open"])),
    ]
    if client := known["client"]:
        lines.append((sentence("host"), _client_words(client)))
    if again := known["restarts"]:
        times = counted(again["count"], "time")
        last = sentence("{times}, the last at {last}: {why}", times=times, last=again["last"], why=again["why"])
        lines.append((sentence("restarted"), last))
    lines += [(sentence("working"), _work(turn)) for turn in known["working"]]
    lines += [
        (sentence("group seen"), sentence("{id} {title} (not enabled)", id=group["id"], title=group["title"]))
        for group in known["groups_not_enabled"]
    ]
    lines += [
        (sentence("blocked by"), sentence("{user_id}: only they can unblock the bot", user_id=user_id))
        for user_id in known["blocked_by"]
    ]
    for name, text in (
        (sentence("plain text"), known["plain_only"]),
        (sentence("remark"), known["remark"]),
        (sentence("note"), reader["note"]),
        (sentence("problem"), known["problem"]),
    ):
        lines += [(name, text)] if text else []
    return lines


def _bot(bot: dict[str, Any] | None, token_from: str | None) -> str:
    if bot is None:
        named = sentence("none")
    elif bot["username"]:
        named = sentence("@{username} (id {id})", username=bot["username"], id=bot["id"])
    else:
        named = sentence("id {id}", id=bot["id"])
    return sentence("{bot}, token from {source}", bot=named, source=token_from) if token_from else named


def _policy(known: dict[str, Any]) -> str:
    counts = (
        sentence("{count} paired", count=len(known["paired"])),
        sentence("{count} waiting", count=len(known["pending"])),
        counted(len(known["groups"]), "group"),
    )
    return joined([known["policy"], joined(counts, ", ")], ": ")


def _reader(owner: dict[str, Any] | None) -> str:
    if owner is None:
        return sentence("nobody")
    return sentence(
        "process {pid} on {host} for {project}, since {since}",
        pid=owner["pid"],
        host=owner["host"],
        project=owner["project"],
        since=local_time(owner["since"]),
    )


def reader_state(state: str | None, error: str | None) -> str:
    """Return in words whether the bot can be read, and what stands in the way."""
    words = sentence(_READER_STATES[state]) if state in _READER_STATES else state or ""
    return joined([words, error], ": ") if error else words


def _messages(inbox: dict[str, int], oldest_open: str | None) -> str:
    counts = message_counts(inbox)
    if not oldest_open:
        return counts
    return sentence("{counts}; the oldest open since {oldest}", counts=counts, oldest=local_time(oldest_open))


def _work(turn: dict[str, Any]) -> str:
    running = joined(turn["running"]) if turn["running"] else sentence("thinking")
    steps = counted(turn["steps"], "step")
    if turn["stopping"]:
        steps = sentence("{steps}, asked to stop", steps=steps)
    return sentence("since {since}: {running} ({steps})", since=local_time(turn["since"]), running=running, steps=steps)


def message_counts(inbox: dict[str, int]) -> str:
    """Return the facts' counts of messages in words, each message counted once."""
    shown = inbox["offered"] - inbox["answered"]
    words = [
        sentence("{count} open ({offered} of them offered to the agent)", count=inbox["open"], offered=shown)
        if shown
        else sentence("{count} open", count=inbox["open"]),
        sentence("{count} answered", count=inbox["answered"]),
    ]
    words += [sentence("{count} held until the sender is let in", count=inbox["held"])] if inbox["held"] else []
    words += [sentence("{count} failed", count=inbox["failed"])] if inbox["failed"] else []
    return joined(words, ", ")


def _working(turn: Turn) -> dict[str, Any]:
    detail = turn.detail
    return {
        "since": epoch_iso(turn.began_at),
        "running": [step.words for step in detail.running],
        "steps": detail.steps,
        "files": len(detail.files),
        "stopping": turn.stop_at is not None,
    }


def _idle(services: Services, holder: LockHolder | None) -> str | None:
    """Return why a server that is attached to a host does not read; None if there is no such server."""
    try:
        idle = json.loads(services.health.get("idle") or "{}")
        if holder is not None and (int(idle["pid"]), socket.gethostname()) == (holder.pid, holder.host):
            # What it wrote before it took over.
            return None
        if os.name == "posix":
            # Signal 0 only asks whether the process exists.
            os.kill(int(idle["pid"]), 0)
        return sentence(
            "a server is attached (process {pid}) and does not read the bot: {why}",
            pid=idle["pid"],
            why=unpacked(idle["why"]),
        )
    except (KeyError, ValueError, TypeError, OSError):
        return None


def restarts_fact(restarts: Restarts | None) -> dict[str, Any] | None:
    """Return as a fact that and why a server was started again; None if it was not."""
    return {"count": restarts.times, "why": restarts.why, "last": epoch_iso(restarts.at)} if restarts else None


def _restarts(recorded: str | None) -> dict[str, Any] | None:
    """Return what the server that reads the bot recorded of its restarts."""
    try:
        known = json.loads(recorded or "null")
        return restarts_fact(Restarts(int(known["times"]), str(known["why"]), float(known["at"]))) if known else None
    except (ValueError, TypeError, KeyError):
        return None


def _problem(channel: str, reader: dict[str, Any], *, held: bool) -> str | None:
    """Return what keeps the reader from reading."""
    if held and reader["state"] not in {"reading", "connecting", None}:
        why = reader["error"] or sentence("see `{command}`", command=log_command(channel))
        return reader_state(reader["state"], why)
    return None


def _client(services: Services, session: str | None) -> dict[str, Any] | None:
    """Return which host's client is connected in a session; None if it did not say who it is."""
    known = services.sessions.get(session) if session else None
    if known is None or not known.client:
        return None
    from agent_channels.core.host.agents.registry import host_of_client

    found = host_of_client(known.client)
    return {
        "name": known.client,
        "title": found.title if found else None,
        "only_pulls": found.only_pulls if found else None,
    }


def _client_words(client: dict[str, Any]) -> str:
    name = label(client["name"])
    named = sentence("{title}, client {client}", title=client["title"], client=name) if client["title"] else name
    if client["only_pulls"]:
        return sentence("{host}; it keeps pull: its agent has to call wait_for_messages", host=named)
    return named


def _mode(services: Services, holder: LockHolder | None, session: str | None) -> dict[str, str]:
    """Return the mode of the session that the bot is read for."""
    if session is None:
        return {"name": "none", "why": _idle(services, holder) or sentence("no running server reads this bot")}
    known = services.sessions.get(session)
    return (
        {"name": known.mode, "why": known.why}
        if known and known.mode
        else {"name": "none", "why": sentence("starting")}
    )
