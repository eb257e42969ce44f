"""Translates events, as Slack sends them, into the neutral values of the core. Pure: no network, no clock.

The journal holds `{"t": KIND, "d": DATA}`, with `"names"` beside it (see `NameCache.names_for`), and `"at"`, the time
of receipt, where the event itself does not say when it happened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from agent_channels.core.contract.messages import (
    Chat,
    Command,
    Identity,
    Ignored,
    Inbound,
    Membership,
    Message,
    Person,
    RawEvent,
    Tap,
)
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.sanitize import decode_json_line
from agent_channels.slack.attachments import files_of
from agent_channels.slack.chats import Json, chat_id_of, chat_of, is_direct, person_of, ts_seconds
from agent_channels.slack.content import NOBODYS, describe, readable_text, without_mention, words_of
from agent_channels.slack.emoji import emoji_of
from agent_channels.slack.interactions import answer_id, chosen_data, form_of, typed_text
from agent_channels.slack.markup import FORM, snapshot
from agent_channels.slack.message_context import forwarded_from, is_addressed, reply_context, thread_of
from agent_channels.slack.settings import command_of

__all__ = ["history_message", "to_inbound"]

_PARTS = ("attachments", "blocks", "files")
_ESSENTIAL = ("ts", "thread_ts", "channel", "channel_type", "user", "bot_id", "text", "parent_user_id", "subtype")
_COMMAND = lazy_pattern(r"/([A-Za-z0-9_-]{1,40})(?:\s+(.*))?", re.DOTALL)


def to_inbound(event: RawEvent, me: Identity, own_user: str) -> Inbound:
    """Translate an event for the bot `me`, whose id among people is `own_user`. Never raises."""
    try:
        raw = cast("Json", json.loads(decode_json_line(event.payload.encode())))
        read = _READ.get(raw["t"])
        if read is None:
            return Ignored("a kind of event that we do not read", unreadable=raw["t"] == "unreadable")
        return read(raw, me, own_user)
    except Exception as error:  # noqa: BLE001 - an event that cannot be read must not stop those after it
        return Ignored(f"an event that cannot be read ({type(error).__name__})", unreadable=True)


def history_message(message: Json, names: Json, me: Identity, own_user: str) -> Message | None:
    """Read a message of the history, also of the bot itself; None for system messages and those that cannot be read."""
    try:
        if message.get("subtype") in NOBODYS:
            return None
        return _read(message, names, me, own_user, edited=bool(message.get("edited")))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _message(raw: Json, me: Identity, own_user: str) -> Inbound:
    message = raw["d"]
    if message.get("subtype") in NOBODYS:
        return Ignored("a system message")
    if message.get("user") == own_user:
        return Ignored("the bot's own message")
    return _read(message, raw.get("names") or {}, me, own_user, edited=raw["t"] == "edited")


def _read(message: Json, names: Json, me: Identity, own_user: str, *, edited: bool) -> Message:
    try:
        return _whole(message, names, me, own_user, edited=edited)
    except Exception:  # noqa: BLE001 - an unexpected detail must not cost the message
        return _whole(_essential(message), {}, me, own_user, edited=edited)


def _essential(message: Json) -> Json:
    """Return a message with its sender, place and text only; other content is named in the text."""
    lost = [key for key in _PARTS if message.get(key)]
    named = {} if message.get("text") or not lost else {"text": f"({', '.join(lost)})"}
    return {key: message[key] for key in _ESSENTIAL if key in message} | named


def _whole(message: Json, names: Json, me: Identity, own_user: str, *, edited: bool) -> Message:
    files = files_of(message)
    images = [file for file in files if file.kind == "photo"]
    only_image = len(files) == 1 and images
    chat, ts = chat_of(message, names), str(message["ts"])
    addressed = is_addressed(message, own_user)
    return Message(
        chat=chat,
        message_id=ts,
        sender=person_of(message, names, me, own_user),
        ts=datetime.fromtimestamp(ts_seconds(ts), UTC),
        text=words_of(message, names, me, own_user) or ("" if files else describe(message)),
        addressed=addressed,
        thread_id=thread_of(message),
        attachments=() if only_image else tuple(files),
        image=images[0] if images else None,
        reply=reply_context(message, names, me, own_user),
        forward_from=forwarded_from(message),
        edited=edited,
        command=_command(message, names, me, own_user) if addressed else None,
    )


def _told(raw: Json, me: Identity, own_user: str) -> Inbound:
    del raw, me, own_user
    return Ignored("an edit of a message that was handed over as it has been since")


def _reaction(raw: Json, me: Identity, own_user: str) -> Inbound:
    event, names = raw["d"], raw.get("names") or {}
    item = event["item"]
    place = {"channel": item["channel"]}
    emoji = emoji_of(str(event["reaction"]))
    ts_seconds(str(item["ts"]))
    return Message(
        chat=chat_of(place, names),
        message_id=str(item["ts"]),
        sender=person_of({"user": event["user"]}, names, me, own_user),
        ts=datetime.fromtimestamp(ts_seconds(str(event["event_ts"])), UTC),
        text=emoji,
        addressed=is_direct(place) or event.get("item_user") == own_user,
        reaction=emoji,
    )


def _command(message: Json, names: Json, me: Identity, own_user: str) -> Command | None:
    bare = without_mention(str(message.get("text") or ""), own_user)
    match = _COMMAND.fullmatch(readable_text(bare, names, me, own_user))
    name = command_of(f"/{match[1]}") if match else ""
    return Command(name, (match[2] or "").strip()) if match and name else None


def _slash(raw: Json, me: Identity, own_user: str) -> Inbound:
    """Read a slash command as the message that it would be if it had been typed."""
    data, name = raw["d"], command_of(str(raw["d"]["command"]))
    if not name:
        return Ignored("a command that is not one of ours")
    words = readable_text(str(data.get("text") or ""), {}, me, own_user)
    return Message(
        chat=_place(data["channel_id"], data.get("channel_name")),
        message_id=f"command:{data['trigger_id']}",
        sender=Person(chat_id_of(data["user_id"]), "", str(data.get("user_name") or "") or None),
        ts=datetime.fromtimestamp(raw["at"], UTC),
        text=" ".join(filter(None, (f"/{name}", words))),
        addressed=True,
        command=Command(name, words),
        answer_id=answer_id(data["channel_id"], data["user_id"], None, data.get("response_url")),
    )


def _place(channel: Any, name: Any = None) -> Chat:
    chat_id = chat_id_of(channel)
    if name == "directmessage" or chat_id.startswith("D"):
        return Chat(chat_id, "direct")
    return Chat(chat_id, "group", str(name) if name else None)


def _interactive(raw: Json, me: Identity, own_user: str) -> Inbound:
    del me, own_user
    data, at = raw["d"], datetime.fromtimestamp(raw["at"], UTC)
    user = data["user"]
    handle, name = user.get("username") or user.get("name"), user.get("name") or ""
    sender = Person(chat_id_of(user["id"]), str(name), str(handle) if handle else None)
    if data["type"] == "view_submission":
        form = form_of(data)
        return Tap(
            tap_id=answer_id(form["channel"], user["id"], form["thread"], form["url"]),
            data=str(form["data"]),
            chat=_place(form["channel"], form.get("name")),
            message_id=str(form["message"]),
            sender=sender,
            ts=at,
            thread_id=form["thread"],
            text=typed_text(data),
        )
    if data["type"] != "block_actions" or not data.get("message"):
        return Ignored("an interaction other than a tap")
    message, channel = data["message"], data["channel"]
    chosen = chosen_data(data)
    if chosen is None:
        return Ignored("a button that sends nothing")
    ts_seconds(str(message["ts"]))
    thread = thread_of(message)
    return Tap(
        tap_id=answer_id(channel["id"], user["id"], thread, data.get("response_url")),
        data=chosen.removesuffix(FORM),
        chat=_place(channel["id"], channel.get("name")),
        message_id=str(message["ts"]),
        sender=sender,
        ts=at,
        thread_id=thread,
        snapshot=snapshot(message),
        shown=frozenset(_shown(message["blocks"])) if "blocks" in message else None,
    )


def _shown(blocks: Any) -> Iterator[str]:
    """Yield what the buttons of a message, and the options of its menus, carry."""
    for block in blocks:
        for element in (block.get("elements") or ()) if block.get("type") == "actions" else ():
            for carried in (element.get("value"), *(one.get("value") for one in element.get("options") or ())):
                if carried is not None:
                    yield str(carried).removesuffix(FORM)


def _joined(raw: Json, me: Identity, own_user: str) -> Inbound:
    event = raw["d"]
    chat = _place(event["channel"])
    if event["user"] != own_user:
        return Ignored("somebody joined, who can read what was said before")
    by = event.get("inviter") or event["user"]
    return Membership(chat, person_of({"user": by}, {}, me, own_user), present=True)


def _left(raw: Json, me: Identity, own_user: str) -> Inbound:
    event = raw["d"]
    by = person_of({"user": event.get("actor_id") or own_user}, {}, me, own_user)
    return Membership(_place(event["channel"]), by, present=False)


_READ = {
    "message": _message,
    "edited": _message,
    "told": _told,
    "reaction": _reaction,
    "command": _slash,
    "interactive": _interactive,
    "member_joined_channel": _joined,
    "channel_left": _left,
    "group_left": _left,
}
