"""The neutral values that the core hands to a platform: buttons, keyboards, messages to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent_channels.core.text.formatted_text import Span

__all__ = ["Button", "Grid", "Keyboard", "KeyboardButton", "Outgoing", "Sent", "Style"]

Style = Literal["primary", "secondary", "success", "danger"]


@dataclass(frozen=True, slots=True)
class Button:
    """One cell of a grid as the agent wrote it. A `url` opens a page and never comes back as a tap.

    `form`: it is there to type an answer of one's own.
    """

    label: str
    value: str | None = None
    style: Style | None = None
    url: str | None = None
    form: bool = False


Grid = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class KeyboardButton:
    """One button as the platform is asked to draw it: opaque `data` or a `url`.

    `form`: it asks for words, which a platform with forms lets people type there and then.
    """

    label: str
    data: str | None = None
    url: str | None = None
    style: Style | None = None
    form: bool = False


Keyboard = tuple[tuple[KeyboardButton, ...], ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to send: text, or one file (`path`), or several together (`album`), with `text` as their caption.

    `text`, `format`, `plain` and `spans` are those of a `Part`; without `plain`, the text reads as it stands. `code` is
    a part of `text` to be drawn as something to copy.
    """

    chat_id: str
    text: str = ""
    format: str = "text"
    reply_to: str | None = None
    thread_id: str | None = None
    silent: bool = False
    keyboard: Keyboard | None = None
    path: str | None = None
    album: tuple[str, ...] = ()
    code: str | None = None
    spans: tuple[Span, ...] = ()
    plain: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What the platform made of an `Outgoing`. `snapshot` is the adapter's own note of how the message reads, so that
    an outcome can be written into it later without losing its formatting. `others`: the further messages of an album.
    """

    message_id: str
    snapshot: str | None = None
    others: tuple[str, ...] = ()
