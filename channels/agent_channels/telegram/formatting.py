"""Formatted texts as Telegram takes them: the plain text, and entities over it."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from telegram import MessageEntity

from agent_channels.core.errors import Refused
from agent_channels.core.text.formatted_text import Dialect, FormattedText, RenderedPart, Span
from agent_channels.core.text.markdown import is_plain, parse
from agent_channels.core.text.split import split_formatted
from agent_channels.core.text.units import length
from agent_channels.telegram.markup import LIMITS, parse_mode

__all__ = ["entities", "render"]

# Bot API, "Formatting options": the schemes that an inline link may have. The server removes these characters from a
# text (clean_input_string in td/telegram/misc.cpp).
DIALECT = Dialect(schemes=frozenset({"http", "https", "tg"}), dropped="\u0333\u033f\u030a")
# "Limits of messages": entities beyond this many are not drawn.
ENTITIES_MAX = 100

_KINDS = {
    "bold": MessageEntity.BOLD,
    "italic": MessageEntity.ITALIC,
    "strike": MessageEntity.STRIKETHROUGH,
    "spoiler": MessageEntity.SPOILER,
    "code": MessageEntity.CODE,
    "pre": MessageEntity.PRE,
    "link": MessageEntity.TEXT_LINK,
    "quote": MessageEntity.BLOCKQUOTE,
    "heading": MessageEntity.BOLD,
}


_HTML_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
# An escaped character, which stays; the target of a link (a bound keeps the search linear); marks.
_MARKDOWN_MARKUP = re.compile(r"\\(.)|\]\((?:\\.|[^)\\]){0,512}\)|[*_~|`\[]", re.DOTALL)


def render(text: str, format_: str) -> list[RenderedPart]:
    """Return the parts of a text, in order; none when nothing in it is visible.

    Raises `Refused` for an unknown format, and for a text in one of Telegram's own formats above one message.
    """
    native = parse_mode(format_) is not None
    if format_ == "markdown":
        if len(text) <= LIMITS.text and is_plain(text):
            return [RenderedPart(text, "markdown", text)]
        parts = split_formatted(parse(text, DIALECT), _fill, LIMITS.text)
        return [RenderedPart(part.text, "markdown", part.text, part.spans) for part in parts]
    size = length(_without_markup(text, format_), LIMITS.unit)
    if size <= LIMITS.text:
        return [RenderedPart(text, format_, text)]
    if native:
        raise Refused(
            f"the text is {size:,} characters long; one message takes {LIMITS.text:,}, and a text in format {format_} "
            "cannot be split: use format markdown, or send several replies"
        )
    return [
        RenderedPart(part.text, format_, part.text) for part in split_formatted(FormattedText(text), _fill, LIMITS.text)
    ]


def _without_markup(text: str, format_: str) -> str:
    """Return about what is visible of a text: Telegram counts a message after it has parsed its markup."""
    if format_ == "html":
        return html.unescape(_HTML_TAG.sub("", text))
    if format_ == "markdownv2":
        return _MARKDOWN_MARKUP.sub(lambda found: found[1] or "", text)
    return text


def _fill(rich: FormattedText) -> float:
    return max(length(rich.text, LIMITS.unit) / LIMITS.text, len(_drawable(rich.spans)) / ENTITIES_MAX)


def entities(text: str, spans: Sequence[Span]) -> list[MessageEntity]:
    """Return the entities that draw `spans`; their offsets and lengths are in UTF-16 units."""
    offsets = _utf16_offsets(text)
    return [
        MessageEntity(
            _KINDS[span.kind],
            offsets[span.start],
            offsets[span.end] - offsets[span.start],
            url=span.value if span.kind == "link" else None,
            language=(span.value or None) if span.kind == "pre" else None,
        )
        for span in _drawable(spans)
    ]


def _drawable(spans: Sequence[Span]) -> list[Span]:
    """Return the spans that Telegram draws: no bold within bold, and of code within a link only the link."""
    drawable: list[Span] = []
    ends = {"bold": 0, "link": 0}
    for span in spans:
        kind = "bold" if span.kind == "heading" else span.kind
        outer = "link" if kind == "code" else kind
        if span.kind not in _KINDS or span.start < ends.get(outer, 0):
            continue
        if kind in ends:
            ends[kind] = span.end
        drawable.append(span)
    return drawable


def _utf16_offsets(text: str) -> Sequence[int]:
    """Return, for each index into `text` and its end, the offset in UTF-16 units."""
    if text.isascii():
        return range(len(text) + 1)
    offsets = [0]
    for char in text:
        offsets.append(offsets[-1] + 1 + (char > "\uffff"))
    return offsets
