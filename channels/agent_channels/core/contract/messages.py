"""The neutral values that an adapter builds and the core reads.

Ids are strings everywhere; only an adapter turns them into what its platform wants. Every value is frozen.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from agent_channels.core.frozen import frozen

__all__ = [
    "Attachment",
    "Chat",
    "ChatMigrated",
    "Command",
    "DraftStopped",
    "Identity",
    "Ignored",
    "Inbound",
    "Joined",
    "Membership",
    "MenuEntry",
    "Message",
    "Person",
    "Place",
    "RawEvent",
    "ReplyContext",
    "Tap",
    "ThreadRenamed",
]

ChatKind = Literal["direct", "group"]


@frozen
class RawEvent:
    """One event exactly as the platform sent it."""

    event_id: str
    """Unique for this bot, and the same when the platform sends the event again."""
    payload: str
    """JSON text."""
    received_at: float = 0.0
    """Epoch seconds; set when the event is read from the journal."""
    late: bool = False
    """Whether it waited because the project that it is for was away."""


@frozen
class Identity:
    """The bot behind a token."""

    id: str
    username: str
    """Without @."""
    name: str
    """The display name."""
    remark: str = ""
    """What the operator should know of how the bot is set up on the platform, in a sentence; may be empty."""


@frozen
class Person:
    """Somebody on the platform. Access depends on `id` alone: the names can be changed by anybody at any time."""

    id: str
    name: str
    """The display name; may be empty."""
    username: str | None = None
    """Without @."""
    is_bot: bool = False

    @property
    def display_name(self) -> str:
        """The username, else the name, else the id."""
        return self.username or self.name or self.id


@frozen
class Chat:
    """Where a message was written."""

    id: str
    kind: ChatKind
    title: str | None = None
    parent_id: str | None = None
    """For a thread that is a chat of its own: the chat whose access rule applies to it."""


class Place(NamedTuple):
    """A chat, and one of its threads if `thread_id` is set."""

    chat_id: str
    thread_id: str | None


@frozen
class Attachment:
    """One file of a message."""

    kind: str
    """`photo`, `document`, `audio`, `voice`, `video`, or another word of the platform's such as `video_note`."""
    file_id: str
    """What `Adapter.download` needs to find the file."""
    name: str | None = None
    mime: str | None = None
    size: int | None = None
    """Bytes, as the platform announces them."""


@frozen
class ReplyContext:
    """The message that a message replies to."""

    message_id: str
    """Empty when the message is in another chat."""
    user: str | None
    """The name of its author."""
    text: str | None
    """Its text, or the part of it that was quoted; for one without a text, a description in parentheses."""
    files: tuple[Attachment, ...] = ()
    """Its files; a picture is of the kind `photo`."""
    own: bool = False
    """Whether the bot itself wrote it."""


@frozen
class Command:
    """A bot command: `/Start abc` has the name `start` and the argument `abc`."""

    name: str
    argument: str


@frozen
class MenuEntry:
    """A command in the platform's menu of commands."""

    name: str
    description: str
    choices: tuple[str, ...] = ()
    """The words of which it takes one as its argument; empty: it takes none."""
    free: bool = False
    """Whether it takes any words instead, or none."""
    private: bool = False
    """Whether in a group nobody but its sender sees it, where the platform has such commands."""


@frozen
class Message:
    """Something that a person wrote, sent or reacted with."""

    chat: Chat
    message_id: str
    sender: Person
    ts: datetime
    """When it was sent, with a time zone."""
    text: str
    """The text; for a message without one, a description in parentheses, or empty when there are files."""
    addressed: bool
    """Whether it is meant for the bot: in a direct chat, a mention of it, a reply to it, or a command for it."""
    thread_id: str | None = None
    """The thread within the chat, on platforms where a thread is not a chat of its own."""
    thread_name: str | None = None
    attachments: tuple[Attachment, ...] = ()
    image: Attachment | None = None
    """The first picture, which is shown to the agent; `attachments` may hold it too."""
    reply: ReplyContext | None = None
    forward_from: str | None = None
    """The name of the author of a forwarded message."""
    copy_of: str | None = None
    """The id of another chat whose message this is, which the platform copied here by itself."""
    edited: bool = False
    """Whether it is a new version of a message that was sent before."""
    command: Command | None = None
    reaction: str | None = None
    """The emoji of a reaction to the message `message_id`; `text` is then the same emoji."""
    passive: bool = False
    """Whether nothing was written, as with a vote: a stranger who did it gets no answer."""
    album_id: str | None = None
    """The same for all messages of an album that was sent as one."""
    for_another_bot: bool = False
    """Whether it is a command in a group that names another bot: it is nobody else's, whatever the group's rule."""
    answer_id: str | None = None
    """For a command that the platform wants acknowledged: the id for `Adapter.answer_tap`."""
    ephemeral: bool = False
    """Whether nobody but its sender sees it, so that it is answered by a message that is `only_for` them."""

    @property
    def private(self) -> bool:
        """Whether an answer to it is seen by its sender alone."""
        return self.chat.kind == "direct" or self.ephemeral or self.answer_id is not None

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Every file once, in order."""
        if self.image is None or self.image in self.attachments:
            return self.attachments
        return (self.image, *self.attachments)

    @property
    def pictures(self) -> tuple[Attachment, ...]:
        """Every picture in order."""
        return tuple(file for file in self.files if self.image is not None and file.kind == self.image.kind)


@frozen
class Tap:
    """A press on a button."""

    tap_id: str
    """The id for `Adapter.answer_tap`."""
    data: str
    """The `KeyboardButton.data` of the button."""
    chat: Chat
    message_id: str
    sender: Person
    ts: datetime
    """When it was pressed or, where the platform does not say, received; with a time zone."""
    thread_id: str | None = None
    snapshot: str | None = None
    """The message under which the button is, for `Adapter.close_panel`; None when the platform does not show it."""
    text: str | None = None
    """What was typed in the form that the button opened, on platforms with forms."""
    shown: frozenset[str] | None = None
    """The data of every button under the message; None when the platform does not show them."""

    @property
    def forged(self) -> bool:
        """Whether the message has no such button: a client can send any data."""
        return self.shown is not None and self.data not in self.shown


@frozen
class Membership:
    """The bot was added to a chat or removed from it."""

    chat: Chat
    by: Person
    """Who did it."""
    present: bool
    """False when the bot was removed or blocked."""


@frozen
class Joined:
    """People joined a group, where the platform shows new members nothing of what was said before."""

    chat: Chat
    user_ids: tuple[str, ...]


@frozen
class ChatMigrated:
    """A chat has a new id from now on."""

    old_id: str
    new_id: str


@frozen
class ThreadRenamed:
    """A thread of a chat has this name from now on; also when it was just created."""

    chat_id: str
    thread_id: str
    name: str
    implicit: bool = False
    """Whether the platform chose the name, because the person who opened it gave none."""


@frozen
class DraftStopped:
    """Somebody pressed Stop on a draft that the bot shows in their direct chat."""

    chat: Chat
    by: Person
    draft_id: int


@frozen
class Ignored:
    """An event that reaches nobody."""

    reason: str
    """Why, for the log."""
    unreadable: bool = False
    """Whether it could not be read: it may have been a message, so it is kept for inspection."""


Inbound = Message | Tap | Membership | Joined | ChatMigrated | ThreadRenamed | DraftStopped | Ignored
