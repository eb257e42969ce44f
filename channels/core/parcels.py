"""How a reply becomes messages: its texts, its files put together as the platform shows them, its caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from channels.core.adapter import Adapter
from channels.core.chunking import length
from channels.core.types import Outgoing

__all__ = ["arranged", "grid_at", "single", "width"]


def arranged(
    adapter: Adapter, base: Outgoing, texts: Sequence[Outgoing], paths: Sequence[str], *, grid: bool
) -> list[Outgoing]:
    """The messages in order. A text that is short enough stands under the first files instead of before them.

    `base` is what files are sent with. `grid`: there are buttons, which some platforms take under one file only.
    """
    groups = [_with(base, group) for group in adapter.together(paths)]
    bound = grid and not adapter.limits.album_keyboard
    if bound and not texts and groups[-1].album:
        *rest, last = groups[-1].album
        groups[-1:] = [_with(base, rest), _with(base, [last])]
    if not groups or len(texts) != 1 or (bound and groups[0].album):
        return [*texts, *groups]
    if length(texts[0].text, adapter.limits.unit) > adapter.limits.caption:
        return [*texts, *groups]
    return [replace(texts[0], path=groups[0].path, album=groups[0].album), *groups[1:]]


def grid_at(parts: Sequence[Outgoing]) -> int:
    """The grid goes on the last part of the text; without text, on the last file."""
    texts = [index for index, part in enumerate(parts) if part.text]
    return texts[-1] if texts else len(parts) - 1


def width(outgoing: Outgoing) -> int:
    """How many parts a message counts as: each file of an album is one."""
    return max(1, len(outgoing.album))


def single(outgoing: Outgoing, index: int) -> Outgoing:
    """One file of an album as a message of its own; the first keeps the text and what it answers."""
    if not outgoing.album:
        return outgoing
    alone = replace(outgoing, album=(), path=outgoing.album[index])
    return alone if index == 0 else replace(alone, text="", spans=(), plain=None, reply_to=None, keyboard=None)


def _with(base: Outgoing, paths: Sequence[str]) -> Outgoing:
    return replace(base, path=paths[0]) if len(paths) == 1 else replace(base, album=tuple(paths))
