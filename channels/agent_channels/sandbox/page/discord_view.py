"""A Discord channel as the chat page draws it: plain values, taken from what the sandbox shows its people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent_channels.sandbox.discord.components import BUTTON, SELECT
from agent_channels.sandbox.discord.records import Message
from agent_channels.sandbox.discord.render import render
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.page.scene import SceneChat

__all__ = ["chat_view", "picture"]

SHOWN = 120
TYPING_S = 10.0
_STYLES = {1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: None}


def chat_view(dc: DiscordSandbox, place: SceneChat) -> dict[str, Any]:
    """{messages, typing}: the newest messages, oldest first; whether the bot shows that it writes.

    A message for one person's eyes only has their handle in `only`.
    """
    channel = dc.state.channels[int(place.chat_id)]
    shown = [_message(dc, one) for one in dc.messages(int(place.chat_id))[-SHOWN:]]
    for hidden in dc.state.ephemerals.values():
        if hidden.channel is channel:
            message = render(dc.state, channel, hidden.message)
            shown.append({**_message(dc, message), "only": dc.state.users[hidden.user_id].username})
    shown.sort(key=lambda one: int(one["id"]))
    last = max(dc.typing(int(place.chat_id)), default=0.0)
    said = max((one["at"] for one in shown if one["bot"]), default=0.0)
    return {"messages": shown, "typing": dc.state.now() - last < TYPING_S and last > said}


def picture(dc: DiscordSandbox, file_id: str) -> bytes | None:
    """The bytes of an attachment; None when there is none."""
    stored = dc.state.files.by_id.get(int(file_id)) if file_id.isdecimal() else None
    return stored.data if stored else None


def _message(dc: DiscordSandbox, message: Message) -> dict[str, Any]:
    author = message["author"]
    made: dict[str, Any] = {
        "id": message["id"],
        "by": author["username"],
        "name": _name(author),
        "bot": bool(author.get("bot")),
        "at": datetime.fromisoformat(message["timestamp"]).timestamp(),
        "text": message["content"],
        "names": {str(user.id): user.global_name or user.username for user in dc.state.users.values()},
        "edited": bool(message["edited_timestamp"]),
        "files": [_file(one) for one in message["attachments"]],
        # A row with a menu stays, empty: buttons are tapped by row and column.
        "grid": [_buttons(row) for row in message["components"]],
        "menus": [_menu(one) for row in message["components"] for one in row["components"] if one["type"] == SELECT],
        "reactions": [one["emoji"]["name"] for one in message.get("reactions", ()) for _ in range(one["count"])],
        "service": "",
    }
    if replied := message.get("referenced_message"):
        made["reply"] = {"name": _name(replied["author"]), "text": replied["content"][:120] or "picture"}
    return made


def _name(user: dict[str, Any]) -> str:
    return str(user.get("global_name") or ("Your agent" if user.get("bot") else user["username"]))


def _file(one: dict[str, Any]) -> dict[str, Any]:
    made = {"name": one["filename"], "size": one["size"], "url": f"/file/discord/{one['id']}"}
    if str(one.get("content_type", "")).startswith("image/"):
        made |= {"picture": True, "width": one.get("width"), "height": one.get("height")}
    return made


def _buttons(row: dict[str, Any]) -> list[dict[str, Any]]:
    found = [one for one in row["components"] if one["type"] == BUTTON]
    return [
        {
            "label": one.get("label") or "",
            "style": _STYLES.get(one["style"]),
            "url": one.get("url"),
            "disabled": bool(one.get("disabled")),
        }
        for one in found
    ]


def _menu(one: dict[str, Any]) -> dict[str, Any]:
    options = [{"label": each["label"], "value": each["value"]} for each in one["options"]]
    return {"id": one["custom_id"], "placeholder": one.get("placeholder") or "Choose", "options": options}
