"""The neutral values which cross the seam between the core and a platform.

Ids are strings everywhere; only an adapter turns them into what its platform wants. Every value is frozen: an adapter
builds it, the core reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = [
    "Attachment",
    "Chat",
    "ChatMigrated",
    "Command",
    "Identity",
    "Ignored",
    "Inbound",
    "Membership",
    "MenuEntry",
    "Message",
    "Person",
    "RawEvent",
    "ReplyContext",
    "Tap",
    "ThreadRenamed",
]

ChatKind = Literal["direct", "group"]


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event exactly as the platform sent it: `event_id` is unique per bot, `payload` is its JSON text.

    `received_at` (epoch seconds) is set when it is read from the journal.
    """

    event_id: str
    payload: str
    received_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot behind a token."""

    id: str
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the platform. `id` decides; `username` (without @) and `name` are only for reading."""

    id: str
    name: str
    username: str | None = None
    is_bot: bool = False

    @property
    def display_name(self) -> str:
        """The username, else the display name, else the id."""
        return self.username or self.name or self.id


@dataclass(frozen=True, slots=True)
class Chat:
    """Where something was said. `parent_id` is the chat whose access rule a thread-like chat inherits."""

    id: str
    kind: ChatKind
    title: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file of a message. `kind` is the platform's field name (`photo`, `video_note` ...), `size` in bytes."""

    kind: str
    file_id: str
    name: str | None = None
    mime: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ReplyContext:
    """The message somebody replied to; `text` is the quoted part when one was chosen."""

    message_id: str
    user: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Command:
    """A bot command: `/start abc` is name `start`, argument `abc`."""

    name: str
    argument: str


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A command that people are offered by the platform. `choices`: the words that it takes, one of them."""

    name: str
    description: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person said. `addressed`: said to the bot (direct, mention, reply to it, command for it)."""

    chat: Chat
    message_id: str
    sender: Person
    ts: datetime
    text: str
    addressed: bool
    thread_id: str | None = None
    thread_name: str | None = None
    attachments: tuple[Attachment, ...] = ()
    image: Attachment | None = None
    reply: ReplyContext | None = None
    forward_from: str | None = None
    edited: bool = False
    command: Command | None = None
    reaction: str | None = None
    """An emoji put on the message `message_id`; `text` is then the same emoji."""
    passive: bool = False
    """Nothing was written: a stranger is not answered."""
    album_id: str | None = None
    """Messages with the same one are one album, sent as one."""
    answer_id: str | None = None
    """Where the platform has the command itself answered: what `answer_tap` takes."""

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Every file in order; the first picture, `image`, may be among `attachments`."""
        if self.image is None or self.image in self.attachments:
            return self.attachments
        return (self.image, *self.attachments)

    @property
    def pictures(self) -> tuple[Attachment, ...]:
        """Every picture in order."""
        return tuple(file for file in self.files if self.image is not None and file.kind == self.image.kind)


@dataclass(frozen=True, slots=True)
class Tap:
    """A press on a button. `tap_id` is what the platform wants acknowledged, `data` what the button carried.

    `text` is what was typed in the form that the button opened, where the platform has such.
    """

    tap_id: str
    data: str
    chat: Chat
    message_id: str
    sender: Person
    ts: datetime
    thread_id: str | None = None
    snapshot: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """The bot's own standing in a chat changed; `present` is false when it was removed or blocked."""

    chat: Chat
    by: Person
    present: bool


@dataclass(frozen=True, slots=True)
class ChatMigrated:
    """A chat lives on under a new id."""

    old_id: str
    new_id: str


@dataclass(frozen=True, slots=True)
class ThreadRenamed:
    """A thread of a chat has this name from now on."""

    chat_id: str
    thread_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that is nobody's message; `reason` goes to the log. `unreadable`: it may be one, so it is kept."""

    reason: str
    unreadable: bool = False


Inbound = Message | Tap | Membership | ChatMigrated | ThreadRenamed | Ignored
