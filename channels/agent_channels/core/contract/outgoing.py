"""The neutral values that the core hands to an adapter: buttons, keyboards, messages; and what it gets back."""

from __future__ import annotations

import os
from dataclasses import field
from typing import Any, BinaryIO, Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.text.formatted_text import Span

__all__ = ["Button", "Grid", "Keyboard", "KeyboardButton", "OpenFile", "Outgoing", "Sent", "Style"]

Style = Literal["primary", "secondary", "success", "danger"]


@frozen
class Button:
    """One cell of a grid, as the agent asked for it."""

    label: str
    value: str | None = None
    """What a tap reports to the agent; None: the label."""
    style: Style | None = None
    url: str | None = None
    """A page that the button opens; such a button never comes back as a tap."""
    form: bool = False
    """Whether the button asks for an answer in the person's own words."""
    copy: str | None = field(default=None, repr=False)
    """A text that the button copies; such a button is never an answer."""

    @property
    def answers(self) -> bool:
        """Whether the button can be an answer: it opens no page and copies nothing."""
        return self.url is None and self.copy is None


Grid = tuple[tuple[Button, ...], ...]


@frozen
class KeyboardButton:
    """One button as the platform draws it. It has `data`, `url` or `copy`."""

    label: str
    data: str | None = None
    """An opaque value that a tap carries back."""
    url: str | None = None
    """A page that the button opens."""
    style: Style | None = None
    form: bool = False
    """Whether the button asks for words: a platform with forms opens one, others treat it as any button."""
    copy: str | None = None
    """A text that the button copies. A platform without such buttons sends `data` back, and shows none without it."""


Keyboard = tuple[tuple[KeyboardButton, ...], ...]


class OpenFile:
    """A file to send, which stays open from the check until it was sent: whatever its path names by then.

    `name` is its name for people, `size` its size in bytes when it was checked; `masked` are the kinds of credentials
    that were masked in it.
    """

    masked: tuple[str, ...] = ()

    def __init__(self, descriptor: int, name: str, size: int) -> None:
        """Take the ownership of `descriptor`."""
        self._descriptor, self.name, self.size = descriptor, name, size

    def stream(self) -> BinaryIO:
        """Return the content from its beginning. The caller closes the stream, and the next one is opened after it."""
        stream = os.fdopen(os.dup(self._descriptor), "rb")
        stream.seek(0)
        return stream

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@frozen
class Outgoing:
    """One message to send: a text, one file (`file`) or several (`album`). With files, `text` is their caption."""

    chat_id: str
    text: str = ""
    """As in a `RenderedPart`, like `format`, `spans` and `plain`."""
    format: str = "text"
    reply_to: str | None = None
    """The id of the message that it replies to. A message that is gone does not keep it from being sent."""
    thread_id: str | None = None
    silent: bool = False
    """Whether it is delivered without a sound."""
    keyboard: Keyboard | None = None
    file: OpenFile | None = None
    album: tuple[OpenFile, ...] = ()
    """The files to send as one message or album: one of the tuples that `Adapter.group_files` returned."""
    spans: tuple[Span, ...] = ()
    plain: str | None = None
    """The text without formatting; None: the same as `text`."""
    rich: Any = None
    """As in a `RenderedPart`; only in a message with neither files nor a keyboard."""
    only_for: str | None = None
    """The id of the one person who sees it: a text that answers `answers_tap`, or `reply_to`, which only they see."""
    answers_tap: str | None = None
    """The `tap_id` of a tap that was acknowledged within the last seconds."""


@frozen
class Sent:
    """The message that was sent."""

    message_id: str
    snapshot: str | None = None
    """The adapter's own note of the message's text and formatting, for `Adapter.close_panel`."""
    others: tuple[str, ...] = ()
    """The ids of the further messages of an album."""
