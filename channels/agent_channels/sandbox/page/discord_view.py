"""A Discord channel as the chat page draws it: plain values of what people see there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent_channels.sandbox.discord.components import BUTTON, SELECT
from agent_channels.sandbox.discord.records import GuildChannel, Message
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.page.scene import SceneChat

__all__ = ["chat_view", "file_data"]

NEWEST = 120
TYPING_S = 10.0
STYLES = {1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: None}


def chat_view(dc: DiscordSandbox, chat: SceneChat) -> dict[str, Any]:
    """Return {messages, typing, topics}: the newest messages of a channel and its threads, oldest first, and where the
    bot is typing.

    An ephemeral message has the handle of its reader in `only`. A thread's messages have its id in `topic`. `topics` is
    None in a direct chat, else {list, creates}: what can be created there, and the threads, oldest first.
    """
    channel = dc.state.channels[int(chat.chat_id)]
    threads = [one for one in dc.state.channels.values() if one.parent is channel and one.is_thread]
    messages: list[dict[str, Any]] = []
    typing = []
    for place in (channel, *threads):
        shown = _messages(dc, place, "" if place is channel else str(place.id))
        messages += shown
        last_typing = max((at for at, user_id in place.typing if user_id == dc.bot_id), default=0.0)
        last_message = max((message["at"] for message in shown if message["bot"]), default=0.0)
        if dc.state.now() - last_typing < TYPING_S and last_typing > last_message:
            typing.append("" if place is channel else str(place.id))
    messages.sort(key=lambda message: int(message["id"]))
    found = [
        {"id": str(one.id), "name": one.name, "icon": "#", "closed": one.locked, "archived": one.archived}
        for one in threads
    ]
    topics = {"list": found, "creates": "thread"} if channel.guild is not None else None
    return {"messages": messages, "typing": typing, "topics": topics}


def _messages(dc: DiscordSandbox, place: GuildChannel, topic: str) -> list[dict[str, Any]]:
    made = [_shown(dc, message) for message in dc.state.current_messages(place)[-NEWEST:]]
    for ephemeral in dc.state.ephemerals.values():
        if ephemeral.channel is place:
            rendered = dc.state.render(place, ephemeral.message)
            made.append({**_message(dc, rendered), "only": dc.state.users[ephemeral.user_id].username})
    return [{**message, "topic": topic} for message in made]


def _shown(dc: DiscordSandbox, message: Message) -> dict[str, Any]:
    """Return a message, or what the client shows in its place."""
    match message:
        case {"type": 18, "content": str(name), "message_reference": {"channel_id": str(thread_id)}}:
            opens = {"id": thread_id, "name": name}
            return {**_message(dc, message), "service": f"{_name(message['author'])} started a thread.", "opens": opens}
        case {"type": 21, "referenced_message": dict(starter)}:
            return {**_message(dc, starter), "opens": None}
        case {"type": 21}:
            return {**_message(dc, message), "service": "The message of this thread is gone."}
    return _message(dc, message)


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
        "names": _names(dc),
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
    if thread := message.get("thread"):
        made["opens"] = {"id": thread["id"], "name": thread["name"]}
    if replied := message.get("referenced_message"):
        made["reply"] = {"name": _name(replied["author"]), "text": replied["content"][:120] or "picture"}
    return made


def _names(dc: DiscordSandbox) -> dict[str, str]:
    """Return the names of all people, channels and roles by id."""
    names = {str(user.id): user.global_name or user.username for user in dc.state.users.values()}
    names |= {str(channel.id): channel.name for channel in dc.state.channels.values() if channel.name}
    return names | {str(role.id): role.name for guild in dc.state.guilds.values() for role in guild.roles.values()}


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
