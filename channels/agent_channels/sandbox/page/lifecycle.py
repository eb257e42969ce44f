"""The lifecycle of each message: received by the platform, journalled, offered, answered; when, and by which process.

Beside it the turns in which the agent works: what runs, when it was steered or asked to stop, and how it ended.

The channel servers' part is read from their stores, over a read-only connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.services import Services
from agent_channels.core.store.database import Row, Store
from agent_channels.page.lives import message_life, turns_with_steps
from agent_channels.sandbox.page.scene import CHANNELS, Scene, SceneChat, SceneServer
from agent_channels.sandbox.page.shared_events import RoutedTo, SharedEvents

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
        """`pid_at` returns the process of a server, by its key, that ran at a time."""
        self._scene, self._pid_at = scene, pid_at
        self._stores = {one.key: Store.open_read_only(one.state_dir / "channel.db") for one in scene.servers}
        self._hub = SharedEvents(scene) if scene.is_shared else None
        self._actions: dict[str, list[PageAction]] = {channel: [] for channel in CHANNELS}
        # Actions that a server answered with a form at once, without a line in its journal.
        self._answered: deque[str] = deque(maxlen=KEPT)
        self.recorded = 0

    def close(self) -> None:
        """Close the stores."""
        for store in self._stores.values():
            store.close()
        if self._hub is not None:
            self._hub.close()

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
        return (*(store.revision() for store in self._stores.values()), self._hub.revision() if self._hub else 0)

    def paired(self, channel: str) -> set[str]:
        """Return the ids of the people who are paired with any server of a channel."""
        servers = [server for server in self._scene.servers if server.channel == channel]
        stores = (self._stores[server.key] for server in servers)
        return {member.user_id for store in stores for member in Services.of(store).access.members()}

    def all_joined(self) -> bool:
        """Return whether every project that shares the bot is known to its hub."""
        return self._hub is None or self._hub.projects() == len(self._scene.servers)

    def works(self, key: str) -> bool:
        """Return whether the agent of a server, by its key, is in the middle of a turn."""
        return bool(Services.of(self._stores[key]).turns.running())

    def as_list(self) -> list[dict[str, Any]]:
        """Return every lifecycle and turn as the page shows it, oldest first."""
        found = [one for channel in CHANNELS for one in self._of(channel)]
        found += [one for server in self._scene.servers for one in self._turns(server)]
        return sorted(found, key=lambda lifecycle: lifecycle["at"])

    # --- inside

    def _of(self, channel: str) -> Iterator[dict[str, Any]]:
        # Before the journals are read: a server confirms only what is in its own.
        confirmed = self._scene.tg.confirmed if channel == "telegram" and self._hub is None else None
        actions, left = self._actions[channel], list[PageAction]()
        journals = [(one, self._inbox(one)) for one in self._scene.servers if one.channel == channel]
        rows = {
            (server.key, row["event_id"]): (server, row)
            for server, inbox in journals
            for row in inbox.newest(only_open=False, limit=ROWS)
        }
        for action in actions:
            found = [rows.pop((server.key, action.event_id or ""), None) for server, _ in journals]
            if not any(found):
                left.append(action)
            for server, row in filter(None, found):
                yield self._journalled(server, row, action)
        dropped = {one for _, inbox in journals for one in inbox.dropped([action.event_id for action in left])}
        routed = self._hub.routed() if self._hub else {}
        for action in left:
            known = routed.get(action.event_id or "")
            life = self._ended(channel, action, known, dropped=action.event_id in dropped)
            # Only Telegram's ids are numbers, in their order.
            taken = confirmed is not None and life["state"] == "waiting" and int(action.event_id or 0) <= confirmed
            yield {**life, "state": "elsewhere"} if taken else life
        for server, row in rows.values():
            # From outside the page, such as curl.
            yield self._journalled(server, row, None)

    def _inbox(self, server: SceneServer) -> Inbox:
        return Services.of(self._stores[server.key]).inbox

    def _ended(self, channel: str, action: PageAction, routed: RoutedTo | None, *, dropped: bool) -> dict[str, Any]:
        """Return the life of an action that is not in the journal, or is there without being for the agent."""
        state = "unheard" if action.event_id is None else "dropped" if dropped else "waiting"
        # The server answers these itself, whatever it answers.
        if action.event_id in self._answered or (dropped and action.what.startswith(BY_THE_SERVER)):
            state = "handled"
        stages: list[dict[str, Any]] = [{"name": "received", "at": action.at, "by": channel}]
        if routed is not None and state == "waiting":
            state = routed.state
            if routed.project:
                stages.append({"name": "routed", "at": routed.at, "note": f"to {routed.project}"})
        return {
            "id": f"{channel}/{action.event_id or action.message_id}",
            "chat": action.chat.key,
            "who": action.who,
            "what": action.what,
            "message": action.message_id,
            "at": action.at,
            "state": state,
            "project": routed.project if routed else "",
            "offers": 0,
            "stages": stages,
        }

    def _journalled(self, server: SceneServer, row: Row, action: PageAction | None) -> dict[str, Any]:
        life = message_life(row)
        if action is not None:
            life |= {"who": action.who, "what": action.what, "message": action.message_id, "at": action.at}
        stages: list[dict[str, Any]] = [{"name": "received", "at": life["at"], "by": server.channel}]
        for name, column in (("journalled", "received_at"), ("offered", "offered_at"), ("answered", "answered_at")):
            if row[column]:
                stages.append({"name": name, "at": row[column], "by": self._pid_at(server.key, row[column])})
        return {
            **life,
            "id": f"{server.key}/{row['event_id']}",
            "chat": action.chat.key if action else self._chat_key(server.channel, row["chat_id"]),
            "project": server.project,
            "stages": stages,
        }

    def _turns(self, server: SceneServer) -> Iterator[dict[str, Any]]:
        """Yield the turns in which a tool was used, in each of their chats."""
        services = Services.of(self._stores[server.key])
        rows = services.inbox.newest(only_open=False, limit=ROWS)
        for turn, chat_id, life in turns_with_steps(services.turns.newest(TURNS), rows):
            chat = self._chat_key(server.channel, chat_id)
            yield {**life, "id": f"{server.key}/turn {turn.id}", "chat": chat, "project": server.project}

    def _chat_key(self, channel: str, chat_id: str | None) -> str:
        # A thread of Discord is a chat of its own, which the page shows in its channel.
        thread = self._scene.dc.state.channels.get(int(chat_id)) if channel == "discord" and chat_id else None
        if thread is not None and thread.is_thread and thread.parent is not None:
            chat_id = str(thread.parent.id)
        chats = (chat for chat in self._scene.chats if chat.platform == channel)
        return next((chat.key for chat in chats if chat.chat_id == chat_id), "")
