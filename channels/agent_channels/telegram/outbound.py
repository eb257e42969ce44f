"""What the bot does in Telegram: one function a verb, each one request (a file: one upload)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from telegram import (
    Bot,
    InputFile,
    InputMediaPhoto,
    InputMediaVideo,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram import Message as TelegramMessage

from agent_channels.core.contract.outgoing import Keyboard, Outgoing, Sent
from agent_channels.core.errors import NotModified, Refused, Rejected
from agent_channels.core.files.streaming import upload_name
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.units import length
from agent_channels.telegram.errors import translated
from agent_channels.telegram.formatting import entities as drawn
from agent_channels.telegram.http import AiohttpRequest
from agent_channels.telegram.markup import CAPTION, LIMITS, code_entity, keyboard_markup, parse_mode, snapshot

__all__ = ["chat_of", "close_panel", "edit", "redraw", "send", "together"]

# sendMediaGroup: what may stand beside each other, and how many.
_VISUAL: dict[str, type[InputMediaPhoto | InputMediaVideo]] = {"photo": InputMediaPhoto, "video": InputMediaVideo}
ALBUM = 10
_IMAGES = {".jpg", ".jpeg", ".png", ".webp"}
# Bot API, sendPhoto and sendVoice: what these methods take; everything else goes as it is, as a document.
_BY_ENDING = {".gif": "animation", ".mp4": "video", ".ogg": "voice", ".oga": "voice", ".opus": "voice", ".mp3": "audio",
              ".m4a": "audio"}  # fmt: skip


def chat_of(chat_id: str) -> int:
    """Telegram's chat id.

    Raises `Refused` for what is no number: names are never used to address a chat.
    """
    try:
        return int(chat_id)
    except ValueError:
        raise Refused(
            f"chat_id {chat_id!r} is not a Telegram chat id; it is a number, as in the event's meta"
        ) from None


def message_of(message_id: str) -> int:
    """Telegram's message id. Raises `Refused` for what is no number."""
    try:
        return int(message_id)
    except ValueError:
        raise Refused(f"message_id {message_id!r} is not a Telegram message id; it is a number") from None


async def send(bot: Bot, calls: AiohttpRequest, outgoing: Outgoing, *, preview: bool) -> Sent:
    """Sends a text, one file, or an album. `preview`: links unfold."""
    common: dict[str, Any] = {
        "chat_id": chat_of(outgoing.chat_id),
        "disable_notification": outgoing.silent or None,
    }
    thread = message_of(outgoing.thread_id) if outgoing.thread_id else None
    # The General topic's id is 1; sending into it takes no id at all.
    if thread and thread != 1:
        common["message_thread_id"] = thread
    if outgoing.reply_to:
        common["reply_parameters"] = ReplyParameters(message_of(outgoing.reply_to), allow_sending_without_reply=True)
    if outgoing.album:
        return await _send_album(bot, outgoing, common)
    common["reply_markup"] = keyboard_markup(outgoing.keyboard)
    with translated():
        if outgoing.path is not None:
            return _sent(await _send_file(bot, Path(outgoing.path), common | _caption(outgoing)))
        mode = parse_mode(outgoing.format)
        entities = code_entity(outgoing.text, outgoing.code) or drawn(outgoing.text, outgoing.spans)
        common["link_preview_options"] = _unfolding(preview)
        sent = await calls.api("sendMessage", text=outgoing.text, parse_mode=mode, entities=entities or None, **common)
        return Sent(str(sent["message_id"]), snapshot(sent))


def together(paths: Sequence[str]) -> list[tuple[str, ...]]:
    """Pictures and videos as albums, where the first of them stands; every other file by itself."""
    shown = [path for path in paths if _kind(Path(path)) in _VISUAL]
    groups: list[tuple[str, ...]] = []
    for path in paths:
        if path not in shown:
            groups.append((path,))
        elif not any(path in group for group in groups):
            groups += [tuple(shown[at : at + ALBUM]) for at in range(0, len(shown), ALBUM)]
    return groups


def _kind(path: Path) -> str:
    """By which of the Bot API's methods a file is sent."""
    ending = path.suffix.lower()
    if ending in _IMAGES:
        return "photo" if path.stat().st_size <= LIMITS.photo else "document"
    return _BY_ENDING.get(ending, "document")


def _caption(outgoing: Outgoing) -> dict[str, Any]:
    if not outgoing.text:
        return {}
    entities = drawn(outgoing.text, outgoing.spans)
    return {"caption": outgoing.text, "parse_mode": parse_mode(outgoing.format), "caption_entities": entities}


async def _send_album(bot: Bot, outgoing: Outgoing, common: dict[str, Any]) -> Sent:
    # The caption of the first is shown as the album's.
    captions = [_caption(outgoing), *({} for _ in outgoing.album[1:])]
    with translated(), ExitStack() as opened:
        media = [
            _VISUAL[_kind(path)](_streamed(path, opened), **caption)
            for path, caption in zip(map(Path, outgoing.album), captions, strict=True)
        ]
        first, *others = await bot.send_media_group(media=media, **common)
    return replace(_sent(first), others=tuple(str(message.message_id) for message in others))


def _streamed(path: Path, opened: ExitStack) -> InputFile:
    # Read as it is sent: ten videos need not lie in memory together.
    stream = opened.enter_context(path.open("rb"))
    return InputFile(stream, filename=upload_name(path), attach=True, read_file_handle=False)


async def _send_file(bot: Bot, path: Path, common: dict[str, Any]) -> TelegramMessage:
    kind, common = _kind(path), common | {"filename": upload_name(path)}
    try:
        with translated():
            sent: TelegramMessage = await getattr(bot, f"send_{kind}")(**{kind: path}, **common)
    except Rejected:
        if kind == "document":
            raise
        # Too wide, not an image at all, voice notes that the person does not take: as a document it arrives as it is.
        return await bot.send_document(document=path, **common)
    return sent


async def edit(
    bot: Bot, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None, *, preview: bool
) -> Sent:
    """Replaces a message's text and keyboard; that it reads like that already is no error."""
    try:
        with translated():
            edited = await bot.edit_message_text(
                text=part.text,
                chat_id=chat_of(chat_id),
                message_id=message_of(message_id),
                parse_mode=parse_mode(part.format),
                entities=drawn(part.text, part.spans),
                reply_markup=keyboard_markup(keyboard),
                link_preview_options=_unfolding(preview),
            )
    except NotModified:
        return Sent(message_id, None)
    return _sent(edited) if isinstance(edited, TelegramMessage) else Sent(message_id, None)


async def redraw(bot: Bot, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
    """Replaces a message's keyboard; that it looks like that already is no error."""
    try:
        with translated():
            await bot.edit_message_reply_markup(
                chat_id=chat_of(chat_id), message_id=message_of(message_id), reply_markup=keyboard_markup(keyboard)
            )
    except NotModified:
        return


async def close_panel(bot: Bot, chat_id: str, message_id: str, shown: str | None, outcome: str) -> None:
    """Takes the keyboard away; the outcome goes under the text, whose entities stay where they are."""
    chat, message = chat_of(chat_id), message_of(message_id)
    note: dict[str, Any] = json.loads(shown) if shown else {}
    kind = "text" if note.get("text") else "caption" if note.get("caption") else None
    written = f"{note[kind]}\n\n{outcome}" if kind else ""
    fits = kind and outcome and length(written, "utf16") <= (LIMITS.text if kind == "text" else CAPTION)
    try:
        with translated():
            if not fits:
                await bot.edit_message_reply_markup(chat_id=chat, message_id=message, reply_markup=None)
            elif kind == "text":
                await bot.edit_message_text(
                    text=written,
                    chat_id=chat,
                    message_id=message,
                    entities=_entities(note.get("entities")),
                    link_preview_options=_preview(note.get("link_preview_options")),
                    reply_markup=None,
                )
            else:
                await bot.edit_message_caption(
                    caption=written,
                    chat_id=chat,
                    message_id=message,
                    caption_entities=_entities(note.get("caption_entities")),
                    reply_markup=None,
                )
    except NotModified:
        return
    if outcome and not fits:
        # No room under the text: said as an answer to it.
        with translated():
            await bot.send_message(
                chat_id=chat,
                text=outcome,
                reply_parameters=ReplyParameters(message, allow_sending_without_reply=True),
                disable_notification=True,
            )


def _sent(message: TelegramMessage) -> Sent:
    return Sent(str(message.message_id), snapshot(message.to_dict()))


def _preview(raw: dict[str, Any] | None) -> LinkPreviewOptions | None:
    return LinkPreviewOptions.de_json(raw, None) if raw else None


def _unfolding(preview: bool) -> LinkPreviewOptions | None:  # noqa: FBT001
    return None if preview else LinkPreviewOptions(is_disabled=True)


def _entities(raw: list[dict[str, Any]] | None) -> list[MessageEntity] | None:
    return list(MessageEntity.de_list(raw, None)) if raw else None
