"""The life of a message and of a turn, as a page draws them: plain values, made of rows of the store."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from agent_channels.core.host.turn_text import duration, summary
from agent_channels.core.host.turns import Turn
from agent_channels.core.journal.entry import OPEN, State
from agent_channels.core.store.database import Row

__all__ = ["message_life", "row_meta", "staged_life", "turns_with_steps"]

# What came with a turn's prompt was offered at once; what was offered later, in the middle of it.
STEERED_AFTER_S = 0.3
# The states before anybody decided whether an event is for the agent, or could.
_UNSORTED = (State.RAW, State.FAILED)
# The states from which an entry with content can be offered again by hand; `Inbox.redeliver` holds the rule.
_OFFERED_AGAIN = (State.ANSWERED, State.OFFERED, State.OFFERING, State.DROPPED)


def row_meta(row: Row) -> dict[str, str]:
    """Return an entry's meta as the agent is shown it."""
    meta: dict[str, str] = json.loads(row["meta"] or "{}")
    return meta


def message_life(row: Row) -> dict[str, Any]:
    """Return what a row of the inbox says of a message's life: {who, what, message, at, state, offers}."""
    meta = row_meta(row)
    button = f"tap: {meta['button_label']}" if meta.get("button") == "true" else ""
    return {
        "who": meta.get("user", ""),
        "what": button or row["content"] or "",
        "message": row["message_id"],
        "at": row["received_at"],
        # Commands and permissions: no agent was asked, so no agent answered.
        "state": "handled" if row["state"] == State.ANSWERED and not row["answered_at"] else row["state"],
        "offers": row["offers"],
    }


def staged_life(row: Row, idle: str | None) -> dict[str, Any]:
    """Return a message's life with its stages, why it waits, and what an operator can do about it.

    `idle` is why nothing is offered now, None while the bot is read for a session.
    """
    life = message_life(row)
    if row["state"] in _UNSORTED:
        life["what"] = "(not read)"
    stages: list[dict[str, Any]] = [{"name": "received", "at": row["received_at"], "note": ""}]
    if row["state"] not in _UNSORTED:
        stages.append({"name": "sorted", "note": _sorted_as(row)})
    if row["offered_at"]:
        again = row["offers"] > 1
        times = f", {row['offers']} times in all" if again else ""
        name = "redelivered" if again else "offered"
        stages.append({"name": name, "at": row["offered_at"], "note": f"by {row['mode'] or 'push'}{times}"})
    if row["answered_at"]:
        stages.append({"name": "answered", "at": row["answered_at"], "note": ""})
    has_content = row["content"] is not None
    return {
        **life,
        "delivery_id": row["delivery_id"],
        "stages": stages,
        "why": _why(row, idle),
        "redeliver": has_content and row["state"] in _OFFERED_AGAIN,
        "drop": row["state"] in OPEN,
    }


def _sorted_as(row: Row) -> str:
    if row["prompt_id"]:
        return "as the answer to a question"
    if row["state"] == State.HELD:
        return "held: its sender is not let in yet"
    return "for the agent" if row["content"] is not None else "not for the agent"


def _why(row: Row, idle: str | None) -> str | None:
    """Return in words what a state means here; None where the state alone says it."""
    match State(row["state"]):
        case State.READY:
            again = "to be offered again" if row["offers"] else "to be offered"
            return f"waits {again}: {idle}" if idle else f"waits {again}"
        case State.DROPPED:
            return "dropped by the operator" if row["content"] is not None else "dropped: its sender was not let in"
        case State.FAILED:
            return "failed: this version could not read it, and keeps it for a newer one"
        case State.RAW:
            return f"received, and not sorted yet: {idle}" if idle else "received, and not sorted yet"
        case State.OFFERED:
            return "offered; the agent has not answered yet"
    return None


# ---- turns


def turns_with_steps(turns: Iterable[Turn], rows: list[Row]) -> Iterator[tuple[Turn, str, dict[str, Any]]]:
    """Yield every turn in which a tool was used with each of its chats, and the turn as it is drawn there.

    `rows` are the entries of the inbox that may have been handed over in its middle.
    """
    for turn in turns:
        for chat_id in turn.chats if turn.detail.steps else ():
            steered = [
                {"name": "steered", "at": row["offered_at"], "by": row["content"] or ""}
                for row in rows
                if row["chat_id"] == chat_id
                and turn.began_at + STEERED_AFTER_S < (row["offered_at"] or 0) <= (turn.ended_at or time.time())
            ]
            yield turn, chat_id, _turn_life(turn, steered)


def _turn_life(turn: Turn, steered: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a turn as it is drawn; `steered` are the messages that were handed over in its middle, as stages."""
    now, detail = time.time(), turn.detail
    asked = [{"name": "asked to stop", "at": turn.stop_at, "by": turn.stop_by or ""}] if turn.stop_at else []
    running = [] if turn.ended_at else [[step.words, duration(now - step.since)] for step in detail.running]
    return {
        "turn": "running" if turn.ending is None and turn.stop_at is None else turn.ending or "stopping",
        "at": turn.began_at,
        "summary": summary(turn, now),
        "running": running,
        "recent": detail.recent,
        "plan": [[text, done] for _, text, done in detail.plan],
        "note": "" if turn.ended_at else detail.note,
        "stages": sorted([*steered, *asked], key=lambda stage: float(stage["at"])),
        "ended": turn.ended_at,
    }
