"""The lifecycle of each message: received by the platform, journalled, offered, answered; when, and by which process.

Beside it the turns in which the agent works: what runs, when it was steered or asked to stop, and how it ended.

The channel servers' part is read from their stores, over a read-only connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agent_channels.core.services import Services
from agent_channels.core.store.database import Row, Store
from agent_channels.page.lives import message_life, turns_with_steps
from agent_channels.sandbox.page.scene import CHANNELS, Scene, SceneChat

__all__ = ["MessageLifecycles", "PageAction"]

ROWS = 150
TURNS = 40
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
        life = message_life(row)
        if action is not None:
            life |= {"who": action.who, "what": action.what, "message": action.message_id, "at": action.at}
        stages: list[dict[str, Any]] = [{"name": "received", "at": life["at"], "by": channel}]
        for name, column in (("journalled", "received_at"), ("offered", "offered_at"), ("answered", "answered_at")):
            if row[column]:
                stages.append({"name": name, "at": row[column], "by": self._pid_at(channel, row[column])})
        return {
            **life,
            "id": f"{channel}/{row['event_id']}",
            "chat": action.chat.key if action else self._chat_key(channel, row["chat_id"]),
            "stages": stages,
        }

    def _turns(self, channel: str) -> Iterator[dict[str, Any]]:
        """Yield the turns in which a tool was used, in each of their chats."""
        services = Services.of(self._stores[channel])
        rows = services.inbox.newest(only_open=False, limit=ROWS)
        for turn, chat_id, life in turns_with_steps(services.turns.newest(TURNS), rows):
            yield {**life, "id": f"{channel}/turn {turn.id}", "chat": self._chat_key(channel, chat_id)}

    def _chat_key(self, channel: str, chat_id: str | None) -> str:
        # A thread of Discord is a chat of its own, which the page shows in its channel.
        thread = self._scene.dc.state.channels.get(int(chat_id)) if channel == "discord" and chat_id else None
        if thread is not None and thread.is_thread and thread.parent is not None:
            chat_id = str(thread.parent.id)
        chats = (chat for chat in self._scene.chats if chat.platform == channel)
        return next((chat.key for chat in chats if chat.chat_id == chat_id), "")
