"""What the bot does in Telegram: one function a verb, each one request (a file: one upload)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from telegram import Bot, LinkPreviewOptions, MessageEntity, ReplyParameters
from telegram import Message as TelegramMessage

from channels.core.chunking import length
from channels.core.errors import NotModified, Refused, Rejected
from channels.core.types import Keyboard, Outgoing, Sent
from channels.telegram.errors import translated
from channels.telegram.inbound import snapshot
from channels.telegram.markup import CAPTION, LIMITS, code_entity, keyboard_markup, parse_mode

__all__ = ["chat_of", "close_panel", "download", "edit", "redraw", "send"]

_IMAGES = {".jpg", ".jpeg", ".png", ".webp"}
# Bot API, sendPhoto and sendVoice: what these methods take; everything else goes as it is, as a document.
_BY_ENDING = {".gif": "animation", ".mp4": "video", ".ogg": "voice", ".oga": "voice", ".opus": "voice", ".mp3": "audio",
              ".m4a": "audio"}  # fmt: skip
CHUNK = 64 * 1024


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


async def send(bot: Bot, outgoing: Outgoing) -> Sent:
    """Sends a text or one file."""
    common: dict[str, Any] = {
        "chat_id": chat_of(outgoing.chat_id),
        "disable_notification": outgoing.silent or None,
        "reply_markup": keyboard_markup(outgoing.keyboard),
    }
    thread = message_of(outgoing.thread_id) if outgoing.thread_id else None
    # The General topic's id is 1; sending into it takes no id at all.
    if thread and thread != 1:
        common["message_thread_id"] = thread
    if outgoing.reply_to:
        common["reply_parameters"] = ReplyParameters(message_of(outgoing.reply_to), allow_sending_without_reply=True)
    with translated():
        if outgoing.path is not None:
            return _sent(await _send_file(bot, Path(outgoing.path), common))
        mode = parse_mode(outgoing.format)
        entities = code_entity(outgoing.text, outgoing.code)
        return _sent(await bot.send_message(text=outgoing.text, parse_mode=mode, entities=entities, **common))


async def _send_file(bot: Bot, path: Path, common: dict[str, Any]) -> TelegramMessage:
    ending, size = path.suffix.lower(), path.stat().st_size  # noqa: ASYNC240 - one call on a local file
    if ending in _IMAGES and size <= LIMITS.photo:
        try:
            with translated():
                return await bot.send_photo(photo=path, filename=path.name, **common)
        except Rejected:
            # Too wide, too tall or not an image at all: as a document it arrives as it is.
            return await bot.send_document(document=path, filename=path.name, **common)
    method = getattr(bot, f"send_{_BY_ENDING.get(ending, 'document')}")
    sent: TelegramMessage = await method(**{_BY_ENDING.get(ending, "document"): path}, filename=path.name, **common)
    return sent


async def edit(bot: Bot, chat_id: str, message_id: str, text: str, format_: str, keyboard: Keyboard | None) -> Sent:
    """Replaces a message's text and keyboard; that it reads like that already is no error."""
    try:
        with translated():
            edited = await bot.edit_message_text(
                text=text,
                chat_id=chat_of(chat_id),
                message_id=message_of(message_id),
                parse_mode=parse_mode(format_),
                reply_markup=keyboard_markup(keyboard),
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


async def download(client: httpx.AsyncClient, url: str, target: Path, limit: int) -> int:
    """Streams a file to a new path, counting: a size that was announced is not believed."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with translated(), os.fdopen(descriptor, "wb") as file:
            size = await _stream(client, url, file, limit)
        if size == 0:
            raise Rejected("Telegram handed out an empty file; ask the sender to send it again")  # noqa: TRY301
    except BaseException:
        target.unlink(missing_ok=True)  # noqa: ASYNC240 - one call on a local file
        raise
    return size


async def _stream(client: httpx.AsyncClient, url: str, file: BinaryIO, limit: int) -> int:
    size = 0
    async with client.stream("GET", url) as answer:
        if answer.status_code != httpx.codes.OK:
            raise Rejected(f"Telegram does not hand out the file (HTTP {answer.status_code}); try again later")
        async for chunk in answer.aiter_bytes(CHUNK):
            size += len(chunk)
            if size > limit:
                raise Refused(f"the file has more than the {limit:,} bytes that a bot may download")
            file.write(chunk)
    return size


def _sent(message: TelegramMessage) -> Sent:
    return Sent(str(message.message_id), snapshot(message.to_dict()))


def _preview(raw: dict[str, Any] | None) -> LinkPreviewOptions | None:
    return LinkPreviewOptions.de_json(raw, None) if raw else None


def _entities(raw: list[dict[str, Any]] | None) -> list[MessageEntity] | None:
    return list(MessageEntity.de_list(raw, None)) if raw else None
