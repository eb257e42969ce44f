"""What a platform refuses, and what it can do: data, which the core reads instead of asking which platform it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Capabilities", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the platform refuses. Lengths are in `unit`s, sizes in bytes, durations in seconds."""

    text: int
    unit: Literal["utf16", "codepoint"]
    buttons: int
    row: int
    rows: int
    label: int | None
    upload: int
    photo: int
    download: int
    reactions: frozenset[str] | None = None
    links: int | None = None
    """Grids of more buttons than this are drawn as menus, which hold no links; None: never."""
    typing_every_s: float = 4.0
    edit_every_s: float = 1.0
    """How often one message can be edited without the platform asking for patience."""
    caption: int = 0
    """How long a text may be that stands with files."""
    album_keyboard: bool = False
    """Whether buttons can stand under several files that are shown together."""
    paste: int | None = None
    """A text of this length may be a part of a longer one that the client split; None: clients do not split."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the platform can do; the core reads these instead of asking which platform it is."""

    formats: tuple[str, ...]
    default_format: str = "text"
    invite_link: str | None = None
    receipt_emoji: tuple[str, str] | None = None
    """The reactions for "received and kept" and "nobody picks it up yet", where the platform has such."""
