"""Turn a reply into messages: rendered text, the labels that buttons cannot hold, files, albums and captions."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import anyio.to_thread

from agent_channels.core.buttons.layout import legend
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Grid, OpenFile, Outgoing
from agent_channels.core.errors import Refused
from agent_channels.core.files.storage import Files
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact_tokens
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.sanitize import scrub, strip_escapes
from agent_channels.core.text.units import length

__all__ = [
    "AsFile",
    "album_item",
    "arrange",
    "grid_index",
    "part_count",
    "render",
    "sayable",
    "shown_forms",
    "text_message",
    "to_file",
    "wants_file",
    "with_legend",
]

AsFile = bool | Literal["auto"]

# A text of this length takes some milliseconds to render; a longer one must not keep everything else waiting.
RENDER_HERE = 8000
_ESCAPED = lazy_pattern(r"\\([!-/:-@\[-`{-~])")
_TAG = lazy_pattern(r"<[^<>]*>")
_MARK = lazy_pattern(r"\\(.)|[*_~|`]+", re.DOTALL)
# Without any of these, a text is seen as it is.
_FORMATTED = lazy_pattern(r"[\\&<*_~|`]")
SUMMARY_MAX = 600


# ---- text


def sayable(text: str) -> str:
    """Return what an agent wrote without the control sequences of terminals, and with bots' tokens masked."""
    return redact_tokens(strip_escapes(text))


async def render(adapter: Adapter, text: str, format_: str) -> list[RenderedPart]:
    """Return the parts of a text.

    Raises `Refused` for an unknown format, if there is nothing to see in it, and if one sees a token in it.
    """
    if len(text) <= RENDER_HERE:
        parts = adapter.render(text, format_)
    else:
        parts = await anyio.to_thread.run_sync(adapter.render, text, format_)
    if not any(scrub(part.text).strip() for part in parts):
        raise Refused(f"there is nothing to see in this text: {text[:80]!r}")
    for part in parts:
        if any(redact_tokens(shown) != shown for shown in shown_forms(part.plain)):
            raise Refused("the text shows the token of a bot once its formatting is applied; leave the token out")
    return parts


def shown_forms(text: str) -> list[str]:
    """Return what may be seen of a text, in whichever format it is: without its tags, or without its marks.

    Each is there once, since each is searched: of a text without any formatting, it is the text alone.
    """
    if not _FORMATTED.search(text):
        return [text]
    # A function, because to fill in a template takes five times as long.
    unmarked = _MARK.sub(lambda mark: mark[1] or "", text)
    forms = (html.unescape(_ESCAPED.sub(r"\1", text)), html.unescape(_TAG.sub("", text)), unmarked)
    return list(dict.fromkeys(forms))


def text_message(base: Outgoing, part: RenderedPart) -> Outgoing:
    """Return a message that says `part`."""
    return replace(base, text=part.text, format=part.format, spans=part.spans, plain=part.plain, rich=part.rich)


def with_legend(adapter: Adapter, text: str, format_: str, grid: Grid | None) -> str:
    """Return the text with the labels that do not fit on the buttons written out below it."""
    lines = legend(grid, adapter.limits) if grid else []
    written = "\n".join(adapter.escape(line, format_) for line in lines)
    return "\n\n".join(filter(None, (text if text.strip() else "", written)))


# ---- text as a file


def wants_file(text: str, as_file: AsFile, above: int) -> bool:
    """Return True if a text goes as a file: always, or above so many characters."""
    return bool(text.strip()) and (len(text) > above if as_file == "auto" else as_file)


def to_file(adapter: Adapter, files: Files, text: str, format_: str) -> tuple[str, OpenFile]:
    """Write a text to a file; return a summary for the message, in the same format, and the file."""
    readable = format_ in {"text", adapter.capabilities.default_format}
    file = files.open_own(files.write_text("answer", ".md" if readable else ".txt", text))
    # In a platform's own format a text cannot be cut just anywhere.
    summary = _first_paragraphs(text.strip().split("\n\n")) if readable else ""
    return "\n\n".join(filter(None, (summary, adapter.escape(translate("text_in_file"), format_)))), file


def _first_paragraphs(paragraphs: Sequence[str]) -> str:
    """Return as many of the first paragraphs as are short together."""
    summary = ""
    for paragraph in paragraphs:
        longer = f"{summary}\n\n{paragraph}".strip()
        if len(longer) > SUMMARY_MAX:
            break
        summary = longer
    return summary or paragraphs[0][:SUMMARY_MAX].rstrip() + "…"


# ---- files


def arrange(
    adapter: Adapter, base: Outgoing, texts: Sequence[Outgoing], files: Sequence[OpenFile], *, grid: bool
) -> list[Outgoing]:
    """Return the messages in order. A text that is short enough becomes the caption of the first files.

    `base` is what files are sent with. `grid`: there are buttons, which some platforms take under one file only.
    """
    groups = [_with_files(base, group) for group in adapter.group_files(files)]
    single_only = grid and not adapter.limits.album_keyboard
    if single_only and not texts and groups[-1].album:
        *rest, last = groups[-1].album
        groups[-1:] = [_with_files(base, rest), _with_files(base, [last])]
    if not groups or len(texts) != 1 or (single_only and groups[0].album):
        return [*texts, *groups]
    if length(texts[0].text, adapter.limits.unit) > adapter.limits.caption:
        return [*texts, *groups]
    return [replace(texts[0], file=groups[0].file, album=groups[0].album, rich=None), *groups[1:]]


def _with_files(base: Outgoing, files: Sequence[OpenFile]) -> Outgoing:
    return replace(base, file=files[0]) if len(files) == 1 else replace(base, album=tuple(files))


def grid_index(messages: Sequence[Outgoing]) -> int:
    """Return which message holds the grid: the last part of the text; without text, the last file."""
    texts = [index for index, message in enumerate(messages) if message.text]
    return texts[-1] if texts else len(messages) - 1


def part_count(outgoing: Outgoing) -> int:
    """Return how many parts a message counts as: each file of an album is one."""
    return max(1, len(outgoing.album))


def album_item(outgoing: Outgoing, index: int) -> Outgoing:
    """Return one file of an album as a message of its own; the first keeps the text and what it replies to."""
    if not outgoing.album:
        return outgoing
    alone = replace(outgoing, album=(), file=outgoing.album[index])
    return alone if index == 0 else replace(alone, text="", spans=(), plain=None, reply_to=None, keyboard=None)
