"""Updates as the Bot API sends them, with as much of them given as a test is about."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.core.contract.messages import Identity

__all__ = ["ANN", "BOB", "BOT", "GROUP", "ME", "entity", "forum", "message", "reply", "update"]

ME = Identity("8123456789", "sample_bot", "Sample")
ANN = {"id": 7, "is_bot": False, "first_name": "Ann", "last_name": "Smith", "username": "ann", "language_code": "en"}
BOB = {"id": 8, "is_bot": False, "first_name": "Bob", "username": "bob"}
BOT = {"id": 8123456789, "is_bot": True, "first_name": "Sample", "username": "sample_bot"}
DIRECT = {"id": 7, "type": "private", "first_name": "Ann", "username": "ann"}
GROUP = {"id": -100, "type": "supergroup", "title": "Team"}


def update(kind: str, body: dict[str, Any]) -> str:
    """An update's JSON text."""
    return json.dumps({"update_id": 1, kind: body})


def message(**body: Any) -> dict[str, Any]:
    """A message of Ann's in her direct chat, unless `body` says otherwise; None leaves a field out."""
    whole = {"message_id": 5, "date": 1_785_580_245, "chat": DIRECT, "from": ANN, **body}
    return {key: value for key, value in whole.items() if value is not None}


def forum(**body: Any) -> dict[str, Any]:
    """What a message in a group with topics has."""
    return {"chat": {**GROUP, "is_forum": True}, **body}


def reply(text: str | None, *, sender: dict[str, Any] = BOB) -> dict[str, Any]:
    """The message that is replied to."""
    return message(message_id=4, text=text, **{"from": sender})


def entity(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    """An entity; offset and length in UTF-16 units."""
    return {"type": kind, "offset": offset, "length": length, **more}
