"""A Telegram chat as the chat page draws it: plain values of what people see there."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.page.scene import SceneChat
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.records import Message
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.sandbox.telegram.utf16 import entity_text

__all__ = ["chat_view", "file_data"]

NEWEST = 120
TYPING_S = 5.0


def chat_view(tg: TelegramSandbox, chat: SceneChat) -> dict[str, Any]:
    """Return {messages, typing}: the newest messages, oldest first, and whether the bot is typing."""
    record = tg.state.chats[int(chat.chat_id)]
    messages = [_message(record.reactions, message) for message in record.current_messages()[-NEWEST:]]
    last_typing = max((at for at, _, _ in record.actions), default=0.0)
    last_message = max((message["at"] for message in messages if message["bot"]), default=0.0)
    # A message's time has whole seconds; typing ends with the message that follows it.
    typing = tg.state.now() - last_typing < TYPING_S and int(last_typing) > last_message
    return {"messages": messages, "typing": typing}


def file_data(tg: TelegramSandbox, file_id: str) -> bytes | None:
    """Return the bytes of a file, None for an unknown id."""
    stored = tg.state.files.by_id.get(file_id)
    return stored.data if stored else None


def _message(reactions: dict[int, Any], message: Message) -> dict[str, Any]:
    sender = message["from"]
    is_text = "text" in message
    text = message.get("text" if is_text else "caption", "")
    entities = message.get("entities" if is_text else "caption_entities", [])
    by_user = reactions.get(message["message_id"], {})
    made: dict[str, Any] = {
        "id": str(message["message_id"]),
        "by": sender.get("username") or str(sender["id"]),
        "name": sender["first_name"],
        "bot": sender["is_bot"],
        "at": message["date"],
        "text": text,
        "entities": entities,
        "edited": "edit_date" in message,
        "files": _files(message),
        "grid": _grid(message),
        "service": _service(message),
        "reactions": [reaction["emoji"] for own in by_user.values() for reaction in own],
    }
    if replied := message.get("reply_to_message"):
        quoted = replied.get("text") or replied.get("caption") or "picture"
        made["reply"] = {"name": replied["from"]["first_name"], "text": quoted[:120]}
    if sender["is_bot"]:
        # A pairing code, where there is one, is what the bot formats as code.
        made["code"] = next((entity_text(text, entity) for entity in entities if entity["type"] == "code"), None)
    return made


def _files(message: Message) -> list[dict[str, Any]]:
    for kind in MEDIA:
        if kind not in message:
            continue
        file = message[kind][-1] if kind == "photo" else message[kind]
        name = file.get("file_name") or kind.replace("_", " ")
        made = {"name": name, "size": file.get("file_size", 0), "url": f"file/telegram/{file['file_id']}"}
        if kind == "photo":
            made |= {"picture": True, "width": file["width"], "height": file["height"]}
        return [made]
    return []


def _grid(message: Message) -> list[list[dict[str, Any]]]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [[{"label": key["text"], "style": key.get("style"), "url": key.get("url")} for key in row] for row in rows]


def _service(message: Message) -> str:
    if joined := message.get("new_chat_members"):
        return f"{', '.join(user['first_name'] for user in joined)} joined"
    return ""
