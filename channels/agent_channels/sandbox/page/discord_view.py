"""A Discord channel as the chat page draws it: plain values of what people see there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent_channels.sandbox.discord.components import BUTTON, SELECT
from agent_channels.sandbox.discord.records import Message
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.page.scene import SceneChat

__all__ = ["chat_view", "file_data"]

NEWEST = 120
TYPING_S = 10.0
STYLES = {1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: None}


def chat_view(dc: DiscordSandbox, chat: SceneChat) -> dict[str, Any]:
    """Return {messages, typing}: the newest messages, oldest first, and whether the bot is typing.

    An ephemeral message has the handle of its reader in `only`.
    """
    channel = dc.state.channels[int(chat.chat_id)]
    messages = [_message(dc, message) for message in dc.state.current_messages(channel)[-NEWEST:]]
    for ephemeral in dc.state.ephemerals.values():
        if ephemeral.channel is channel:
            rendered = dc.state.render(channel, ephemeral.message)
            messages.append({**_message(dc, rendered), "only": dc.state.users[ephemeral.user_id].username})
    messages.sort(key=lambda message: int(message["id"]))
    last_typing = max(dc.typing(int(chat.chat_id)), default=0.0)
    last_message = max((message["at"] for message in messages if message["bot"]), default=0.0)
    typing = dc.state.now() - last_typing < TYPING_S and last_typing > last_message
    return {"messages": messages, "typing": typing}


def file_data(dc: DiscordSandbox, file_id: str) -> bytes | None:
    """Return the bytes of an attachment, None for an unknown id."""
    stored = dc.state.files.by_id.get(int(file_id)) if file_id.isdecimal() else None
    return stored.data if stored else None


def _message(dc: DiscordSandbox, message: Message) -> dict[str, Any]:
    author = message["author"]
    components = [component for row in message["components"] for component in row["components"]]
    made: dict[str, Any] = {
        "id": message["id"],
        "by": author["username"],
        "name": _name(author),
        "bot": bool(author.get("bot")),
        "at": datetime.fromisoformat(message["timestamp"]).timestamp(),
        "text": message["content"],
        "names": {str(user.id): user.global_name or user.username for user in dc.state.users.values()},
        "edited": bool(message["edited_timestamp"]),
        "files": [_file(attachment) for attachment in message["attachments"]],
        # A row with a menu stays, empty: buttons are tapped by row and column.
        "grid": [_buttons(row) for row in message["components"]],
        "menus": [_menu(component) for component in components if component["type"] == SELECT],
        "reactions": [
            reaction["emoji"]["name"] for reaction in message.get("reactions", ()) for _ in range(reaction["count"])
        ],
        "service": "",
    }
    if replied := message.get("referenced_message"):
        made["reply"] = {"name": _name(replied["author"]), "text": replied["content"][:120] or "picture"}
    return made


def _name(user: dict[str, Any]) -> str:
    return str(user.get("global_name") or ("Your agent" if user.get("bot") else user["username"]))


def _file(attachment: dict[str, Any]) -> dict[str, Any]:
    url = f"file/discord/{attachment['id']}"
    made = {"name": attachment["filename"], "size": attachment["size"], "url": url}
    if str(attachment.get("content_type", "")).startswith("image/"):
        made |= {"picture": True, "width": attachment.get("width"), "height": attachment.get("height")}
    return made


def _buttons(row: dict[str, Any]) -> list[dict[str, Any]]:
    buttons = [component for component in row["components"] if component["type"] == BUTTON]
    return [
        {
            "label": button.get("label") or "",
            "style": STYLES.get(button["style"]),
            "url": button.get("url"),
            "disabled": bool(button.get("disabled")),
        }
        for button in buttons
    ]


def _menu(menu: dict[str, Any]) -> dict[str, Any]:
    options = [{"label": option["label"], "value": option["value"]} for option in menu["options"]]
    return {"id": menu["custom_id"], "placeholder": menu.get("placeholder") or "Choose", "options": options}
