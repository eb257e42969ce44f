"""Turns a reply into messages: rendered text, the labels that buttons cannot hold, files, albums and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import anyio.to_thread

from agent_channels.core.buttons.layout import legend
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Grid, Outgoing
from agent_channels.core.errors import Refused
from agent_channels.core.files.storage import Files
from agent_channels.core.i18n.messages import translate
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.units import length

__all__ = [
    "AsFile",
    "arranged",
    "as_plain",
    "drawn",
    "goes_as_file",
    "grid_at",
    "in_file",
    "legended",
    "message",
    "single",
    "width",
]

AsFile = bool | Literal["auto"]

# A text of this length takes some milliseconds to draw; a longer one must not keep everything else waiting.
AT_ONCE = 8000
HEAD = 600


async def drawn(adapter: Adapter, text: str, format_: str) -> list[RenderedPart]:
    """The parts of a text. Raises `Refused` for an unknown format, and where there is nothing to see."""
    adapter.check_format(text, format_)
    if len(text) <= AT_ONCE:
        parts = adapter.render(text, format_)
    else:
        parts = await anyio.to_thread.run_sync(adapter.render, text, format_)
    if not parts:
        raise Refused(f"there is nothing to see in this text: {text[:80]!r}")
    return parts


def message(base: Outgoing, part: RenderedPart) -> Outgoing:
    """A message that says `part`."""
    return replace(base, text=part.text, format=part.format, spans=part.spans, plain=part.plain)


def as_plain(outgoing: Outgoing) -> Outgoing | None:
    """The same message without formatting; None when it has none."""
    if outgoing.format == "text" and not outgoing.spans:
        return None
    plain = outgoing.text if outgoing.plain is None else outgoing.plain
    return replace(outgoing, text=plain, format="text", spans=(), plain=None)


def legended(adapter: Adapter, text: str, format_: str, grid: Grid | None) -> str:
    """The text with whatever does not fit on the buttons written out under it."""
    lines = legend(grid, adapter.limits) if grid else []
    written = "\n".join(adapter.escape(line, format_) for line in lines)
    return "\n\n".join(filter(None, (text if text.strip() else "", written)))


def goes_as_file(text: str, wanted: AsFile, above: int) -> bool:
    """Whether a text is sent as a file: where it was asked for, always or above so many characters."""
    return bool(text.strip()) and (len(text) > above if wanted == "auto" else wanted)


def in_file(adapter: Adapter, files: Files, text: str, format_: str) -> tuple[str, str]:
    """A head for the message, in the same format, and the path of a file that holds the whole text."""
    readable = format_ in {"text", adapter.capabilities.default_format}
    path = files.write_text("answer", ".md" if readable else ".txt", text)
    # In a format of the platform's own a text cannot be cut anywhere.
    head = _head(text.strip().split("\n\n")) if readable else ""
    return "\n\n".join(filter(None, (head, adapter.escape(translate("text_in_file"), format_)))), str(path)


def _head(paragraphs: Sequence[str]) -> str:
    """The first paragraphs, as many as are short."""
    head = ""
    for paragraph in paragraphs:
        longer = f"{head}\n\n{paragraph}".strip()
        if len(longer) > HEAD:
            break
        head = longer
    return head or paragraphs[0][:HEAD].rstrip() + "…"


# ---- files


def arranged(
    adapter: Adapter, base: Outgoing, texts: Sequence[Outgoing], paths: Sequence[str], *, grid: bool
) -> list[Outgoing]:
    """The messages in order. A text that is short enough stands under the first files instead of before them.

    `base` is what files are sent with. `grid`: there are buttons, which some platforms take under one file only.
    """
    groups = [_with(base, group) for group in adapter.group_files(paths)]
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
