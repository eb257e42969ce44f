"""Texts on their way out: drawn by the adapter, with what the buttons cannot hold, or as a file with a short head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import anyio.to_thread

from channels.core.adapter import Adapter
from channels.core.errors import Refused
from channels.core.files import Files
from channels.core.grids import legend
from channels.core.spans import Part
from channels.core.types import Grid, Outgoing
from channels.core.wording import say

__all__ = ["AsFile", "as_plain", "drawn", "goes_as_file", "in_file", "legended", "message"]

AsFile = bool | Literal["auto"]

# A text of this length takes some milliseconds to draw; a longer one must not keep everything else waiting.
AT_ONCE = 8000
HEAD = 600


async def drawn(adapter: Adapter, text: str, format_: str) -> list[Part]:
    """The parts of a text. Raises `Refused` for an unknown format, and where there is nothing to see."""
    adapter.check(text, format_)
    if len(text) <= AT_ONCE:
        parts = adapter.render(text, format_)
    else:
        parts = await anyio.to_thread.run_sync(adapter.render, text, format_)
    if not parts:
        raise Refused(f"there is nothing to see in this text: {text[:80]!r}")
    return parts


def message(base: Outgoing, part: Part) -> Outgoing:
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
    written = "\n".join(adapter.literal(line, format_) for line in lines)
    return "\n\n".join(filter(None, (text if text.strip() else "", written)))


def goes_as_file(text: str, wanted: AsFile, above: int) -> bool:
    """Whether a text is sent as a file: where it was asked for, always or above so many characters."""
    return bool(text.strip()) and (len(text) > above if wanted == "auto" else wanted)


def in_file(adapter: Adapter, files: Files, text: str, format_: str) -> tuple[str, str]:
    """A head for the message, in the same format, and the path of a file that holds the whole text."""
    readable = format_ in {"text", adapter.capabilities.default_format}
    path = files.written("answer", ".md" if readable else ".txt", text)
    # In a format of the platform's own a text cannot be cut anywhere.
    head = _head(text.strip().split("\n\n")) if readable else ""
    return "\n\n".join(filter(None, (head, adapter.literal(say("text_in_file"), format_)))), str(path)


def _head(paragraphs: Sequence[str]) -> str:
    """The first paragraphs, as many as are short."""
    head = ""
    for paragraph in paragraphs:
        longer = f"{head}\n\n{paragraph}".strip()
        if len(longer) > HEAD:
            break
        head = longer
    return head or paragraphs[0][:HEAD].rstrip() + "…"
