"""People with their phones: what they send, tap, edit and react with, and what they see."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent_channels.sandbox.buttons import find_button
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S
from agent_channels.sandbox.telegram.drafts import shown_drafts
from agent_channels.sandbox.telegram.entities import detect
from agent_channels.sandbox.telegram.images import sample_png
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.records import (
    GENERAL_TOPIC,
    CallbackQuery,
    Message,
    TelegramChat,
    TelegramUser,
    as_replied,
    member_object,
    new_poll,
    quote_of,
)
from agent_channels.sandbox.telegram.rich_blocks import check_blocks
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.topics import Topic

__all__ = ["ButtonTap", "CallbackAnswer", "HasChat", "TelegramPerson"]


IMPLICIT_NAME = "New Chat"


class HasChat(Protocol):
    """Anything with a chat record: a TelegramGroup."""

    @property
    def chat(self) -> TelegramChat:
        """The record."""


@dataclass(frozen=True)
class CallbackAnswer:
    """The bot's answer to a tap."""

    text: str
    show_alert: bool


@dataclass(frozen=True)
class ButtonTap:
    """A tap on a button that the bot has or has not answered yet."""

    state: TelegramState
    query: CallbackQuery

    @property
    def id(self) -> str:
        """The callback query's id."""
        return self.query.id

    @property
    def answer(self) -> CallbackAnswer | None:
        """The bot's answer, None while the button still spins."""
        if self.query.answer is None:
            return None
        return CallbackAnswer(self.query.answer["text"], self.query.answer["show_alert"])

    async def answered(self, timeout: float = DEFAULT_TIMEOUT_S) -> CallbackAnswer:
        """Wait for the bot's answerCallbackQuery. Raises TimeoutError."""
        return await self.state.wait_for(lambda: self.answer, timeout)


class TelegramPerson:
    """A person. Every method acts at once; the ones that send return the message as the bot receives it.

    `chat` is a group, None the private chat with the bot. `forward_from` is a person, or the name of one whose account
    is hidden. All methods raise LookupError or ValueError with the reason when a real phone would not allow the action.
    """

    def __init__(self, state: TelegramState, user: TelegramUser, handle: str) -> None:
        self.state = state
        self.user = user
        self.handle = handle
        self.dm = state.chats[user.id]

    @property
    def id(self) -> int:
        """The user id, which is the id of the private chat too."""
        return self.user.id

    # --- sending

    def send(
        self,
        text: str,
        *,
        chat: HasChat | None = None,
        thread_id: int | None = None,
        reply_to: int | None = None,
        quote: str | None = None,
        forward_from: TelegramPerson | str | None = None,
        entities: Sequence[dict[str, Any]] | None = None,
    ) -> Message:
        """Send a text. `entities` replaces the ones Telegram would detect."""
        spans = list(entities) if entities is not None else detect(text)
        fields: Message = {"text": text, **({"entities": spans} if spans else {})}
        return self._post(fields, chat, thread_id, reply_to, quote, forward_from)

    def start(self, payload: str | None = None) -> Message:
        """Press Start, or follow a deep link with a payload."""
        return self.send(f"/start {payload}" if payload else "/start")

    def send_media(
        self,
        kind: str,
        data: bytes | None = None,
        *,
        file_name: str = "",
        mime: str = "",
        caption: str | None = None,
        chat: HasChat | None = None,
        thread_id: int | None = None,
        reply_to: int | None = None,
        media_group_id: str | None = None,
        forward_from: TelegramPerson | str | None = None,
        **facts: Any,
    ) -> Message:
        """Send a file as one of the kinds in MEDIA; without data, a small sample."""
        if kind not in MEDIA:
            raise ValueError(f"no kind of file {kind!r}: use one of {', '.join(MEDIA)}")
        fields = self.state.files.add(kind, _sample(kind) if data is None else data, file_name, mime, **facts)
        if caption:
            fields["caption"] = caption
            if spans := detect(caption):
                fields["caption_entities"] = spans
        if media_group_id:
            fields["media_group_id"] = media_group_id
        return self._post(fields, chat, thread_id, reply_to, None, forward_from)

    def send_photo(self, data: bytes | None = None, **options: Any) -> Message:
        """Send a photo; options as for `send_media`."""
        return self.send_media("photo", data, **options)

    def send_document(
        self, data: bytes | None = None, file_name: str = "notes.txt", mime: str = "text/plain", **options: Any
    ) -> Message:
        """Send a file; options as for `send_media`."""
        return self.send_media("document", data, file_name=file_name, mime=mime, **options)

    def send_voice(self, data: bytes | None = None, duration: int = 3, **options: Any) -> Message:
        """Send a voice note of `duration` seconds."""
        return self.send_media("voice", data, duration=duration, **options)

    def send_audio(
        self, data: bytes | None = None, file_name: str = "song.mp3", duration: int = 180, **options: Any
    ) -> Message:
        """Send a piece of music; `title` and `performer` are options too."""
        return self.send_media("audio", data, file_name=file_name, duration=duration, **options)

    def send_video(self, data: bytes | None = None, file_name: str = "clip.mp4", **options: Any) -> Message:
        """Send a video."""
        return self.send_media("video", data, **_video_facts(file_name=file_name, **options))

    def send_animation(self, data: bytes | None = None, file_name: str = "fun.mp4", **options: Any) -> Message:
        """Send a silent loop."""
        return self.send_media("animation", data, **_video_facts(file_name=file_name, **options))

    def send_video_note(self, data: bytes | None = None, duration: int = 5, **options: Any) -> Message:
        """Send a round video."""
        return self.send_media("video_note", data, **{"length": 240, "duration": duration, **options})

    def send_sticker(self, data: bytes | None = None, emoji: str = "👍", **options: Any) -> Message:
        """Send a sticker."""
        facts = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self.send_media("sticker", data, **{**facts, "emoji": emoji, **options})

    def send_album(self, items: Sequence[Any], *, kind: str = "photo", **options: Any) -> list[Message]:
        """Send 2-10 files as one album, one update each.

        An item is bytes, None for a sample, or a dict of `send_media` options with "data".
        """
        if not 2 <= len(items) <= 10:
            raise ValueError(f"an album has 2-10 items, not {len(items)}")
        group = str(secrets.randbits(53))
        parts = [item if isinstance(item, dict) else {"data": item} for item in items]
        return [self.send_media(**{"kind": kind, **options, **part, "media_group_id": group}) for part in parts]

    def send_location(self, latitude: float = 52.52, longitude: float = 13.405, **options: Any) -> Message:
        """Send a point on the map."""
        return self._post_with_options({"location": {"latitude": latitude, "longitude": longitude}}, options)

    def send_contact(self, phone_number: str = "+491701234567", first_name: str = "Bo", **options: Any) -> Message:
        """Send a contact's number."""
        return self._post_with_options({"contact": {"phone_number": phone_number, "first_name": first_name}}, options)

    def send_dice(self, value: int = 4, emoji: str = "🎲", **options: Any) -> Message:
        """Send a die that shows `value`."""
        return self._post_with_options({"dice": {"emoji": emoji, "value": value}}, options)

    def send_poll(self, question: str, choices: Sequence[str], **options: Any) -> Message:
        """Send an anonymous poll."""
        return self._post_with_options({"poll": new_poll(question, choices, anonymous=True, multiple=False)}, options)

    def send_content(self, fields: Message, **options: Any) -> Message:
        """Send what no other method sends, given as the fields that the Bot API's Message has for it."""
        return self._post_with_options(copy.deepcopy(fields), options)

    def send_rich(self, blocks: Sequence[dict[str, Any]], **options: Any) -> Message:
        """Send a rich message, as people with the newest programs do; it has no text besides its blocks."""
        check_blocks(list(blocks))
        return self._post_with_options({"rich_message": {"blocks": copy.deepcopy(list(blocks))}}, options)

    def send_ephemeral(self, text: str, *, chat: HasChat) -> Message:
        """Send a text to the bot that nobody else in a group sees: its id is 0, and it has a number of its own."""
        record = self._chat(chat)
        fields = {"text": text, "entities": detect(text)}
        return copy.deepcopy(self.state.post_ephemeral(record, self.user, self.state.bot, fields))

    def command(self, text: str, *, chat: HasChat | None = None) -> Message:
        """Send a command from the bot's menu: one that the bot made ephemeral is seen by nobody else in a group."""
        menu = self.state.commands.get(("default", ""), ())
        entry = next((one for one in menu if text.split(maxsplit=1)[0] == f"/{one['command']}"), None)
        if entry is None:
            raise LookupError(f"{text!r} is not in the menu: {[one['command'] for one in menu]}")
        if chat is not None and entry.get("is_ephemeral"):
            return self.send_ephemeral(text, chat=chat)
        return self.send(text, chat=chat)

    # --- topics and drafts

    def topic(self, name: str) -> Topic:
        """Open a topic in the private chat. Raises ValueError where the bot has no topics or people open none."""
        if not all(self.state.settings.values()):
            raise ValueError("people open no topics in this bot's private chats: set_topics(on=True)")
        self.dm.started = True
        return Topic(self.state, self.dm, self.user, self.state.open_topic(self.dm, self.user, name))

    def topic_of(self, thread_id: int) -> Topic:
        """Return a topic of the private chat. Raises LookupError if there is no such topic."""
        if thread_id not in self.dm.topics:
            raise LookupError(f"no topic {thread_id}; there are {sorted(self.dm.topics)}")
        return Topic(self.state, self.dm, self.user, thread_id)

    def stop_draft(self, thread_id: int | None = None) -> None:
        """Press Stop on the draft that the private chat, or a topic of it, shows. Raises LookupError without one."""
        draft = next((one for one in shown_drafts(self.state, self.dm) if one.thread_id == thread_id), None)
        if draft is None or not draft.can_stop:
            raise LookupError("no draft with a Stop button is shown there")
        if not draft.keep_on_stop:
            del self.dm.drafts[thread_id]
        # An id of 64 bits, which comes as a string.
        stopped: dict[str, Any] = {"chat": self.dm.as_dict(), "draft_id": str(draft.id)}
        if thread_id is not None:
            stopped["message_thread_id"] = thread_id
        self.state.updates.add("stopped_message_generation", stopped)
        self.state.changed()

    # --- acting on messages

    def edit(self, message_id: int, text: str, *, chat: HasChat | None = None) -> Message:
        """Replace the text of the person's own message, or the caption if it is a file."""
        record = self._chat(chat)
        message = self._message(record, message_id)
        if message["from"]["id"] != self.id:
            raise ValueError(f"message {message_id} is not {self.handle}'s to edit")
        if message.pop("rich_message", None):
            message["text"] = ""
        name, entities = ("text", "entities") if "text" in message else ("caption", "caption_entities")
        message[name] = text
        message.pop(entities, None)
        if spans := detect(text):
            message[entities] = spans
        self.state.edited(record, message)
        return copy.deepcopy(message)

    def edit_rich(self, message_id: int, blocks: Sequence[dict[str, Any]], *, chat: HasChat | None = None) -> Message:
        """Replace the content of the person's own text or rich message by blocks."""
        check_blocks(list(blocks))
        message = self._message(self._chat(chat), message_id)
        if message["from"]["id"] != self.id or not {"text", "rich_message"} & message.keys():
            raise ValueError(f"message {message_id} is not a text of {self.handle}'s")
        for name in ("text", "entities"):
            message.pop(name, None)
        message["rich_message"] = {"blocks": copy.deepcopy(list(blocks))}
        self.state.edited(self._chat(chat), message)
        return copy.deepcopy(message)

    def delete(self, message_id: int, *, chat: HasChat | None = None) -> None:
        """Delete a message; bots get no update about that."""
        record = self._chat(chat)
        self._message(record, message_id)
        del record.messages[message_id]
        self.state.changed()

    def react(self, message_id: int, emoji: str | None, *, chat: HasChat | None = None) -> None:
        """Set the person's reaction, None removes it. In groups only an administrator bot gets an update."""
        record = self._chat(chat)
        self._message(record, message_id)
        by_user = record.reactions.setdefault(message_id, {})
        old = by_user.pop(self.id, [])
        new = [{"type": "emoji", "emoji": emoji}] if emoji else []
        if new:
            by_user[self.id] = new
        if record.members.get(self.state.bot.id) == "administrator" if record.is_group else not record.blocked:
            update = {"chat": record.as_dict(), "message_id": message_id, "user": self.user.as_dict()}
            update |= {"date": int(self.state.now()), "old_reaction": old, "new_reaction": new}
            self.state.updates.add("message_reaction", update)
        self.state.changed()

    def tap(
        self,
        message_id: int,
        row: int = 0,
        col: int = 0,
        *,
        label: str | None = None,
        data: str | None = None,
        chat: HasChat | None = None,
    ) -> ButtonTap:
        """Tap a button by row and column or by label; `data` sends forged callback data instead."""
        record = self._chat(chat)
        message = self._message(record, message_id)
        if data is None:
            data = _button_data(message, row, col, label)
        query = CallbackQuery(str(secrets.randbits(62)), self.state.now(), self.id, record.id, message_id, data)
        self.state.queries[query.id] = query
        instance = str(abs(record.id) * 7919)
        update = {"id": query.id, "from": self.user.as_dict(), "message": copy.deepcopy(message)}
        self.state.updates.add("callback_query", {**update, "chat_instance": instance, "data": data})
        self.state.changed()
        return ButtonTap(self.state, query)

    def vote(self, message_id: int, *choices: int, chat: HasChat | None = None) -> None:
        """Vote in a poll."""
        message = self._message(self._chat(chat), message_id)
        poll = message.get("poll")
        if poll is None or poll["is_closed"]:
            raise LookupError(f"message {message_id} is not an open poll")
        for choice in choices:
            poll["options"][choice]["voter_count"] += 1
        poll["total_voter_count"] += 1
        if not poll["is_anonymous"]:
            answer = {"poll_id": poll["id"], "user": self.user.as_dict(), "option_ids": list(choices)}
            persistent = [poll["options"][choice]["persistent_id"] for choice in choices]
            self.state.updates.add("poll_answer", {**answer, "option_persistent_ids": persistent})
        if message["from"]["is_bot"]:
            self.state.updates.add("poll", copy.deepcopy(poll))
        self.state.changed()

    # --- the account

    def block(self) -> None:
        """Block the bot."""
        self._set_blocked(blocked=True)

    def unblock(self) -> None:
        """Unblock the bot."""
        self._set_blocked(blocked=False)

    def deactivate(self) -> None:
        """Delete the account."""
        self.user.is_deactivated = True
        self.state.changed()

    # --- seeing

    def messages(self) -> list[Message]:
        """Return the private chat as it looks now, oldest first."""
        return self.dm.current_messages()

    @property
    def inbox(self) -> list[Message]:
        """The bot's messages in the private chat as they look now."""
        return [message for message in self.messages() if message["from"]["id"] == self.state.bot.id]

    @property
    def ephemerals(self) -> list[Message]:
        """The bot's messages that this person alone sees, in any chat, oldest first."""
        own = [one.message for one in self.state.ephemerals.values() if one.user_id == self.id]
        return [copy.deepcopy(message) for message in own if message["from"]["id"] == self.state.bot.id]

    async def next_message(self, timeout: float = DEFAULT_TIMEOUT_S) -> Message:
        """Return the bot's next message in the private chat, each message once. Raises TimeoutError."""
        return copy.deepcopy(await self.state.next_bot_message(self.dm, timeout))

    # --- inside

    def _chat(self, group: HasChat | None) -> TelegramChat:
        if group is None:
            return self.dm
        if group.chat.members.get(self.id) in {None, "left", "kicked"}:
            raise LookupError(f"{self.handle} is not in {group.chat.title!r}: add them with group.add(person)")
        if group.chat.migrated_to is not None:
            raise LookupError(f"{group.chat.title!r} was upgraded: use what group.migrate() returned")
        return group.chat

    def _message(self, chat: TelegramChat, message_id: int) -> Message:
        if message_id not in chat.messages:
            raise LookupError(f"no message {message_id} in chat {chat.id}; there are {sorted(chat.messages)}")
        return chat.messages[message_id]

    def _post_with_options(self, fields: Message, options: dict[str, Any]) -> Message:
        known = ("chat", "thread_id", "reply_to", "quote", "forward_from")
        unknown = set(options) - set(known)
        if unknown:
            raise TypeError(f"unknown option {', '.join(sorted(unknown))}: use {', '.join(known)}")
        return self._post(fields, *(options.get(name) for name in known))

    def _post(
        self,
        fields: Message,
        group: HasChat | None,
        thread_id: int | None,
        reply_to: int | None,
        quote: str | None,
        forward_from: TelegramPerson | str | None,
    ) -> Message:
        chat = self._chat(group)
        if chat is self.dm:
            if chat.blocked:
                raise ValueError(f"{self.handle} has blocked the bot: unblock() first")
            chat.started = True
        elif chat.kind == "channel" and chat.members[self.id] == "member":
            raise LookupError(f"{self.handle} only reads {chat.title!r}: its owner posts there")
        extra: Message = {}
        if chat is self.dm and thread_id is None:
            thread_id = self._private_topic(reply_to)
        if thread_id is not None and thread_id != GENERAL_TOPIC:
            if thread_id not in chat.topics:
                raise LookupError(f"no topic {thread_id} in chat {chat.id}; there are {sorted(chat.topics)}")
            extra = {"message_thread_id": thread_id, "is_topic_message": True}
            if chat.is_forum:
                extra["reply_to_message"] = chat.topic_root(thread_id)
        if reply_to is not None:
            extra |= _reply_fields(self._message(chat, reply_to), quote)
        if forward_from is not None:
            extra["forward_origin"] = _origin(forward_from, int(self.state.now()))
        return copy.deepcopy(self.state.post(chat, self.user, fields, **extra))

    def _private_topic(self, reply_to: int | None) -> int | None:
        """Return where a message of the private chat goes that names no topic: it begins one, if there are topics."""
        if reply_to is not None and (thread := self._message(self.dm, reply_to).get("message_thread_id")):
            return int(thread)
        if not all(self.state.settings.values()):
            return None
        return self.state.open_topic(self.dm, self.user, IMPLICIT_NAME, implicit=True)

    def _set_blocked(self, *, blocked: bool) -> None:
        if self.dm.blocked == blocked:
            return
        bot = self.state.bot
        statuses = [member_object(bot, "member"), member_object(bot, "kicked")]
        old, new = statuses if blocked else statuses[::-1]
        self.dm.blocked = blocked
        change = {"chat": self.dm.as_dict(), "from": self.user.as_dict(), "date": int(self.state.now())}
        members = {"old_chat_member": old, "new_chat_member": new}
        self.state.updates.add("my_chat_member", {**change, **members})
        self.state.changed()


def _reply_fields(replied: Message, quote: str | None) -> Message:
    fields: Message = {"reply_to_message": as_replied(replied)}
    if replied.get("is_topic_message"):
        fields |= {"message_thread_id": replied["message_thread_id"], "is_topic_message": True}
    if quote is not None:
        fields["quote"] = quote_of(replied, quote)
        if fields["quote"] is None:
            raise ValueError(f"{quote!r} is not in message {replied['message_id']}")
    return fields


def _origin(source: TelegramPerson | str, now: int) -> dict[str, Any]:
    if isinstance(source, str):
        return {"type": "hidden_user", "date": now, "sender_user_name": source}
    return {"type": "user", "date": now, "sender_user": source.user.as_dict()}


def _video_facts(**options: Any) -> dict[str, Any]:
    return {"width": 320, "height": 240, "duration": 5, **options}


def _sample(kind: str) -> bytes:
    return sample_png() if kind in {"photo", "sticker"} else f"a sample {kind} ".encode() * 8


def _button_data(message: Message, row: int, col: int, label: str | None) -> str:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    button = find_button(message["message_id"], rows, row, col, label=label, label_field="text")
    if "callback_data" not in button:
        raise LookupError(f"button {button['text']!r} sends nothing to the bot: it is {sorted(button)}")
    return str(button["callback_data"])
