"""The neutral values that the core hands to an adapter: buttons, keyboards, messages; and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent_channels.core.text.formatted_text import Span

__all__ = ["Button", "Grid", "Keyboard", "KeyboardButton", "Outgoing", "Sent", "Style"]

Style = Literal["primary", "secondary", "success", "danger"]


@dataclass(frozen=True, slots=True)
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


Grid = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class KeyboardButton:
    """One button as the platform draws it. Either `data` or `url` is set."""

    label: str
    data: str | None = None
    """An opaque value that a tap carries back."""
    url: str | None = None
    """A page that the button opens."""
    style: Style | None = None
    form: bool = False
    """Whether the button asks for words: a platform with forms opens one, others treat it as any button."""


Keyboard = tuple[tuple[KeyboardButton, ...], ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to send: a text, one file (`path`) or several (`album`). With files, `text` is their caption."""

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
    path: str | None = None
    """The file to send."""
    album: tuple[str, ...] = ()
    """The files to send as one message or album: one of the tuples that `Adapter.group_files` returned."""
    code: str | None = None
    """A part of `text` to draw so that it can be copied with a tap."""
    spans: tuple[Span, ...] = ()
    plain: str | None = None
    """The text without formatting; None: the same as `text`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The message that was sent."""

    message_id: str
    snapshot: str | None = None
    """The adapter's own note of the message's text and formatting, for `Adapter.close_panel`."""
    others: tuple[str, ...] = ()
    """The ids of the further messages of an album."""
