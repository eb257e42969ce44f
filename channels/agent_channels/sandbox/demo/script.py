"""The script of the demo: the person's messages, and the agent's answer to each event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent_channels.sandbox.agent.host import ChannelEvent, ToolCall
from agent_channels.sandbox.telegram.images import image_size

__all__ = ["HANDLE", "MESSAGES", "NAME", "PLAN", "STEERED", "decide"]

HANDLE, NAME = "ann", "Ann"

MESSAGES = {
    "hello": "Hello, is anybody there?",
    "ship": "Is 4.2 ready to go out?",
    "progress": "How far is it?",
    "changelog": "Then get the changelog ready",
    "typed": "publish",
    "photo": "The start page looks odd",
    "work": "Fix the tests",
    "steer": "Leave the changelog alone",
    "stop": "/stop",
}
ANSWERS: dict[str, dict[str, Any]] = {
    MESSAGES["hello"]: {"text": "Hello! I am the coding agent of this project. What shall I do?"},
    MESSAGES["ship"]: {
        "text": "<b>Every test passes.</b> Deploy 4.2 to production?",
        "format": "html",
        "buttons": [["Approve", "Reject"], ["Later"]],
    },
    MESSAGES["progress"]: {"text": "Done: 4.2 is live on all three machines."},
    MESSAGES["changelog"]: {"text": "It is written. Publish it?", "buttons": [["Publish", "Not yet"]]},
}
PLAN = ("Find out which tests fail", "Correct the rounding")
STEERED = "I leave the changelog alone."
BUTTON_ANSWERS = {"Approve": "Good, deploying 4.2 now.", "Publish": "Published."}


def decide(event: ChannelEvent) -> ToolCall | None:
    """Return the agent's reply to an event, None while it is still working on it."""
    chat = {"chat_id": event.meta["chat_id"]}
    if event.meta.get("button") == "true":
        return ToolCall("reply", {**chat, "text": BUTTON_ANSWERS.get(event.meta["button_value"], "Noted.")})
    if "image_path" in event.meta:
        return ToolCall("reply", {**chat, "text": _describe(Path(event.meta["image_path"]))})
    if event.content == MESSAGES["progress"] and "redelivered" not in event.meta:
        # Long work: the server is killed before the agent is done.
        return None
    return ToolCall("reply", {**chat, **ANSWERS.get(event.content, {"text": "I did not understand that."})})


def _describe(path: Path) -> str:
    data = path.read_bytes()
    size = image_size(data)
    pixels = f"{size[0]} x {size[1]} pixels" if size else "a file that is not a picture"
    return f"I see the picture ({pixels}, {len(data):,} bytes). Looking into it."
