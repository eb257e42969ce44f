"""The bot's actions in Telegram: one function for each, each one request (a file: one upload)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

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
from agent_channels.telegram.chats import Json, ephemeral_number, is_ephemeral, key_of
from agent_channels.telegram.errors import translated
from agent_channels.telegram.formatting import entities, unfolds
from agent_channels.telegram.http import BotApi, Server, Upload
from agent_channels.telegram.markup import LIMITS, closed_keyboard, keyboard_markup, parse_mode, snapshot
from agent_channels.telegram.rich_blocks import with_block

__all__ = ["RICH_UNKNOWN", "close_panel", "edit", "edit_keyboard", "group_files", "number", "send"]

RICH_UNKNOWN = "the Bot API server is older than 10.1 and knows no rich messages: tables and task lists arrive as text"
# What the same text in another form would be refused for, too.
_NOT_THE_FORM = ("thread", "topic", "repl", "rights", "chat not found", "message to edit", "can't be edited", "chat_")

# sendMediaGroup: the kinds that may be in an album together, and how many files.
_TOGETHER = ({"photo", "video"}, {"document"})
ALBUM_MAX = 10
# How a text and a caption are edited, and the name of their entities.
_EDITED = {"text": ("editMessageText", "entities"), "caption": ("editMessageCaption", "caption_entities")}
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


async def send(api: BotApi, server: Server, outgoing: Outgoing, *, preview: bool) -> Sent:
    """Send a text, one file, or an album. `preview`: links unfold into previews."""
    if "moments" in server.lacking:
        outgoing = _without_moments(outgoing)
    if outgoing.only_for:
        return await _send_privately(api, server, outgoing)
    common: Json = {
        "chat_id": number(outgoing.chat_id, "chat_id"),
        "disable_notification": outgoing.silent or None,
        "message_thread_id": _thread(outgoing.thread_id),
    }
    if outgoing.reply_to:
        if is_ephemeral(outgoing.reply_to):
            raise ReplyRefused("a message that only one person sees cannot be quoted for all (leave reply_to out)")
        common["reply_parameters"] = _replying_to(number(outgoing.reply_to, "reply_to"))
    if outgoing.album:
        return await _send_album(api, outgoing, common)
    common["reply_markup"] = keyboard_markup(outgoing.keyboard)
    if outgoing.file is not None:
        return _sent(await _send_file(api, outgoing.file, common | _caption(outgoing)))
    if outgoing.rich is not None:
        with _rich_refused():
            sent = await api.call("sendRichMessage", rich_message=outgoing.rich, **common)
        return _sent(sent)
    return await _send_words(api, server, outgoing, common | {"link_preview_options": _link_preview(preview, outgoing)})


async def _send_words(api: BotApi, server: Server, outgoing: Outgoing, options: Json) -> Sent:
    """Send a text, with its moments as words if the server does not know moments."""
    try:
        sent = await _send_text(api, outgoing, options)
    except ParseFailed:
        plain = _without_moments(outgoing)
        if plain == outgoing:
            raise
        sent = await _send_text(api, plain, options)
        server.lacking.add("moments")
    return _sent(sent)


async def _send_text(api: BotApi, outgoing: Outgoing, options: Json) -> Json:
    sent: Json = await api.call(
        "sendMessage",
        text=outgoing.text,
        parse_mode=parse_mode(outgoing.format),
        entities=_entities(outgoing),
        **options,
    )
    return sent


async def _send_privately(api: BotApi, server: Server, outgoing: Outgoing) -> Sent:
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
    sent = await _send_text(api, outgoing, options)
    if not sent.get("ephemeral_message_id"):
        # Everybody sees it, although the server said that it can do better.
        server.lacking.add("messages for one person")
        await api.call("deleteMessage", chat_id=chat, message_id=sent["message_id"])
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


def _caption(outgoing: Outgoing) -> Json:
    if not outgoing.text:
        return {}
    fields = {
        "caption": outgoing.text,
        "parse_mode": parse_mode(outgoing.format),
        "caption_entities": _entities(outgoing),
    }
    return {name: value for name, value in fields.items() if value is not None}


async def _send_album(api: BotApi, outgoing: Outgoing, common: Json) -> Sent:
    with ExitStack() as opened:
        files = {f"file{index}": _upload(file, opened) for index, file in enumerate(outgoing.album)}
        media = [
            {"type": _kind(file), "media": f"attach://{name}"} for name, file in zip(files, outgoing.album, strict=True)
        ]
        # The caption of the first is shown as the album's.
        media[0] |= _caption(outgoing)
        sent = await api.call("sendMediaGroup", files, media=media, **common)
    with translated():
        first, *others = sent
        return replace(_sent(first), others=tuple(str(message["message_id"]) for message in others))


async def _send_file(api: BotApi, file: OpenFile, common: Json) -> Json:
    kind = _kind(file)
    try:
        return await _send_as(kind, api, file, common)
    except Rejected:
        if kind == "document":
            raise
        # Too wide, not an image at all, voice notes that the person does not take: as a document it arrives unchanged.
        return await _send_as("document", api, file, common)


async def _send_as(kind: str, api: BotApi, file: OpenFile, common: Json) -> Json:
    with ExitStack() as opened:
        # Uploaded even to a server in local mode, which could read a path: by then it may be another file's.
        sent: Json = await api.call(f"send{kind.capitalize()}", {kind: _upload(file, opened)}, **common)
    return sent


def _upload(file: OpenFile, opened: ExitStack) -> Upload:
    # Read while it is sent: ten videos need not be in memory together.
    return Upload(upload_name(file.name), opened.enter_context(file.stream()))


@contextmanager
def _rich_refused() -> Iterator[None]:
    """Raise `ParseFailed` for every refusal that the same text without its rich form may not meet.

    Telegram trips over what it takes for an address (`RICH_MESSAGE_EMAIL_INVALID`): without the detection of addresses
    it would take the blocks, but links would be dead, and for other refusals that would be one more call in vain.
    """
    try:
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
    api: BotApi, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None, *, preview: bool
) -> Sent:
    """Replace a message's content and keyboard. A message that already reads like that is not an error."""
    edit = partial(
        api.call,
        "editMessageText",
        chat_id=number(chat_id, "chat_id"),
        message_id=number(message_id, "message_id"),
        reply_markup=keyboard_markup(keyboard),
    )
    try:
        if part.rich is not None:
            with _rich_refused():
                edited = await edit(rich_message=part.rich)
        else:
            edited = await edit(
                text=part.text,
                parse_mode=parse_mode(part.format),
                entities=_entities(part),
                link_preview_options=_link_preview(preview, part),
            )
    except NotModified:
        return Sent(message_id, None)
    return Sent(message_id, snapshot(edited) if isinstance(edited, dict) else None)


async def edit_keyboard(api: BotApi, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
    """Replace a message's keyboard. One that already looks like that is not an error."""
    with suppress(NotModified):
        await api.call(
            "editMessageReplyMarkup",
            chat_id=number(chat_id, "chat_id"),
            message_id=number(message_id, "message_id"),
            reply_markup=keyboard_markup(keyboard),
        )


async def close_panel(
    api: BotApi,
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
    note: Json = json.loads(before) if before else {}
    longer = with_block(note["rich_message"], outcome) if outcome and "rich_message" in note else None
    if longer is not None:
        closing = partial(api.call, "editMessageText", chat_id=chat, message_id=message, rich_message=longer)
        if await _close_rich(closing, server, chosen):
            return
    kind = "text" if note.get("text") else "caption" if note.get("caption") else ""
    text = f"{note[kind]}\n\n{outcome}" if kind else ""
    fits = kind and outcome and length(text, LIMITS.unit) <= (LIMITS.text if kind == "text" else LIMITS.caption)
    method = "editMessageReplyMarkup"
    content: Json = {}
    if fits:
        method, marks = _EDITED[kind]
        content = {
            kind: text,
            marks: [*(note.get(marks) or ()), *entities(text, (), len(text) - len(outcome))],
            "link_preview_options": note.get("link_preview_options"),
        }
    edit = partial(api.call, method, chat_id=chat, message_id=message, **content)
    await _close(edit, server, chosen)
    if outcome and not fits:
        await api.call(
            "sendMessage",
            chat_id=chat,
            text=outcome,
            message_thread_id=_thread(thread_id),
            entities=entities(outcome, ()) or None,
            reply_parameters=_replying_to(message),
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
        await edit(reply_markup=keyboard)
    except NotModified:
        return
    except Rejected:
        if keyboard is None:
            raise
        # Either the edit is refused again, or it was the button that the server does not know.
        await _close(edit, server, None)
        server.lacking.add("disabled buttons")


def _sent(message: Json) -> Sent:
    with translated():
        return Sent(str(message["message_id"]), snapshot(message))


def _replying_to(message_id: int) -> Json:
    return {"message_id": message_id, "allow_sending_without_reply": True}


def _entities(written: Outgoing | RenderedPart) -> list[Json] | None:
    """Return the entities of a text; None for none, and where Telegram parses it."""
    return None if parse_mode(written.format) else entities(written.text, written.spans) or None


def _link_preview(preview: bool, written: Outgoing | RenderedPart) -> Json | None:  # noqa: FBT001
    shown = preview and (parse_mode(written.format) is None or unfolds(written.text))
    return None if shown else {"is_disabled": True}
