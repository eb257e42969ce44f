"""The life of each message: received by the platform, journalled, offered, answered; when, and by which process.

What the channel servers did is read from their stores, through a connection that cannot write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agent_channels.core.services import Services
from agent_channels.core.store.database import Row, Store
from agent_channels.sandbox.page.scene import Scene, SceneChat

__all__ = ["MessageLifecycles", "ShownMessage"]

ROWS = 150
KEPT = 300


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """Something a person did on the page. `event_id` None: the platform does not tell the bot of it."""

    event_id: str | None
    place: SceneChat
    who: str
    what: str
    message_id: str
    at: float


class MessageLifecycles:
    """The journals of all channels, beside what was done on the page; `noted` counts that."""

    def __init__(self, scene: Scene, pid_at: Callable[[str, float | None], int | None]) -> None:
        """`pid_at`: the process of a channel that lived at a time."""
        self._scene, self._pid_at = scene, pid_at
        self._stores = {channel: Store.open_read_only(scene.state_dir(channel)) for channel in scene.channels}
        self._said: dict[str, list[ShownMessage]] = {channel: [] for channel in scene.channels}
        self.noted = 0

    def close(self) -> None:
        """Closes the stores."""
        for store in self._stores.values():
            store.close()

    def note(self, said: ShownMessage) -> None:
        """Somebody did something on the page just now."""
        self.noted += 1
        said_there = self._said[said.place.platform]
        said_there.append(said)
        del said_there[:-KEPT]

    def version(self) -> tuple[int, ...]:
        """Another value whenever a channel server, or the command line, has written."""
        return tuple(store.revision() for store in self._stores.values())

    def paired(self, channel: str) -> set[str]:
        """The ids of the people who are let in."""
        return {member.user_id for member in Services.of(self._stores[channel]).access.members()}

    def shown(self) -> list[dict[str, Any]]:
        """Every life, oldest first."""
        found = [life for channel in self._scene.channels for life in self._of(channel)]
        return sorted(found, key=lambda life: life["at"])

    # --- inside

    def _of(self, channel: str) -> Iterator[dict[str, Any]]:
        inbox = Services.of(self._stores[channel]).inbox
        rows = {row["event_id"]: row for row in inbox.newest(only_open=False, limit=ROWS)}
        dropped = inbox.dropped([one.event_id for one in self._said[channel] if one.event_id not in rows])
        for one in self._said[channel]:
            row = rows.pop(one.event_id or "", None)
            if row is not None:
                yield self._journalled(channel, row, one)
            else:
                yield self._alone(channel, one, dropped=one.event_id in dropped)
        for row in rows.values():
            # Said by other means than the page, such as curl.
            yield self._journalled(channel, row, None)

    def _alone(self, channel: str, one: ShownMessage, *, dropped: bool) -> dict[str, Any]:
        state = "unheard" if one.event_id is None else "dropped" if dropped else "waiting"
        received = {"name": "received", "at": one.at, "by": channel}
        about = {"id": f"{channel}/{one.event_id or one.message_id}", "chat": one.place.key, "who": one.who}
        return {**about, "what": one.what, "message": one.message_id, "at": one.at, "state": state, "offers": 0,
                "stages": [received]}  # fmt: skip

    def _journalled(self, channel: str, row: Row, one: ShownMessage | None) -> dict[str, Any]:
        meta = json.loads(row["meta"] or "{}")
        at = one.at if one else row["received_at"]
        stages: list[dict[str, Any]] = [
            {"name": "received", "at": at, "by": channel},
            {"name": "journalled", "at": row["received_at"], "by": self._pid_at(channel, row["received_at"])},
        ]
        if row["offered_at"]:
            by = self._pid_at(channel, row["offered_at"])
            stages.append({"name": "offered", "at": row["offered_at"], "by": by, "mode": row["mode"]})
        if row["answered_at"]:
            by = self._pid_at(channel, row["answered_at"])
            stages.append({"name": "answered", "at": row["answered_at"], "by": by})
        button = f"tap: {meta['button_label']}" if meta.get("button") == "true" else ""
        return {
            "id": f"{channel}/{row['event_id']}",
            "chat": one.place.key if one else self._chat(channel, row["chat_id"]),
            "who": one.who if one else meta.get("user", ""),
            "what": one.what if one else button or row["content"] or "",
            "message": one.message_id if one else row["message_id"],
            "at": at,
            "state": row["state"],
            "offers": row["offers"],
            "delivery": row["delivery_id"],
            "stages": stages,
        }

    def _chat(self, channel: str, chat_id: str | None) -> str:
        places = (place for place in self._scene.places if place.platform == channel)
        return next((place.key for place in places if place.chat_id == chat_id), "")
