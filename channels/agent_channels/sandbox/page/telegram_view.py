"""A Telegram chat as the chat page draws it: plain values of what people see there."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.page.scene import SceneChat
from agent_channels.sandbox.telegram.drafts import shown_drafts
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.records import GENERAL_TOPIC, Draft, Message, TelegramChat
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.sandbox.telegram.utf16 import entity_text

__all__ = ["chat_view", "file_data"]

NEWEST = 120
TYPING_S = 5.0
QUOTED = 120
# The keys of a block, list item or piece of rich text that hold words, in the order in which they are read.
WORDS = ("summary", "text", "expression", "alternative_text", "blocks", "items", "cells", "caption", "credit")
# Deeper than Telegram nests blocks (16) with the text in them.
DEEPEST = 60


def chat_view(tg: TelegramSandbox, chat: SceneChat) -> dict[str, Any]:
    """Return {messages, typing, drafts, topics}: the newest messages, oldest first, the topics in which the bot is
    typing, and what it has not sent yet.

    A message that only one person has names them in `only`. `topics` is None in a chat without any, else {list,
    creates}: what people can create there, and the topics, oldest first.
    """
    record = tg.state.chats[int(chat.chat_id)]
    current = record.current_messages()
    topics = _topics(tg, record, current)
    own = [one.message for one in tg.state.ephemerals.values() if one.chat_id == record.id]
    shown = sorted([*current[-NEWEST:], *own], key=lambda message: float(message["date"]))
    messages = [_message(record, message) for message in shown]
    return {
        "messages": messages,
        "typing": _typing(tg, record, messages),
        "drafts": [_draft(record, draft) for draft in shown_drafts(tg.state, record)],
        "topics": topics,
    }


def file_data(tg: TelegramSandbox, file_id: str) -> bytes | None:
    """Return the bytes of a file, None for an unknown id."""
    stored = tg.state.files.by_id.get(file_id)
    return stored.data if stored else None


def _draft(record: TelegramChat, draft: Draft) -> dict[str, Any]:
    topic = _topic_id(record, draft.thread_id)
    return {"id": str(draft.id), "text": draft.text, "can_stop": draft.can_stop, "topic": topic}


def _typing(tg: TelegramSandbox, record: TelegramChat, messages: list[dict[str, Any]]) -> list[str]:
    found = []
    for topic in {_topic_id(record, thread) for _, _, thread in record.actions}:
        last_typing = max(at for at, _, thread in record.actions if _topic_id(record, thread) == topic)
        sent = (message["at"] for message in messages if message["bot"] and message["topic"] == topic)
        # A message's time has whole seconds; typing ends with the message that follows it.
        if tg.state.now() - last_typing < TYPING_S and int(last_typing) > max(sent, default=0.0):
            found.append(topic)
    return found


def _topic_id(record: TelegramChat, thread_id: int | None) -> str:
    return str(thread_id or (GENERAL_TOPIC if record.is_forum else ""))


def _topics(tg: TelegramSandbox, record: TelegramChat, messages: list[Message]) -> dict[str, Any] | None:
    """Return the topics that service messages tell of, and General."""
    found: dict[int, dict[str, Any]] = {}
    if record.is_forum:
        found[GENERAL_TOPIC] = {"id": str(GENERAL_TOPIC), "name": "General", "icon": "#"}
    for message in messages:
        thread_id = message.get("message_thread_id", 0)
        if created := message.get("forum_topic_created"):
            found[thread_id] = {"id": str(thread_id), "name": created["name"], "color": created.get("icon_color")}
        if thread_id in found:
            found[thread_id]["name"] = message.get("forum_topic_edited", {}).get("name") or found[thread_id]["name"]
            if "forum_topic_closed" in message or "forum_topic_reopened" in message:
                found[thread_id]["closed"] = "forum_topic_closed" in message
    for thread_id, topic in found.items():
        topic["closed"] = bool(topic.get("closed")) or thread_id in record.closed_topics
    if not found and not tg.state.has_topics_in(record):
        return None
    creates = record.is_forum or (not record.is_group and tg.state.settings["allows_users_to_create_topics"])
    return {"list": list(found.values()), "creates": "topic" if creates else None}


def _message(record: TelegramChat, message: Message) -> dict[str, Any]:
    sender = message["from"]
    is_text = "text" in message
    text = message.get("text" if is_text else "caption", "")
    entities = message.get("entities" if is_text else "caption_entities", [])
    by_user = record.reactions.get(message["message_id"], {})
    markup = message.get("reply_markup", {})
    made: dict[str, Any] = {
        "id": _message_id(message),
        "by": _handle(sender),
        "name": sender["first_name"],
        "bot": sender["is_bot"],
        "at": message["date"],
        "text": text,
        "entities": entities,
        "edited": "edit_date" in message,
        "files": _files(message),
        "grid": _grid(markup),
        "service": _service(message),
        "reactions": [reaction["emoji"] for own in by_user.values() for reaction in own],
        "topic": _topic_id(record, message.get("message_thread_id") if message.get("is_topic_message") else None),
    }
    if rich := message.get("rich_message"):
        made["rich"] = rich
    if receiver := message.get("receiver_user"):
        made["only"] = _handle(sender if receiver["is_bot"] else receiver)
    if markup.get("force_reply"):
        made["force_reply"] = True
    replied = message.get("reply_to_message")
    # A topic's first message is a reply to nothing: that message says which topic it is in.
    if replied and "forum_topic_created" not in replied:
        made["reply"] = {"name": replied["from"]["first_name"], "text": _quoted(replied)}
    if sender["is_bot"]:
        # A pairing code, where there is one, is what the bot formats as code.
        made["code"] = next((entity_text(text, entity) for entity in entities if entity["type"] == "code"), None)
    return made


def _message_id(message: Message) -> str:
    """Return the id on the page: the messages that only one person has share the id 0, and have one of their own."""
    number = message["message_id"]
    return str(number) if number else f"e{message.get('ephemeral_message_id', 0)}"


def _handle(user: dict[str, Any]) -> str:
    return str(user.get("username") or user["id"])


def _quoted(message: Message) -> str:
    text = message.get("text") or message.get("caption") or _words(message.get("rich_message")) or "picture"
    return str(text)[:QUOTED]


def _words(value: Any, depth: int = 0) -> str:
    """Return what a tree of blocks says, in one line."""
    if isinstance(value, dict):
        value = [value[key] for key in WORDS if key in value]
    if not isinstance(value, list) or depth > DEEPEST:
        return value if isinstance(value, str) else ""
    # Only pieces of one text stand beside strings.
    between = "" if any(isinstance(one, str) for one in value) else " "
    return between.join(filter(None, (_words(one, depth + 1) for one in value)))


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


def _grid(markup: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [[_button(key) for key in row] for row in markup.get("inline_keyboard", [])]


def _button(key: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": key["text"],
        "style": key.get("style"),
        "url": key.get("url"),
        "copy": (key.get("copy_text") or {}).get("text"),
        "disabled": "disabled" in key,
    }


def _service(message: Message) -> str:
    name = message["from"]["first_name"]
    match message:
        case {"new_chat_members": joined}:
            return f"{', '.join(user['first_name'] for user in joined)} joined"
        case {"left_chat_member": left}:
            return f"{left['first_name']} left"
        case {"forum_topic_created": topic}:
            return f"{name} created the topic {topic['name']}"
        case {"forum_topic_edited": {"name": str(new)}}:
            return f"{name} renamed the topic to {new}"
        case {"forum_topic_edited": _}:
            return f"{name} changed the topic's icon"
        case {"forum_topic_closed": _}:
            return f"{name} closed the topic"
        case {"forum_topic_reopened": _}:
            return f"{name} reopened the topic"
    return ""
