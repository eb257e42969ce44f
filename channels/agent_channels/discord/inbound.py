"""From a gateway event, as Discord sent it, to the neutral values of the core. Pure: no network, no clock.

What is journalled is `{"t": NAME, "d": DATA}`, with `"channel": {"type", "name", "parent_id"}` beside it where the
event itself does not say what kind of channel it is from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from agent_channels.core.contract.messages import (
    Attachment,
    Command,
    Identity,
    Ignored,
    Inbound,
    Message,
    RawEvent,
    Tap,
)
from agent_channels.core.text.sanitize import decode_json_line
from agent_channels.discord.chats import EPOCH_MS, chat_of, ident, person_of
from agent_channels.discord.markup import FORM, snapshot
from agent_channels.discord.message_context import addressed, forwarded, in_words, quote_of, text_of

__all__ = ["COMMAND", "COMMAND_MARK", "created_at", "said", "to_inbound"]

# "Message Types": said by a person (plain, a reply, through a command of another program).
_SAID = frozenset({0, 19, 20, 23})
_COMMAND = re.compile(r"/([A-Za-z_]{1,32})(?:\s+(.*))?", re.DOTALL)
# "Interaction Types"
COMMAND, _COMPONENT, _SUBMIT = 2, 3, 5
# What tells the answer to a command from the answer to a tap.
COMMAND_MARK = "/"

Raw = dict[str, Any]


def to_inbound(event: RawEvent, me: Identity) -> Inbound:
    """What an event means to the bot `me`."""
    try:
        raw = cast("Raw", json.loads(decode_json_line(event.payload.encode())))
        read = _READ.get(raw["t"])
        if read is None:
            return Ignored("a kind of event nobody asked for")
        return read(raw["d"], raw.get("channel") or {}, me)
    except Exception as error:  # noqa: BLE001 - whatever cannot be read must not stop what follows
        return Ignored(f"an event that cannot be read ({type(error).__name__})", unreadable=True)


def created_at(snowflake: str | int) -> datetime:
    """When an id was given out, which is part of it ("Snowflakes" in Discord's documentation)."""
    return datetime.fromtimestamp(((int(snowflake) >> 22) + EPOCH_MS) / 1000, UTC)


def _created(message: Raw, channel: Raw, me: Identity) -> Inbound:
    return _message(message, channel, me, edited=False)


def _updated(message: Raw, channel: Raw, me: Identity) -> Inbound:
    return _message(message, channel, me, edited=True)


def _message(message: Raw, channel: Raw, me: Identity, *, edited: bool) -> Inbound:
    if message["type"] not in _SAID:
        return Ignored("a system message")
    if message["author"]["id"] == me.id:
        return Ignored("the bot's own message")
    return _read(message, channel, me, edited=edited)


def said(message: Raw, channel: Raw, me: Identity) -> Message | None:
    """A message as the platform keeps it, the bot's own too; None for what nobody said, or what cannot be read."""
    try:
        if message["type"] not in _SAID:
            return None
        return _read(message, channel, me, edited=bool(message.get("edited_timestamp")))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read(message: Raw, channel: Raw, me: Identity, *, edited: bool) -> Message:
    passed_on = forwarded(message)
    shown = passed_on if passed_on is not None else message
    images, files = _files(shown, str(message["channel_id"]), str(message["id"]))
    alone = len(files) == 1 and images
    text = text_of(message, me) or (text_of(passed_on, me) if passed_on else "")
    chat = chat_of(message, channel)
    return Message(
        chat=chat,
        message_id=ident(message["id"]),
        sender=person_of(message["author"], message.get("member"), webhook=bool(message.get("webhook_id"))),
        ts=datetime.fromisoformat(message["timestamp"]),
        text=text or ("" if files else in_words(shown)),
        addressed=chat.kind == "direct" or addressed(message, me.id),
        thread_name=chat.title if chat.parent_id else None,
        attachments=() if alone else tuple(files),
        image=images[0] if images else None,
        reply=quote_of(message, me),
        forward_from="somebody" if passed_on is not None else None,
        edited=edited,
        command=_command(text) if chat.kind == "direct" else None,
    )


def _reaction(raw: Raw, channel: Raw, me: Identity) -> Inbound:
    emoji = raw["emoji"]
    shown = f":{emoji['name']}:" if emoji.get("id") else str(emoji["name"])
    chat = chat_of(raw, channel)
    person = (raw.get("member") or {}).get("user") or raw.get("user") or {"id": raw["user_id"], "username": ""}
    return Message(
        chat=chat,
        message_id=ident(raw["message_id"]),
        sender=person_of(person, raw.get("member")),
        ts=datetime.fromtimestamp(raw["at"], UTC),
        text=shown,
        addressed=chat.kind == "direct" or raw.get("message_author_id") == me.id,
        thread_name=chat.title if chat.parent_id else None,
        reaction=shown,
    )


def _interaction(raw: Raw, channel: Raw, me: Identity) -> Inbound:
    return _commanded(raw) if raw["type"] == COMMAND else _tap(raw, channel, me)


def _commanded(raw: Raw) -> Inbound:
    """A command from the menu, as the message that it would have been if it had been typed."""
    data = raw["data"]
    if data.get("type", 1) != 1:
        return Ignored("a command on a person or a message")
    words = [str(option["value"]) for option in data.get("options") or () if "value" in option]
    chat, name = chat_of(raw, raw.get("channel") or {}), str(data["name"])
    member = raw.get("member")
    return Message(
        chat=chat,
        message_id=ident(raw["id"]),
        sender=person_of(raw.get("user") or (member or {})["user"], member),
        ts=created_at(raw["id"]),
        text=" ".join([f"/{name}", *words]),
        addressed=True,
        thread_name=chat.title if chat.parent_id else None,
        command=Command(name.lower(), " ".join(words)),
        answer_id=f"{COMMAND_MARK}{ident(raw['id'])}:{raw['token']}",
    )


def _tap(raw: Raw, channel: Raw, me: Identity) -> Inbound:
    del me
    if raw["type"] not in {_COMPONENT, _SUBMIT} or not raw.get("message"):
        return Ignored("an interaction that is no tap")
    data, message = raw["data"], raw["message"]
    # A menu's own name says nothing; what was chosen in it does.
    chosen = data["values"][0] if data.get("component_type") == 3 else data["custom_id"]
    member = raw.get("member")
    return Tap(
        tap_id=f"{ident(raw['id'])}:{raw['token']}",
        data=str(chosen).removesuffix(FORM),
        chat=chat_of(raw, raw.get("channel") or channel),
        message_id=ident(message["id"]),
        sender=person_of(raw.get("user") or (member or {})["user"], member),
        ts=created_at(raw["id"]),
        snapshot=snapshot(message),
        text=next(_typed(data["components"]), "") if raw["type"] == _SUBMIT else None,
    )


_READ = {
    "MESSAGE_CREATE": _created,
    "MESSAGE_UPDATE": _updated,
    "MESSAGE_REACTION_ADD": _reaction,
    "INTERACTION_CREATE": _interaction,
}


# ---- pieces


def _files(message: Raw, channel_id: str, message_id: str) -> tuple[list[Attachment], list[Attachment]]:
    """Pictures, and all files in order. An id names where to ask: Discord's addresses expire after a day."""
    images: list[Attachment] = []
    files: list[Attachment] = []
    for raw in message.get("attachments") or ():
        mime = str(raw.get("content_type") or "").partition(";")[0] or None
        kind = "voice" if raw.get("waveform") else (mime or "").partition("/")[0]
        kind = {"image": "photo", "video": "video", "audio": "audio", "voice": "voice"}.get(kind, "document")
        size = raw.get("size")
        file = Attachment(
            kind,
            f"{ident(channel_id)}.{ident(message_id)}.{ident(raw['id'])}",
            str(raw["filename"]) if raw.get("filename") else None,
            mime,
            int(size) if size is not None else None,
        )
        files.append(file)
        if kind == "photo":
            images.append(file)
    return images, files


def _command(text: str) -> Command | None:
    match = _COMMAND.fullmatch(text)
    return Command(match[1].lower(), (match[2] or "").strip()) if match else None


def _typed(components: Any) -> Iterator[str]:
    """What the fields of a submitted form hold, in order."""
    for one in components:
        if one.get("type") == 4:
            yield str(one.get("value") or "")
        yield from _typed(one.get("components") or ())
        if one.get("component"):
            yield from _typed([one["component"]])
