"""Sending from a phone: text, files, albums, places, contacts, dice and polls."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent_channels.sandbox.telegram.entities import detect
from agent_channels.sandbox.telegram.images import sample_png
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.records import GENERAL_TOPIC, Message, TelegramChat, TelegramUser, quoted
from agent_channels.sandbox.telegram.send_methods import poll_dict
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.targets import topic_root

if TYPE_CHECKING:
    from agent_channels.sandbox.telegram.groups import TelegramGroup

__all__ = ["TelegramPhone"]


class TelegramPhone:
    """Somebody's phone. Every verb acts at once and returns the message as the bot receives it.

    `chat` is a group, None means the private chat with the bot; `forward_from` is a person, or the name of a hidden
    one. All verbs raise LookupError or ValueError with the reason when a real phone would not allow them.
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

    def send(
        self,
        text: str,
        *,
        chat: TelegramGroup | None = None,
        thread_id: int | None = None,
        reply_to: int | None = None,
        quote: str | None = None,
        forward_from: TelegramPhone | str | None = None,
        entities: Sequence[dict[str, Any]] | None = None,
    ) -> Message:
        """Text. `entities` replaces what Telegram would detect; `forward_from`: a person, or a hidden name."""
        found = list(entities) if entities is not None else detect(text)
        fields: Message = {"text": text, **({"entities": found} if found else {})}
        return self._post(fields, chat, thread_id, reply_to, quote, forward_from)

    def start(self, payload: str | None = None) -> Message:
        """Presses Start, by a deep link if there is a payload."""
        return self.send(f"/start {payload}" if payload else "/start")

    def send_media(
        self,
        kind: str,
        data: bytes | None = None,
        *,
        file_name: str = "",
        mime: str = "",
        caption: str | None = None,
        chat: TelegramGroup | None = None,
        thread_id: int | None = None,
        reply_to: int | None = None,
        media_group_id: str | None = None,
        forward_from: TelegramPhone | str | None = None,
        **facts: Any,
    ) -> Message:
        """A file as photo, document, audio, voice, video, video_note, animation or sticker; no data: a small sample."""
        if kind not in MEDIA:
            raise ValueError(f"no kind of file {kind!r}: use one of {', '.join(MEDIA)}")
        fields = self.state.files.content(kind, _sample(kind) if data is None else data, file_name, mime, **facts)
        if caption:
            fields["caption"] = caption
            if found := detect(caption):
                fields["caption_entities"] = found
        if media_group_id:
            fields["media_group_id"] = media_group_id
        return self._post(fields, chat, thread_id, reply_to, None, forward_from)

    def send_photo(self, data: bytes | None = None, **options: Any) -> Message:
        """A photo; options as for `send_media`."""
        return self.send_media("photo", data, **options)

    def send_document(
        self, data: bytes | None = None, file_name: str = "notes.txt", mime: str = "text/plain", **options: Any
    ) -> Message:
        """A file; options as for `send_media`."""
        return self.send_media("document", data, file_name=file_name, mime=mime, **options)

    def send_voice(self, data: bytes | None = None, duration: int = 3, **options: Any) -> Message:
        """A voice note of `duration` seconds."""
        return self.send_media("voice", data, duration=duration, **options)

    def send_audio(
        self, data: bytes | None = None, file_name: str = "song.mp3", duration: int = 180, **options: Any
    ) -> Message:
        """A piece of music; `title` and `performer` are options too."""
        return self.send_media("audio", data, file_name=file_name, duration=duration, **options)

    def send_video(self, data: bytes | None = None, file_name: str = "clip.mp4", **options: Any) -> Message:
        """A video."""
        return self.send_media("video", data, **_moving(file_name=file_name, **options))

    def send_animation(self, data: bytes | None = None, file_name: str = "fun.mp4", **options: Any) -> Message:
        """A silent loop."""
        return self.send_media("animation", data, **_moving(file_name=file_name, **options))

    def send_video_note(self, data: bytes | None = None, duration: int = 5, **options: Any) -> Message:
        """A round video."""
        return self.send_media("video_note", data, **{"length": 240, "duration": duration, **options})

    def send_sticker(self, data: bytes | None = None, emoji: str = "👍", **options: Any) -> Message:
        """A sticker."""
        facts = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
        return self.send_media("sticker", data, **{**facts, "emoji": emoji, **options})

    def send_album(self, items: Sequence[Any], *, kind: str = "photo", **options: Any) -> list[Message]:
        """2-10 files in one album: bytes, None for a sample, or a dict of options with "data"; one update each."""
        if not 2 <= len(items) <= 10:
            raise ValueError(f"an album has 2-10 items, not {len(items)}")
        group = str(secrets.randbits(53))
        parts = [item if isinstance(item, dict) else {"data": item} for item in items]
        return [self.send_media(**{"kind": kind, **options, **part, "media_group_id": group}) for part in parts]

    def send_location(self, latitude: float = 52.52, longitude: float = 13.405, **options: Any) -> Message:
        """A point on the map."""
        return self._plain({"location": {"latitude": latitude, "longitude": longitude}}, options)

    def send_contact(self, phone_number: str = "+491701234567", first_name: str = "Bo", **options: Any) -> Message:
        """Somebody's number."""
        return self._plain({"contact": {"phone_number": phone_number, "first_name": first_name}}, options)

    def send_dice(self, value: int = 4, emoji: str = "🎲", **options: Any) -> Message:
        """A die that shows `value`."""
        return self._plain({"dice": {"emoji": emoji, "value": value}}, options)

    def send_poll(self, question: str, choices: Sequence[str], **options: Any) -> Message:
        """A poll of the person's own."""
        return self._plain({"poll": poll_dict(question, list(choices), anonymous=True, many=False)}, options)

    def _plain(self, fields: Message, options: dict[str, Any]) -> Message:
        known = ("chat", "thread_id", "reply_to", "quote", "forward_from")
        unknown = set(options) - set(known)
        if unknown:
            raise TypeError(f"unknown option {', '.join(sorted(unknown))}: use {', '.join(known)}")
        return self._post(fields, *(options.get(name) for name in known))

    # --- inside

    def _chat(self, group: TelegramGroup | None) -> TelegramChat:
        if group is None:
            return self.dm
        if group.chat.members.get(self.id) in {None, "left", "kicked"}:
            raise LookupError(f"{self.handle} is not in {group.chat.title!r}: add them with group.add(person)")
        if group.chat.migrated_to is not None:
            raise LookupError(f"{group.chat.title!r} was upgraded: use what group.migrate() returned")
        return group.chat

    def _seen(self, place: TelegramChat, message_id: int) -> Message:
        if message_id not in place.messages:
            raise LookupError(f"no message {message_id} in chat {place.id}; there are {sorted(place.messages)}")
        return place.messages[message_id]

    def _post(
        self,
        fields: Message,
        group: TelegramGroup | None,
        thread_id: int | None,
        reply_to: int | None,
        quote: str | None,
        forward_from: TelegramPhone | str | None,
    ) -> Message:
        place = self._chat(group)
        if place is self.dm:
            if place.blocked:
                raise ValueError(f"{self.handle} has blocked the bot: unblock() first")
            place.started = True
        extra: Message = {}
        if thread_id is not None and thread_id != GENERAL_TOPIC:
            if thread_id not in place.topics:
                raise LookupError(f"no topic {thread_id} in chat {place.id}; there are {sorted(place.topics)}")
            extra = {"message_thread_id": thread_id, "is_topic_message": True}
            extra["reply_to_message"] = topic_root(place, thread_id)
        if reply_to is not None:
            extra |= _reply(self._seen(place, reply_to), quote)
        if forward_from is not None:
            extra["forward_origin"] = _origin(forward_from, int(self.state.now()))
        return copy.deepcopy(self.state.post(place, self.user, fields, **extra))


def _reply(replied: Message, quote: str | None) -> Message:
    fields: Message = {"reply_to_message": quoted(replied)}
    if replied.get("is_topic_message"):
        fields |= {"message_thread_id": replied["message_thread_id"], "is_topic_message": True}
    if quote is not None:
        text = replied.get("text") or replied.get("caption") or ""
        at = text.find(quote)
        if at < 0:
            raise ValueError(f"{quote!r} is not in message {replied['message_id']}")
        fields["quote"] = {"text": quote, "position": len(text[:at].encode("utf-16-le")) // 2, "is_manual": True}
    return fields


def _origin(source: TelegramPhone | str, now: int) -> dict[str, Any]:
    if isinstance(source, str):
        return {"type": "hidden_user", "date": now, "sender_user_name": source}
    return {"type": "user", "date": now, "sender_user": source.user.as_dict()}


def _moving(**options: Any) -> dict[str, Any]:
    return {"width": 320, "height": 240, "duration": 5, **options}


def _sample(kind: str) -> bytes:
    return sample_png() if kind in {"photo", "sticker"} else f"a sample {kind} ".encode() * 8
