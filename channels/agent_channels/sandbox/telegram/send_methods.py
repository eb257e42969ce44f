"""Bot API methods that put something new into a chat."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from agent_channels.sandbox.telegram.entities import CAPTION_LIMIT, TEXT_LIMIT, format_text
from agent_channels.sandbox.telegram.errors import bad
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.method_table import MethodTable
from agent_channels.sandbox.telegram.params import Params, field_number, field_text
from agent_channels.sandbox.telegram.records import Message, new_poll
from agent_channels.sandbox.telegram.rich_messages import rich_fields
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.targets import deliver, placement, writable_chat

__all__ = ["caption_fields", "method", "text_fields"]

method = MethodTable()

MEDIA_ERROR = "can't parse InputMedia: "
ALBUM_KINDS = {"photo", "video", "document", "audio"}
# sendMediaGroup: documents and audio files "can be only grouped in an album with messages of the same type"
UNMIXED_KINDS = {"document": "Document", "audio": "Audio"}
FACTS = ("duration", "width", "height", "length", "title", "performer")
CHAT_ACTIONS = """typing upload_photo record_video upload_video record_voice upload_voice upload_document
choose_sticker find_location record_video_note upload_video_note"""


def text_fields(state: TelegramState, params: Params) -> Message:
    """Return `text` and `entities` of a call. Raises BotApiError."""
    raw = params.text("text")
    if not raw:
        raise bad("message text is empty")
    given = params.decoded("entities", "entities")
    text, entities = format_text(raw, params.text("parse_mode"), given, state.find_user, state.known)
    if not text:
        raise bad("text must be non-empty")
    if len(text) > TEXT_LIMIT:
        raise bad("message is too long")
    return {"text": text, **({"entities": entities} if entities else {})}


def caption_fields(state: TelegramState, caption: str, parse_mode: str, given: Any) -> Message:
    """Return `caption` and `caption_entities`, or {} when there is no caption. Raises BotApiError."""
    text, entities = format_text(caption, parse_mode, given, state.find_user, state.known)
    if len(text) > CAPTION_LIMIT:
        raise bad("message caption is too long")
    if not text:
        return {}
    return {"caption": text, **({"caption_entities": entities} if entities else {})}


def _caption_of(state: TelegramState, params: Params) -> Message:
    entities = params.decoded("caption_entities", "caption entities")
    return caption_fields(state, params.text("caption"), params.text("parse_mode"), entities)


@method("sendMessage")
def send_message(state: TelegramState, params: Params) -> Message:
    """Send a text."""
    return deliver(state, params, text_fields(state, params))


@method("sendRichMessage", since="10.1")
def send_rich_message(state: TelegramState, params: Params) -> Message:
    """Send a rich message: blocks, and no text."""
    writable_chat(state, params)
    return deliver(state, params, rich_fields(params))


def _media_method(kind: str) -> Callable[[TelegramState, Params], Message]:
    def send(state: TelegramState, params: Params) -> Message:
        source = params.files.get(kind) or params.values.get(kind)
        fields = state.files.from_bot(params, kind, source, _facts(params.values))
        if kind not in {"video_note", "sticker"}:
            fields |= _caption_of(state, params)
        if params.flag("has_spoiler"):
            fields["has_media_spoiler"] = True
        return deliver(state, params, fields)

    return send


def _facts(values: dict[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in FACTS:
        if not values.get(name):
            continue
        read = field_text if name in {"title", "performer"} else field_number
        facts[name] = read(values, name)
    return facts


for _kind in MEDIA:
    method("send" + _kind.replace("_", ""))(_media_method(_kind))


@method("sendMediaGroup")
def send_media_group(state: TelegramState, params: Params) -> list[Message]:
    """Send an album of 2-10 items; the messages share `media_group_id`."""
    items = params.decoded("media", "media")
    if not isinstance(items, list):
        raise bad("expected an Array of InputMedia")
    if not items:
        raise bad("there are no messages to send")
    if len(items) > 10:
        raise bad("too many messages to send as an album")
    if len(items) < 2:
        # The documentation of sendMediaGroup asks for 2-10 items.
        raise bad("there are not enough messages to send as an album: media must include 2-10 items")
    contents = [_album_item(state, params, item) for item in items]
    kinds = {item["type"] for item in items}
    for kind, name in UNMIXED_KINDS.items():
        if kind in kinds and len(kinds) > 1:
            raise bad(f"{name} can't be mixed with other media types")
    chat = writable_chat(state, params)
    extra = placement(state, chat, params)
    state.spend(chat.id)
    group = str(secrets.randbits(53))
    return [state.post(chat, state.bot, fields, media_group_id=group, **extra) for fields in contents]


def _album_item(state: TelegramState, params: Params, item: Any) -> Message:
    if not isinstance(item, dict):
        raise bad(f"{MEDIA_ERROR}expected an Object")
    if "type" not in item:
        raise bad(f'{MEDIA_ERROR}Can\'t find field "type"')
    kind, source = field_text(item, "type", MEDIA_ERROR), field_text(item, "media", MEDIA_ERROR)
    if kind not in ALBUM_KINDS:
        raise bad(f'{MEDIA_ERROR}type "{kind}" can\'t be used in sendMediaGroup')
    if not source:
        raise bad(f"{MEDIA_ERROR}media not found")
    fields = state.files.from_bot(params, kind, source, _facts(item))
    caption, mode = field_text(item, "caption", MEDIA_ERROR), field_text(item, "parse_mode", MEDIA_ERROR)
    return fields | caption_fields(state, caption, mode, item.get("caption_entities"))


@method("sendPoll")
def send_poll(state: TelegramState, params: Params) -> Message:
    """Send a poll of 2-12 options; votes come back as `poll_answer` when it is not anonymous."""
    question = params.text("question").strip()
    if not question:
        raise bad("poll question must be non-empty")
    if len(question) > 300:
        raise bad("poll question length must not exceed 300")
    options = params.decoded("options", "options")
    if not isinstance(options, list):
        raise bad("expected an Array of InputPollOption")
    texts = [str(option.get("text", "")) if isinstance(option, dict) else str(option) for option in options]
    if len(texts) < 2:
        raise bad("poll must have at least 2 option")
    if len(texts) > 12:
        raise bad("poll can't have more than 12 options")
    if any(not 1 <= len(text.strip()) <= 100 for text in texts):
        raise bad("poll options length must not exceed 100")
    anonymous = params.values.get("is_anonymous") is None or params.flag("is_anonymous")
    poll = new_poll(question, texts, anonymous=anonymous, multiple=params.flag("allows_multiple_answers"))
    return deliver(state, params, {"poll": poll}, private=False)


@method("sendWidget", since="10.4")
def send_widget(state: TelegramState, params: Params) -> Message:
    """Refuse: there are no widgets here. That the method is known says how old the server is."""
    writable_chat(state, params)
    raise bad("widget must be specified")


@method("sendChatAction")
def send_chat_action(state: TelegramState, params: Params) -> bool:
    """Show "typing" and the like; unlike messages, it accepts General's thread id."""
    action = params.text("action").lower()
    if action not in CHAT_ACTIONS.split():
        raise bad("wrong parameter action in request")
    chat = writable_chat(state, params)
    thread = params.integer("message_thread_id") or None
    if thread and thread not in (chat.topics if state.has_topics_in(chat) else chat.messages):
        raise bad("message thread not found")
    state.spend_activity(chat)
    chat.actions.append((state.now(), action, thread))
    state.changed()
    return True
