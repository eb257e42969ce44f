"""The bot's actions in Telegram: one function for each, each one request (a file: one upload)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from telegram import (
    Bot,
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram import Message as TelegramMessage

from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, OpenFile, Outgoing, Sent
from agent_channels.core.errors import (
    Migrated,
    NotModified,
    ParseFailed,
    Refused,
    Rejected,
    ReplyRefused,
    Unsupported,
)
from agent_channels.core.files.streaming import upload_name
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.units import length
from agent_channels.telegram.chats import ephemeral_number, is_ephemeral, key_of
from agent_channels.telegram.errors import translated
from agent_channels.telegram.formatting import entities, unfolds
from agent_channels.telegram.http import AiohttpRequest, Server
from agent_channels.telegram.markup import LIMITS, closed_keyboard, keyboard_markup, parse_mode, snapshot
from agent_channels.telegram.rich_blocks import with_block

__all__ = ["RICH_UNKNOWN", "close_panel", "edit", "edit_keyboard", "group_files", "number", "send"]

RICH_UNKNOWN = "the Bot API server is older than 10.1 and knows no rich messages: tables and task lists arrive as text"
# What the same text in another form would be refused for, too.
_NOT_THE_FORM = ("thread", "topic", "repl", "rights", "chat not found", "message to edit", "can't be edited", "chat_")

# sendMediaGroup: the kinds that may be in an album, which of them together, and how many files.
_IN_ALBUMS: dict[str, type[InputMediaPhoto | InputMediaVideo | InputMediaDocument]] = {
    "photo": InputMediaPhoto,
    "video": InputMediaVideo,
    "document": InputMediaDocument,
}
_TOGETHER = ({"photo", "video"}, {"document"})
ALBUM_MAX = 10
_IMAGES = {".jpg", ".jpeg", ".png", ".webp"}
# Bot API, sendPhoto and sendVoice: the files that these methods take; every other file goes unchanged, as a document.
_BY_ENDING = {".gif": "animation", ".mp4": "video", ".ogg": "voice", ".oga": "voice", ".opus": "voice", ".mp3": "audio",
              ".m4a": "audio"}  # fmt: skip


def number(value: str, name: str) -> int:
    """Return an id as Telegram wants it. `name` is the argument's name in the error.

    Raises `Refused` for anything but a number: names are never used to address a chat.
    """
    try:
        return int(value)
    except ValueError:
        raise Refused(f"{name} {value[:80]!r} is not a Telegram id; it is a number, as in the event's meta") from None


async def send(bot: Bot, request: AiohttpRequest, server: Server, outgoing: Outgoing, *, preview: bool) -> Sent:
    """Send a text, one file, or an album. `preview`: links unfold into previews."""
    if "moments" in server.lacking:
        outgoing = _without_moments(outgoing)
    if outgoing.only_for:
        return await _send_privately(request, server, outgoing)
    common: dict[str, Any] = {
        "chat_id": number(outgoing.chat_id, "chat_id"),
        "disable_notification": outgoing.silent or None,
        "message_thread_id": _thread(outgoing.thread_id),
    }
    if outgoing.reply_to:
        if is_ephemeral(outgoing.reply_to):
            raise ReplyRefused("a message that only one person sees cannot be quoted for all (leave reply_to out)")
        replied = number(outgoing.reply_to, "reply_to")
        common["reply_parameters"] = ReplyParameters(replied, allow_sending_without_reply=True)
    if outgoing.album:
        return await _send_album(bot, outgoing, common)
    common["reply_markup"] = keyboard_markup(outgoing.keyboard)
    if outgoing.file is not None:
        with translated():
            return _sent(await _send_file(bot, outgoing.file, common | _caption(outgoing)))
    if outgoing.rich is not None:
        with _rich_refused():
            sent = await request.api("sendRichMessage", rich_message=outgoing.rich, **common)
        return Sent(str(sent["message_id"]), snapshot(sent))
    return await _send_words(
        request, server, outgoing, common | {"link_preview_options": _link_preview(preview, outgoing)}
    )


async def _send_words(request: AiohttpRequest, server: Server, outgoing: Outgoing, options: dict[str, Any]) -> Sent:
    """Send a text, with its moments as words if the server does not know moments."""
    try:
        sent = await _send_text(request, outgoing, options)
    except ParseFailed:
        plain = _without_moments(outgoing)
        if plain == outgoing:
            raise
        sent = await _send_text(request, plain, options)
        server.lacking.add("moments")
    return Sent(str(sent["message_id"]), snapshot(sent))


async def _send_text(request: AiohttpRequest, outgoing: Outgoing, options: dict[str, Any]) -> dict[str, Any]:
    with translated():
        sent: dict[str, Any] = await request.api(
            "sendMessage",
            text=outgoing.text,
            parse_mode=parse_mode(outgoing.format),
            entities=_entities(outgoing) or None,
            **options,
        )
    return sent


async def _send_privately(request: AiohttpRequest, server: Server, outgoing: Outgoing) -> Sent:
    """Send a text that one person sees. Raises `Unsupported` where somebody else might."""
    if outgoing.file or outgoing.album or not await server.sends_privately():
        raise Unsupported("this Bot API server has no messages that one person alone sees: it is older than 10.4")
    reply_to = outgoing.reply_to if outgoing.reply_to and is_ephemeral(outgoing.reply_to) else None
    parameters = {"receiver_user_id": number(outgoing.only_for or "", "only_for")}
    chat = number(outgoing.chat_id, "chat_id")
    options = {
        "chat_id": chat,
        "message_thread_id": _thread(outgoing.thread_id),
        "reply_markup": keyboard_markup(outgoing.keyboard),
        "reply_parameters": {"ephemeral_message_id": ephemeral_number(reply_to)} if reply_to else None,
        "ephemeral_message_parameters": parameters
        | ({"callback_query_id": outgoing.answers_tap} if outgoing.answers_tap else {}),
    }
    sent = await _send_text(request, outgoing, options)
    if not sent.get("ephemeral_message_id"):
        # Everybody sees it, although the server said that it can do better.
        server.lacking.add("messages for one person")
        with translated():
            await request.api("deleteMessage", chat_id=chat, message_id=sent["message_id"])
        raise Unsupported("the Bot API server showed a message for one person to all, and it was deleted")
    return Sent(key_of(sent), None)


def _without_moments(outgoing: Outgoing) -> Outgoing:
    """Return the message with its moments as the words that stand for them."""
    return replace(outgoing, spans=tuple(span for span in outgoing.spans if span.kind != "time"))


def _thread(thread_id: str | None) -> int | None:
    thread = number(thread_id, "thread_id") if thread_id else None
    # The General topic has the id 1, but is sent to without an id.
    return None if thread == 1 else thread


def group_files(files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
    """Group pictures with videos, and documents, into albums at the place of the first; any other file stays alone."""
    groups: list[tuple[OpenFile, ...]] = []
    for file in files:
        together = next((kinds for kinds in _TOGETHER if _kind(file) in kinds), None)
        if together is None:
            groups.append((file,))
        elif not any(file in group for group in groups):
            groups += _albums([one for one in files if _kind(one) in together])
    return groups


def _albums(files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
    """Return files as albums of what one request takes."""
    albums: list[tuple[OpenFile, ...]] = []
    for file in files:
        last = albums[-1] if albums else ()
        if last and len(last) < ALBUM_MAX and sum(one.size for one in (*last, file)) <= LIMITS.upload:
            albums[-1] = (*last, file)
        else:
            albums.append((file,))
    return albums


def _kind(file: OpenFile) -> str:
    """Return the kind of file that Telegram sends this one as, which names the method."""
    ending = Path(file.name).suffix.lower()
    if ending in _IMAGES:
        return "photo" if file.size <= LIMITS.photo else "document"
    return _BY_ENDING.get(ending, "document")


def _caption(outgoing: Outgoing) -> dict[str, Any]:
    if not outgoing.text:
        return {}
    return {
        "caption": outgoing.text,
        "parse_mode": parse_mode(outgoing.format),
        "caption_entities": _entities(outgoing),
    }


async def _send_album(bot: Bot, outgoing: Outgoing, common: dict[str, Any]) -> Sent:
    # The caption of the first is shown as the album's.
    captions = [_caption(outgoing), *({} for _ in outgoing.album[1:])]
    with translated(), ExitStack() as opened:
        media = [
            _IN_ALBUMS[_kind(file)](_stream(file, opened, attach=True), **caption)
            for file, caption in zip(outgoing.album, captions, strict=True)
        ]
        first, *others = await bot.send_media_group(media=media, **common)
    return replace(_sent(first), others=tuple(str(message.message_id) for message in others))


async def _send_file(bot: Bot, file: OpenFile, common: dict[str, Any]) -> TelegramMessage:
    kind = _kind(file)
    try:
        with translated():
            return await _send_as(kind, bot, file, common)
    except Rejected:
        if kind == "document":
            raise
        # Too wide, not an image at all, voice notes that the person does not take: as a document it arrives unchanged.
        return await _send_as("document", bot, file, common)


async def _send_as(kind: str, bot: Bot, file: OpenFile, common: dict[str, Any]) -> TelegramMessage:
    with ExitStack() as opened:
        # Uploaded even to a server in local mode, which could read a path: by then it may be another file's.
        stream = _stream(file, opened, attach=False)
        sent: TelegramMessage = await getattr(bot, f"send_{kind}")(**{kind: stream}, **common)
    return sent


def _stream(file: OpenFile, opened: ExitStack, *, attach: bool) -> InputFile:
    # Read while it is sent: ten videos need not be in memory together.
    stream = opened.enter_context(file.stream())
    return InputFile(stream, filename=upload_name(file.name), attach=attach, read_file_handle=False)


@contextmanager
def _rich_refused() -> Iterator[None]:
    """Raise `ParseFailed` for every refusal that the same text without its rich form may not meet.

    Telegram trips over what it takes for an address (`RICH_MESSAGE_EMAIL_INVALID`): without the detection of addresses
    it would take the blocks, but links would be dead, and for other refusals that would be one more call in vain.
    """
    try:
        with translated():
            yield
    except (NotModified, ReplyRefused, Migrated, ParseFailed):
        raise
    except Unsupported as error:
        raise Unsupported(RICH_UNKNOWN) from error
    except Rejected as error:
        said = str(error).lower()
        # Of an edit's parameters, an older server leaves out those it does not know.
        if "message text is empty" in said:
            raise Unsupported(RICH_UNKNOWN) from error
        if any(phrase in said for phrase in _NOT_THE_FORM):
            raise
        raise ParseFailed(str(error)) from error


async def edit(
    bot: Bot,
    request: AiohttpRequest,
    chat_id: str,
    message_id: str,
    part: RenderedPart,
    keyboard: Keyboard | None,
    *,
    preview: bool,
) -> Sent:
    """Replace a message's content and keyboard. A message that already reads like that is not an error."""
    try:
        if part.rich is not None:
            with _rich_refused():
                edited = await request.api(
                    "editMessageText",
                    chat_id=number(chat_id, "chat_id"),
                    message_id=number(message_id, "message_id"),
                    rich_message=part.rich,
                    reply_markup=keyboard_markup(keyboard),
                )
            return Sent(message_id, snapshot(edited) if isinstance(edited, dict) else None)
        with translated():
            edited = await bot.edit_message_text(
                text=part.text,
                chat_id=number(chat_id, "chat_id"),
                message_id=number(message_id, "message_id"),
                parse_mode=parse_mode(part.format),
                entities=_entities(part),
                reply_markup=keyboard_markup(keyboard),
                link_preview_options=_link_preview(preview, part),
            )
    except NotModified:
        return Sent(message_id, None)
    return _sent(edited) if isinstance(edited, TelegramMessage) else Sent(message_id, None)


async def edit_keyboard(bot: Bot, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
    """Replace a message's keyboard. One that already looks like that is not an error."""
    try:
        with translated():
            await bot.edit_message_reply_markup(
                chat_id=number(chat_id, "chat_id"),
                message_id=number(message_id, "message_id"),
                reply_markup=keyboard_markup(keyboard),
            )
    except NotModified:
        return


async def close_panel(
    request: AiohttpRequest,
    server: Server,
    chat_id: str,
    message_id: str,
    before: str | None,
    outcome: str,
    *,
    chosen: KeyboardButton | None,
    thread_id: str | None,
) -> None:
    """Write the outcome under the text, whose entities stay; without room, reply with it.

    Of the keyboard only `chosen` stays, disabled, if the server knows such buttons. `before` is the message's snapshot.
    """
    chat, message = number(chat_id, "chat_id"), number(message_id, "message_id")
    note: dict[str, Any] = json.loads(before) if before else {}
    longer = with_block(note["rich_message"], outcome) if outcome and "rich_message" in note else None
    if longer is not None:
        closing = partial(request.api, "editMessageText", chat_id=chat, message_id=message, rich_message=longer)
        if await _close_rich(closing, server, chosen):
            return
    kind = "text" if note.get("text") else "caption" if note.get("caption") else None
    text = f"{note[kind]}\n\n{outcome}" if kind else ""
    fits = kind and outcome and length(text, LIMITS.unit) <= (LIMITS.text if kind == "text" else LIMITS.caption)
    method = "editMessageReplyMarkup"
    content: dict[str, Any] = {}
    if fits and kind == "text":
        method = "editMessageText"
        content = {
            "text": text,
            "entities": _parsed_entities(note.get("entities"), text, outcome),
            "link_preview_options": note.get("link_preview_options"),
        }
    elif fits:
        method = "editMessageCaption"
        content = {
            "caption": text,
            "caption_entities": _parsed_entities(note.get("caption_entities"), text, outcome),
        }
    edit = partial(request.api, method, chat_id=chat, message_id=message, **content)
    await _close(edit, server, chosen)
    if outcome and not fits:
        with translated():
            await request.api(
                "sendMessage",
                chat_id=chat,
                text=outcome,
                message_thread_id=_thread(thread_id),
                entities=entities(outcome, ()) or None,
                reply_parameters=ReplyParameters(message, allow_sending_without_reply=True),
                disable_notification=True,
            )


async def _close_rich(closing: Callable[..., Awaitable[Any]], server: Server, chosen: KeyboardButton | None) -> bool:
    """Write the outcome below the blocks of a message; return False if Telegram does not take them back."""
    try:
        await _close(closing, server, chosen)
    except Rejected:
        return False
    return True


async def _close(edit: Callable[..., Awaitable[Any]], server: Server, chosen: KeyboardButton | None) -> None:
    """Make an edit, with a disabled button or else without a keyboard. One that changes nothing is not an error."""
    keyboard = closed_keyboard(chosen) if chosen and "disabled buttons" not in server.lacking else None
    try:
        with translated():
            await edit(reply_markup=keyboard)
    except NotModified:
        return
    except Rejected:
        if keyboard is None:
            raise
        # Either the edit is refused again, or it was the button that the server does not know.
        await _close(edit, server, None)
        server.lacking.add("disabled buttons")


def _sent(message: TelegramMessage) -> Sent:
    return Sent(str(message.message_id), snapshot(message.to_dict()))


def _entities(written: Outgoing | RenderedPart) -> list[MessageEntity] | None:
    """Return the entities of a text; None where Telegram parses it."""
    return None if parse_mode(written.format) else entities(written.text, written.spans)


def _link_preview(preview: bool, written: Outgoing | RenderedPart) -> LinkPreviewOptions | None:  # noqa: FBT001
    shown = preview and (parse_mode(written.format) is None or unfolds(written.text))
    return None if shown else LinkPreviewOptions(is_disabled=True)


def _parsed_entities(raw: list[dict[str, Any]] | None, text: str, outcome: str) -> list[MessageEntity]:
    """Return the entities that a message has, and those of the outcome at the end of `text`."""
    return [*MessageEntity.de_list(raw or [], None), *entities(text, (), len(text) - len(outcome))]
