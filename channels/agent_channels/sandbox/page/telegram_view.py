"""A Telegram chat as the chat page draws it: plain values, taken from what the sandbox shows its people."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.page.scene import SceneChat
from agent_channels.sandbox.telegram.records import Message
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

__all__ = ["chat_view", "picture"]

SHOWN = 120
TYPING_S = 5.0
_FILES = ("photo", "document", "audio", "voice", "video", "video_note", "animation", "sticker")


def chat_view(tg: TelegramSandbox, place: SceneChat) -> dict[str, Any]:
    """{messages, typing}: the newest messages, oldest first; whether the bot shows that it writes."""
    chat = tg.state.chats[int(place.chat_id)]
    shown = [_message(chat.reactions, one) for one in chat.shown()[-SHOWN:]]
    last = max((at for at, _, _ in chat.actions), default=0.0)
    said = max((one["at"] for one in shown if one["bot"]), default=0.0)
    # The message's time has whole seconds: a bot that has just written is not writing.
    typing = tg.state.now() - last < TYPING_S and int(last) > said
    return {"messages": shown, "typing": typing}


def picture(tg: TelegramSandbox, file_id: str) -> bytes | None:
    """The bytes of a file; None when there is none."""
    stored = tg.state.files.by_id.get(file_id)
    return stored.data if stored else None


def _message(reactions: dict[int, Any], message: Message) -> dict[str, Any]:
    sender = message["from"]
    text = "text" if "text" in message else "caption"
    entities = message.get("entities" if text == "text" else "caption_entities", [])
    made: dict[str, Any] = {
        "id": str(message["message_id"]),
        "by": sender.get("username") or str(sender["id"]),
        "name": sender["first_name"],
        "bot": sender["is_bot"],
        "at": message["date"],
        "text": message.get(text, ""),
        "entities": entities,
        "edited": "edit_date" in message,
        "files": _files(message),
        "grid": _grid(message),
        "service": _service(message),
    }
    by_user = reactions.get(message["message_id"], {})
    made["reactions"] = [one["emoji"] for own in by_user.values() for one in own]
    if replied := message.get("reply_to_message"):
        quoted = replied.get("text") or replied.get("caption") or "picture"
        made["reply"] = {"name": replied["from"]["first_name"], "text": quoted[:120]}
    if sender["is_bot"]:
        made["code"] = _code(made["text"], entities)
    return made


def _files(message: Message) -> list[dict[str, Any]]:
    for kind in _FILES:
        if kind not in message:
            continue
        found = message[kind][-1] if kind == "photo" else message[kind]
        name = found.get("file_name") or kind.replace("_", " ")
        made = {"name": name, "size": found.get("file_size", 0), "url": f"/file/telegram/{found['file_id']}"}
        if kind == "photo":
            made |= {"picture": True, "width": found["width"], "height": found["height"]}
        return [made]
    return []


def _grid(message: Message) -> list[list[dict[str, Any]]]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [[{"label": key["text"], "style": key.get("style"), "url": key.get("url")} for key in row] for row in rows]


def _service(message: Message) -> str:
    if joined := message.get("new_chat_members"):
        return f"{', '.join(one['first_name'] for one in joined)} joined"
    return ""


def _code(text: str, entities: list[dict[str, Any]]) -> str | None:
    """What the bot shows as code: a pairing code, where there is one."""
    units = text.encode("utf-16-le")
    for one in entities:
        if one["type"] == "code":
            return units[2 * one["offset"] : 2 * (one["offset"] + one["length"])].decode("utf-16-le")
    return None
