"""The lifecycle of each message: received by the platform, journalled, offered, answered; when, and by which process.

Beside it the turns in which the agent works: what runs, when it was steered or asked to stop, and how it ended.

The channel servers' part is read from their stores, over a read-only connection.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agent_channels.core.host.turn_text import duration, summary
from agent_channels.core.host.turns import Turn
from agent_channels.core.journal.entry import State
from agent_channels.core.services import Services
from agent_channels.core.store.database import Row, Store
from agent_channels.sandbox.page.scene import CHANNELS, Scene, SceneChat

__all__ = ["MessageLifecycles", "PageAction"]

ROWS = 150
TURNS = 40
# What came with a turn's prompt was offered at once; what was offered later, in the middle of it.
STEERED_AFTER_S = 0.3
KEPT = 300
# How the page describes commands, taps, choices and forms.
BY_THE_SERVER = ("/", "tap: ", "choice: ", "form: ")


@dataclass(frozen=True, slots=True)
class PageAction:
    """An action of a person on the page. `event_id` is None when the platform does not tell the bot about it."""

    event_id: str | None
    chat: SceneChat
    who: str
    what: str
    message_id: str
    at: float


class MessageLifecycles:
    """The journals of all channels beside the actions on the page; `recorded` counts the actions."""

    def __init__(self, scene: Scene, pid_at: Callable[[str, float | None], int | None]) -> None:
        """`pid_at` returns the process of a channel that ran at a time."""
        self._scene, self._pid_at = scene, pid_at
        self._stores = {channel: Store.open_read_only(scene.state_dir(channel) / "channel.db") for channel in CHANNELS}
        self._actions: dict[str, list[PageAction]] = {channel: [] for channel in CHANNELS}
        # Actions that a server answered with a form at once, without a line in its journal.
        self._answered: deque[str] = deque(maxlen=KEPT)
        self.recorded = 0

    def close(self) -> None:
        """Close the stores."""
        for store in self._stores.values():
            store.close()

    def record(self, action: PageAction) -> None:
        """Add an action that has just happened."""
        self.recorded += 1
        actions = self._actions[action.chat.platform]
        actions.append(action)
        del actions[:-KEPT]

    def record_answer(self, event_id: str | None) -> None:
        """Record that the server answered an action without journalling it."""
        if event_id is not None:
            self.recorded += 1
            self._answered.append(event_id)

    def version(self) -> tuple[int, ...]:
        """Return a value that changes whenever a channel server or the command line writes."""
        return tuple(store.revision() for store in self._stores.values())

    def paired(self, channel: str) -> set[str]:
        """Return the ids of the paired people."""
        return {member.user_id for member in Services.of(self._stores[channel]).access.members()}

    def as_list(self) -> list[dict[str, Any]]:
        """Return every lifecycle and turn as the page shows it, oldest first."""
        found = [one for channel in CHANNELS for part in (self._of, self._turns) for one in part(channel)]
        return sorted(found, key=lambda lifecycle: lifecycle["at"])

    # --- inside

    def _of(self, channel: str) -> Iterator[dict[str, Any]]:
        inbox = Services.of(self._stores[channel]).inbox
        rows = {row["event_id"]: row for row in inbox.newest(only_open=False, limit=ROWS)}
        actions = self._actions[channel]
        dropped = inbox.dropped([action.event_id for action in actions if action.event_id not in rows])
        for action in actions:
            row = rows.pop(action.event_id or "", None)
            if row is not None:
                yield self._journalled(channel, row, action)
            else:
                yield self._ended(channel, action, dropped=action.event_id in dropped)
        for row in rows.values():
            # From outside the page, such as curl.
            yield self._journalled(channel, row, None)

    def _ended(self, channel: str, action: PageAction, *, dropped: bool) -> dict[str, Any]:
        """Return the life of an action that is not in the journal, or is there without being for the agent."""
        state = "unheard" if action.event_id is None else "dropped" if dropped else "waiting"
        # The server answers these itself, whatever it answers.
        if action.event_id in self._answered or (dropped and action.what.startswith(BY_THE_SERVER)):
            state = "handled"
        return {
            "id": f"{channel}/{action.event_id or action.message_id}",
            "chat": action.chat.key,
            "who": action.who,
            "what": action.what,
            "message": action.message_id,
            "at": action.at,
            "state": state,
            "offers": 0,
            "stages": [{"name": "received", "at": action.at, "by": channel}],
        }

    def _journalled(self, channel: str, row: Row, action: PageAction | None) -> dict[str, Any]:
        meta = json.loads(row["meta"] or "{}")
        at = action.at if action else row["received_at"]
        stages: list[dict[str, Any]] = [{"name": "received", "at": at, "by": channel}]
        for name, column in (("journalled", "received_at"), ("offered", "offered_at"), ("answered", "answered_at")):
            if row[column]:
                stages.append({"name": name, "at": row[column], "by": self._pid_at(channel, row[column])})
        button = f"tap: {meta['button_label']}" if meta.get("button") == "true" else ""
        return {
            "id": f"{channel}/{row['event_id']}",
            "chat": action.chat.key if action else self._chat_key(channel, row["chat_id"]),
            "who": action.who if action else meta.get("user", ""),
            "what": action.what if action else button or row["content"] or "",
            "message": action.message_id if action else row["message_id"],
            "at": at,
            # Commands and permissions: no agent was asked, so no agent answered.
            "state": "handled" if row["state"] == State.ANSWERED and not row["answered_at"] else row["state"],
            "offers": row["offers"],
            "stages": stages,
        }

    def _turns(self, channel: str) -> Iterator[dict[str, Any]]:
        """Yield the turns in which a tool was used, in each of their chats."""
        services = Services.of(self._stores[channel])
        rows = services.inbox.newest(only_open=False, limit=ROWS)
        for turn in services.turns.newest(TURNS):
            for chat_id in {place.chat_id for place in turn.places} if turn.detail.steps else ():
                steered = [
                    {"name": "steered", "at": row["offered_at"], "by": row["content"] or ""}
                    for row in rows
                    if row["chat_id"] == chat_id
                    and turn.began_at + STEERED_AFTER_S < (row["offered_at"] or 0) <= (turn.ended_at or time.time())
                ]
                yield {
                    **_turn(turn, steered),
                    "id": f"{channel}/turn {turn.id}",
                    "chat": self._chat_key(channel, chat_id),
                }

    def _chat_key(self, channel: str, chat_id: str | None) -> str:
        # A thread of Discord is a chat of its own, which the page shows in its channel.
        thread = self._scene.dc.state.channels.get(int(chat_id)) if channel == "discord" and chat_id else None
        if thread is not None and thread.is_thread and thread.parent is not None:
            chat_id = str(thread.parent.id)
        chats = (chat for chat in self._scene.chats if chat.platform == channel)
        return next((chat.key for chat in chats if chat.chat_id == chat_id), "")


def _turn(turn: Turn, steered: list[dict[str, Any]]) -> dict[str, Any]:
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
