"""What is said in the demo: the person's lines, and what the scripted agent does about each event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.sandbox.telegram.images import image_size

__all__ = ["HANDLE", "NAME", "SAYS", "ChannelEvent", "ToolCall", "decide"]

HANDLE, NAME = "ann", "Ann"

SAYS = {
    "hello": "Hello, is anybody there?",
    "ship": "Is 4.2 ready to go out?",
    "progress": "How far is it?",
    "changelog": "Then get the changelog ready",
    "typed": "publish",
    "photo": "The start page looks odd",
}


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """A channel notification as the host received it: `content`, and `meta` of strings."""

    content: str
    meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the agent wants called."""

    tool: str
    arguments: dict[str, Any]


def decide(event: ChannelEvent) -> ToolCall | None:
    """What the agent does about an event; None while it is still working on it."""
    chat = {"chat_id": event.meta["chat_id"]}
    if event.meta.get("button") == "true":
        return ToolCall("reply", {**chat, "text": _CHOICES.get(event.meta["button_value"], "Noted.")})
    if "image_path" in event.meta:
        return ToolCall("reply", {**chat, "text": _looked_at(Path(event.meta["image_path"]))})
    if event.content == SAYS["progress"] and "redelivered" not in event.meta:
        # The work takes long; the server will be dead before it is done.
        return None
    return ToolCall("reply", {**chat, **_ANSWERS.get(event.content, {"text": "I did not understand that."})})


_ANSWERS: dict[str, dict[str, Any]] = {
    SAYS["hello"]: {"text": "Hello! I am the coding agent of this project. What shall I do?"},
    SAYS["ship"]: {
        "text": "<b>Every test passes.</b> Deploy 4.2 to production?",
        "format": "html",
        "buttons": [["Approve", "Reject"], ["Later"]],
    },
    SAYS["progress"]: {"text": "Done: 4.2 is live on all three machines."},
    SAYS["changelog"]: {"text": "It is written. Publish it?", "buttons": [["Publish", "Not yet"]]},
}
_CHOICES = {"Approve": "Good, deploying 4.2 now.", "Publish": "Published."}


def _looked_at(path: Path) -> str:
    data = path.read_bytes()
    size = image_size(data)
    shown = f"{size[0]} x {size[1]} pixels" if size else "a file that is no picture"
    return f"I see the picture ({shown}, {len(data):,} bytes). Looking into it."
