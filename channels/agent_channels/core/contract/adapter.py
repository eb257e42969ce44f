"""The contract of a platform: two pure translations, `to_inbound` and `render`, and a handful of verbs.

An adapter is an async context manager: entering it opens its connections, leaving it closes them. Every verb raises
`agent_channels.core.errors.PlatformError` (most often one of its subclasses) when the platform refuses, fails or does
not answer, and `Refused` for an argument that the platform could not take. Nothing else may escape, except `StoreError`
from the sink and `OSError` from a file that is read or written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from agent_channels.core.contract.limits import Capabilities, Limits
from agent_channels.core.contract.messages import Attachment, Identity, Inbound, MenuEntry, Message, Place, RawEvent
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, OpenFile, Outgoing, Sent
from agent_channels.core.text.formatted_text import RenderedPart, Span

__all__ = ["Adapter", "EventSink"]


class EventSink(Protocol):
    """Where an adapter puts the events it reads."""

    async def put(self, events: Sequence[RawEvent], cursors: Mapping[str, str | None] | None = None) -> None:
        """Store the events; return once they are on disk. Only then acknowledge them to the platform.

        `cursors` say by name how far the adapter has read; they are stored in the same transaction, and None deletes
        one. An event whose id was stored before is ignored. Raises `StoreError` when nothing was stored: do not
        acknowledge.
        """
        ...

    def cursors(self) -> Mapping[str, str]:
        """Return the cursors stored for this bot by earlier calls of `put`, from whichever process."""
        ...

    def enabled_since(self) -> Mapping[str, float]:
        """Return the chats that the agent reads, by id, each with the time (epoch seconds) since when.

        An adapter that fetches missed messages fetches these. A person who was let in but never wrote is listed by
        user id.
        """
        ...

    def mark_alive(self) -> None:
        """Report that the platform answered just now without events. `put` reports it on its own."""
        ...

    def add_note(self, text: str) -> None:
        """Show the operator a sentence in the status, such as that a webhook was removed; "" takes it away again."""
        ...


class Adapter(Protocol):
    """One platform's bot."""

    channel: str
    """The platform's name, as in `Channel.name`."""
    limits: Limits
    capabilities: Capabilities

    @property
    def display_name(self) -> str:
        """The bot's name for people, such as @name; empty until `identify` has returned."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def identify(self) -> Identity:
        """Ask the platform which bot the token belongs to. Raises `Unauthorized` for a token that is not valid."""
        ...

    async def listen(self, sink: EventSink) -> None:
        """Read until something fails, handing raw events to `sink`. Never returns normally.

        Raises `StoreError` when the sink cannot store; `Conflict` when somebody else reads the bot; `Unavailable` or
        `RateLimited` for what passes, never `Ambiguous`: reading twice is harmless.
        """
        ...

    async def has_backlog(self, cursors: Mapping[str, str]) -> bool:
        """Return whether the platform still holds events that nobody has read; `cursors` are those of the sink.

        While it is being read, it soon does not.
        """
        ...

    def to_inbound(self, event: RawEvent) -> Inbound:
        """Translate a raw event. Pure, and never raises: an event that cannot be read becomes `Ignored`."""
        ...

    def render(self, text: str, format_: str) -> list[RenderedPart]:
        """Return `text` as parts that the platform accepts, in order; only white space at a cut is lost.

        Returns an empty list when nothing in the text is visible. Raises `Refused` when `format_` is not one of
        `capabilities.formats`, or when the text is too long for a format that cannot be split.
        """
        ...

    def escape(self, text: str, format_: str) -> str:
        """Return `text` escaped so that it reads as it stands inside a message of this format."""
        ...

    def group_files(self, files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
        """Return the files as they are sent, in order: each tuple is one message, or one album of several files."""
        ...

    async def open_direct_chat(self, user_id: str) -> str:
        """Return the id of the direct chat with a person, which is opened if need be."""
        ...

    async def send(self, outgoing: Outgoing) -> Sent:
        """Send one message, in its rich form if it has one.

        Raises `Ambiguous` when it may have been sent, `Unavailable` when it was not, `ParseFailed` when the platform
        cannot read its formatting or refuses its rich form, and `Unsupported` when the server knows no rich forms. A
        message that is `only_for` one person is never shown to anybody else: where that is not possible it raises
        `Unsupported`. Whether it arrives is not promised. Raises `ThreadGone` when the thread, or the chat that is one,
        is not there any more.
        """
        ...

    async def edit(self, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
        """Replace a message's text and keyboard; None removes the keyboard. A change to the same is not an error.

        Raises what `send` raises.
        """
        ...

    async def edit_keyboard(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        """Replace a message's keyboard and nothing else."""
        ...

    async def delete(self, chat_id: str, message_id: str) -> None:
        """Delete a message of the bot's for everybody. Raises `Rejected` if it is gone, or too old to be deleted."""
        ...

    async def close_panel(
        self,
        chat_id: str,
        message_id: str,
        snapshot: str | None,
        outcome: str,
        *,
        chosen: KeyboardButton | None = None,
        thread_id: str | None = None,
    ) -> None:
        """Remove a panel's keyboard and write `outcome` under its text, whose formatting is kept.

        `snapshot` is the one in the message's `Sent` or in the `Tap`; None when none is known. An outcome for which the
        message has no room is sent as a reply to it, in its thread `thread_id`; an empty one only removes the keyboard.
        `chosen` stays, as a button that does nothing any more, where the platform has such buttons.
        """
        ...

    async def create_thread(self, chat_id: str, name: str) -> Place:
        """Open a thread in a chat; return where its messages go. Where a thread is a chat of its own, that is its chat.

        `name` has 1 to `limits.thread_name` characters. Raises `Rejected` for a chat that has no threads, `Forbidden`
        if the bot lacks the right, which the error names. Where can threads be? See `capabilities.threads`.
        """
        ...

    async def rename_thread(self, place: Place, name: str) -> None:
        """Give a thread another name, of 1 to `limits.thread_name` characters. The same name is not an error."""
        ...

    async def answer_tap(
        self, tap_id: str, text: str, *, alert: bool, counted: bool, spans: Sequence[Span] = ()
    ) -> None:
        """Acknowledge a tap, or the command with this `answer_id`, and show `text` to that person alone.

        `text` may be empty; at most `limits.notice` long; `spans` are its formatting, where it can have any. `alert`:
        show it so that it has to be dismissed, where the platform can. `counted`: the
        message itself will show the outcome, so a platform without passing notices shows nothing. An acknowledgement
        that comes too late is not an error.
        """
        ...

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """Set the bot's one reaction to a message, in place of an earlier one; an empty string removes it."""
        ...

    async def send_typing(self, chat_id: str, thread_id: str | None) -> None:
        """Show for a few seconds (see `limits.typing_every_s`) that an answer is being written."""
        ...

    async def show_draft(self, place: Place, draft_id: int, text: str) -> None:
        """Show a text that grows in a direct chat while nothing was sent yet, with a button that stops it.

        The same id (not 0) goes on with a draft; nobody is notified. It is gone with the next message there, or by
        itself. A press of the button arrives as `DraftStopped`. Raises `Unsupported` where no drafts are shown.
        """
        ...

    async def set_commands(self, entries: Sequence[MenuEntry]) -> None:
        """Offer people these commands in chats with the bot, in place of all earlier ones."""
        ...

    async def history(self, chat_id: str, limit: int, before: str | None) -> list[Message] | None:
        """Return the newest messages of a chat, the bot's own included, oldest first; at most `limit`.

        `before`: only messages older than this message id. Returns None on a platform that lets bots read no history.
        """
        ...

    async def download(self, attachment: Attachment, target: Path, limit: int) -> int:
        """Stream a file to the new path `target` and return its size in bytes.

        Raises `Refused` above `limit` bytes and `FileExistsError` when `target` exists; leaves no partial file.
        """
        ...
