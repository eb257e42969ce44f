"""Translates gateway events, as Discord sends them, into the neutral values of the core. Pure: no network, no clock.

The journal holds `{"t": NAME, "d": DATA}`, with `"channel": {"type", "name", "parent_id"}` beside it where the event
itself does not say what kind of channel it is from. A message that mentions a role has the bot's own as `own_roles`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from agent_channels.core.contract.messages import (
    Command,
    Identity,
    Ignored,
    Inbound,
    Message,
    RawEvent,
    ReplyContext,
    Tap,
)
from agent_channels.core.i18n.messages import translate
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.sanitize import decode_json_line
from agent_channels.discord.attachments import files_of
from agent_channels.discord.chats import EPOCH_MS, Json, chat_of, person_of, snowflake
from agent_channels.discord.content import SYSTEM, describe, readable_text, words_of
from agent_channels.discord.markup import FORM, snapshot
from agent_channels.discord.message_context import forwarded_message, is_addressed, reply_context

__all__ = ["COMMAND", "COMMAND_MARK", "created_at", "history_message", "to_inbound"]

# "Message Types": the first message of a thread that was made of a message, which it shows; a poll that ended.
_THREAD_STARTER, _POLL_RESULT = 21, 46
# Discord itself says these, and nothing in them is for the agent.
_NOBODYS = SYSTEM - {_THREAD_STARTER, _POLL_RESULT}
_PARTS = ("attachments", "embeds", "components", "poll", "sticker_items", "message_snapshots", "activity")
_ESSENTIAL = (
    "id", "type", "channel_id", "guild_id", "author", "member", "webhook_id", "content", "timestamp", "mentions",
    "mention_roles", "own_roles",
)  # fmt: skip
_COMMAND = lazy_pattern(r"/([A-Za-z_]{1,32})(?:\s+(.*))?", re.DOTALL)
# "Interaction Types"
COMMAND, _COMPONENT, _SUBMIT = 2, 3, 5
# Marks the id under which a command is answered; that of a tap has none.
COMMAND_MARK = "/"


def to_inbound(event: RawEvent, me: Identity) -> Inbound:
    """Translate an event for the bot `me`. Never raises."""
    try:
        raw = cast("Json", json.loads(decode_json_line(event.payload.encode())))
        read = _READ.get(raw["t"])
        if read is None:
            return Ignored("a kind of event that we do not read")
        return read(raw["d"], raw.get("channel") or {}, me)
    except Exception as error:  # noqa: BLE001 - an event that cannot be read must not stop those after it
        return Ignored(f"an event that cannot be read ({type(error).__name__})", unreadable=True)


def created_at(snowflake: str | int) -> datetime:
    """Return when an id was given out, which is part of it ("Snowflakes" in Discord's documentation)."""
    return datetime.fromtimestamp(((int(snowflake) >> 22) + EPOCH_MS) / 1000, UTC)


def _created(message: Json, channel: Json, me: Identity) -> Inbound:
    return _message(message, channel, me, edited=False)


def _updated(message: Json, channel: Json, me: Identity) -> Inbound:
    return _message(message, channel, me, edited=True)


def _message(message: Json, channel: Json, me: Identity, *, edited: bool) -> Inbound:
    if message["type"] in _NOBODYS:
        return Ignored("a system message")
    if message["author"]["id"] == me.id:
        return Ignored("the bot's own message")
    return _read(message, channel, me, edited=edited)


def history_message(message: Json, channel: Json, me: Identity) -> Message | None:
    """Read a message of the history, also of the bot itself; None for system messages and those that cannot be read."""
    try:
        if message["type"] in _NOBODYS:
            return None
        return _read(message, channel, me, edited=bool(message.get("edited_timestamp")))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read(message: Json, channel: Json, me: Identity, *, edited: bool) -> Message:
    try:
        return _whole(message, channel, me, edited=edited)
    except Exception:  # noqa: BLE001 - an unexpected detail must not cost the message
        return _whole(_essential(message), channel, me, edited=edited)


def _essential(message: Json) -> Json:
    """Return a message with its sender, place and text only; other content is named in the text."""
    lost = [key.replace("_", " ") for key in _PARTS if message.get(key)]
    named = {} if message.get("content") or not lost else {"content": f"({', '.join(lost)})"}
    return {key: message[key] for key in _ESSENTIAL if key in message} | named


def _whole(message: Json, channel: Json, me: Identity, *, edited: bool) -> Message:
    if message["type"] == _THREAD_STARTER:
        return _thread_starter(message, channel, me)
    original = forwarded_message(message)
    body = original if original is not None else message
    files = files_of(body, str(message["channel_id"]), str(message["id"]))
    images = [file for file in files if file.kind == "photo"]
    only_image = len(files) == 1 and images
    whole = "\n".join(filter(None, (words_of(message, me), words_of(original, me) if original else "")))
    chat = chat_of(message, channel)
    return Message(
        chat=chat,
        message_id=snowflake(message["id"]),
        sender=person_of(message["author"], message.get("member"), webhook=bool(message.get("webhook_id"))),
        ts=datetime.fromisoformat(message["timestamp"]),
        text=whole or ("" if files else describe(body)),
        addressed=chat.kind == "direct" or is_addressed(message, me.id),
        thread_name=chat.title if chat.parent_id else None,
        attachments=() if only_image else tuple(files),
        image=images[0] if images else None,
        reply=_reply(message, me),
        forward_from="somebody" if original is not None else None,
        edited=edited,
        command=_command(readable_text(body, me)) if chat.kind == "direct" else None,
        passive=message["type"] == _POLL_RESULT,
    )


def _reply(message: Json, me: Identity) -> ReplyContext | None:
    try:
        return reply_context(message, me)
    except Exception:  # noqa: BLE001 - what it replies to must not cost the message's own content
        return None


def _thread_starter(message: Json, channel: Json, me: Identity) -> Message:
    """Read the message that a thread was made of, as the thread shows it; who opened the thread wrote nothing."""
    replied, chat = message.get("referenced_message"), chat_of(message, channel)
    text, files = translate("thread_starter_gone"), []
    if replied:
        body = forwarded_message(replied) or replied
        author = person_of(replied["author"]).display_name
        text = f"{translate('thread_starter', user=author)} {words_of(body, me) or describe(body)}"
        files = files_of(body, str(replied.get("channel_id") or message["channel_id"]), str(replied["id"]))
    return Message(
        chat=chat,
        message_id=snowflake(message["id"]),
        sender=person_of(message["author"], message.get("member"), webhook=bool(message.get("webhook_id"))),
        ts=datetime.fromisoformat(message["timestamp"]),
        text=text,
        addressed=False,
        thread_name=chat.title if chat.parent_id else None,
        attachments=tuple(files),
        image=next((file for file in files if file.kind == "photo"), None),
        passive=True,
    )


def _reaction(raw: Json, channel: Json, me: Identity) -> Inbound:
    emoji = raw["emoji"]
    text = f":{emoji['name']}:" if emoji.get("id") else str(emoji["name"])
    chat = chat_of(raw, channel)
    person = (raw.get("member") or {}).get("user") or raw.get("user") or {"id": raw["user_id"], "username": ""}
    return Message(
        chat=chat,
        message_id=snowflake(raw["message_id"]),
        sender=person_of(person, raw.get("member")),
        ts=datetime.fromtimestamp(raw["at"], UTC),
        text=text,
        addressed=chat.kind == "direct" or raw.get("message_author_id") == me.id,
        thread_name=chat.title if chat.parent_id else None,
        reaction=text,
    )


def _interaction(raw: Json, channel: Json, me: Identity) -> Inbound:
    return _menu_command(raw) if raw["type"] == COMMAND else _tap(raw, channel, me)


def _menu_command(raw: Json) -> Inbound:
    """Read a command from the menu as the message that it would be if it had been typed."""
    data = raw["data"]
    if data.get("type", 1) != 1:
        return Ignored("a command on a person or a message")
    words = [str(option["value"]) for option in data.get("options") or () if "value" in option]
    chat, name = chat_of(raw, raw.get("channel") or {}), str(data["name"])
    member = raw.get("member")
    return Message(
        chat=chat,
        message_id=snowflake(raw["id"]),
        sender=person_of(raw.get("user") or (member or {})["user"], member),
        ts=created_at(raw["id"]),
        text=" ".join([f"/{name}", *words]),
        addressed=True,
        thread_name=chat.title if chat.parent_id else None,
        command=Command(name.lower(), " ".join(words)),
        answer_id=f"{COMMAND_MARK}{snowflake(raw['id'])}:{raw['token']}",
    )


def _tap(raw: Json, channel: Json, me: Identity) -> Inbound:
    del me
    if raw["type"] not in {_COMPONENT, _SUBMIT} or not raw.get("message"):
        return Ignored("an interaction other than a tap")
    data, message = raw["data"], raw["message"]
    # A menu is known by the option that was chosen, not by its own name.
    chosen = data["values"][0] if data.get("component_type") == 3 else data["custom_id"]
    member = raw.get("member")
    return Tap(
        tap_id=f"{snowflake(raw['id'])}:{raw['token']}",
        data=str(chosen).removesuffix(FORM),
        chat=chat_of(raw, raw.get("channel") or channel),
        message_id=snowflake(message["id"]),
        sender=person_of(raw.get("user") or (member or {})["user"], member),
        ts=created_at(raw["id"]),
        snapshot=snapshot(message),
        text=next(_typed(data["components"]), "") if raw["type"] == _SUBMIT else None,
        shown=frozenset(_shown(message["components"])) if "components" in message else None,
    )


_READ = {
    "MESSAGE_CREATE": _created,
    "MESSAGE_UPDATE": _updated,
    "MESSAGE_REACTION_ADD": _reaction,
    "INTERACTION_CREATE": _interaction,
}


# ---- parts of a message


def _command(text: str) -> Command | None:
    match = _COMMAND.fullmatch(text)
    return Command(match[1].lower(), (match[2] or "").strip()) if match else None


def _shown(components: Any) -> Iterator[str]:
    """Yield what the buttons of a message, and the options of its menus, carry."""
    for component in components or ():
        for carried in (component.get("custom_id"), *(one.get("value") for one in component.get("options") or ())):
            if carried is not None:
                yield str(carried).removesuffix(FORM)
        yield from _shown(component.get("components"))


def _typed(components: Any) -> Iterator[str]:
    """Yield the values of the fields of a submitted form, in order."""
    for component in components:
        if component.get("type") == 4:
            yield str(component.get("value") or "")
        yield from _typed(component.get("components") or ())
        if component.get("component"):
            yield from _typed([component["component"]])
