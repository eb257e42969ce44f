"""The contract of a platform: two pure translations and a handful of verbs.

An adapter is an async context manager: entering it opens its connections, leaving it closes them. Every verb raises
only `agent_channels.core.errors.PlatformError` and its children.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from agent_channels.core.contract.limits import Capabilities, Limits
from agent_channels.core.contract.messages import Attachment, Identity, Inbound, MenuEntry, Message, RawEvent
from agent_channels.core.contract.outgoing import Keyboard, Outgoing, Sent
from agent_channels.core.text.formatted_text import RenderedPart

__all__ = ["Adapter", "EventSink"]


class EventSink(Protocol):
    """Where an adapter puts what it reads."""

    async def put(self, events: Sequence[RawEvent], marks: Mapping[str, str | None] | None = None) -> None:
        """Stores the events and returns once they are on disk: only then may the platform be told they arrived.

        `marks` are the adapter's own notes of how far it has read, stored in the same transaction (None removes one).
        Raises `StoreError`: nothing was stored, the platform must not be acknowledged.
        """
        ...

    def cursors(self) -> Mapping[str, str]:
        """The notes that earlier calls of `put` stored for this bot, whichever process made them."""
        ...

    def enabled_since(self) -> Mapping[str, float]:
        """The chats the agent hears, each with since when (epoch seconds): what was said there since is wanted.

        A person who was let in but never wrote is there under their own id.
        """
        ...

    def mark_alive(self) -> None:
        """Says that the platform answered just now, without events: those of a `put` say it themselves."""
        ...

    def add_note(self, text: str) -> None:
        """Says something the operator should see in the status, such as a webhook that was removed."""
        ...


class Adapter(Protocol):
    """One platform's bot."""

    channel: str
    limits: Limits
    capabilities: Capabilities

    @property
    def display_name(self) -> str:
        """The bot's name for people, such as @name; empty until it was identified."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def identify(self) -> Identity:
        """Asks the platform who the token's bot is."""
        ...

    async def listen(self, sink: EventSink) -> None:
        """Reads for ever, handing raw events to `sink`; returns only by raising."""
        ...

    def to_inbound(self, event: RawEvent) -> Inbound:
        """Translates a raw event; pure, never raises: what cannot be read becomes `Ignored`."""
        ...

    def check_format(self, text: str, format_: str) -> None:
        """Raises `Refused` when `format_` is not one this platform knows."""
        ...

    def render(self, text: str, format_: str) -> list[RenderedPart]:
        """`text` as parts which the platform accepts, in order; only white space at a cut is lost.

        Empty when there is nothing in it to see. Raises `Refused` when `format_` is not one this platform knows.
        """
        ...

    def escape(self, text: str, format_: str) -> str:
        """`text` written so that it reads as it stands, in a message of this format."""
        ...

    def group_files(self, paths: Sequence[str]) -> list[tuple[str, ...]]:
        """Files as they are sent: each tuple is one message, or one album of several, in order."""
        ...

    async def open_direct_chat(self, user_id: str) -> str:
        """The id of a person's direct chat."""
        ...

    async def send(self, outgoing: Outgoing) -> Sent:
        """Sends one message."""
        ...

    async def edit(self, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
        """Replaces a message's text and keyboard (None removes it)."""
        ...

    async def edit_keyboard(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        """Replaces a message's keyboard and nothing else."""
        ...

    async def close_panel(self, chat_id: str, message_id: str, snapshot: str | None, outcome: str) -> None:
        """Takes a panel's keyboard away and writes `outcome` under its text, leaving the text's formatting whole."""
        ...

    async def answer_tap(self, tap_id: str, text: str, *, alert: bool, counted: bool) -> None:
        """Acknowledges a tap, or the command with this `answer_id`; `text` (maybe empty) is shown to that person.

        `counted`: the message will show what came of it, so a platform that cannot say it in passing says nothing.
        """
        ...

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """Sets the bot's one reaction; an empty string removes it."""
        ...

    async def send_typing(self, chat_id: str, thread_id: str | None) -> None:
        """Shows that an answer is being written, for a few seconds."""
        ...

    async def set_commands(self, entries: Sequence[MenuEntry]) -> None:
        """Makes these the commands that people are offered in chats with the bot, in place of all others."""
        ...

    async def history(self, chat_id: str, limit: int, before: str | None) -> list[Message] | None:
        """The newest messages of a chat, oldest of them first, the bot's own among them; before a message, if given.

        None when the platform keeps nothing that a bot may read.
        """
        ...

    async def download(self, attachment: Attachment, target: Path, limit: int) -> int:
        """Streams a file to `target` (which must not exist) and returns its size in bytes.

        Raises `Refused` above `limit`; leaves no partial file behind.
        """
        ...
