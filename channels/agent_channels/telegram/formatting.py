"""Formatted texts as Telegram takes them: the text itself, and entities over it."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import MessageEntity

from agent_channels.core.errors import Refused
from agent_channels.core.text.formatted_text import Dialect, FormattedText, RenderedPart, Span
from agent_channels.core.text.markdown import is_plain, parse
from agent_channels.core.text.split import split_formatted
from agent_channels.core.text.units import length
from agent_channels.telegram.markup import LIMITS, parse_mode

__all__ = ["entities", "render"]

# Bot API, "Formatting options", names what an inline link may hold. Of the characters, the server takes these out
# (clean_input_string in td/telegram/misc.cpp).
LOOK = Dialect(schemes=frozenset({"http", "https", "tg"}), dropped="\u0333\u033f\u030a")
# Limits of messages: of more entities, the rest is not drawn.
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


def render(text: str, format_: str) -> list[RenderedPart]:
    """Return the parts of a text, in order; none when nothing in it is visible.

    Raises `Refused` for an unknown format, and for a text in one of Telegram's own formats above one message.
    """
    native = parse_mode(format_) is not None
    if format_ == "markdown":
        if len(text) <= LIMITS.text and is_plain(text):
            return [RenderedPart(text, "markdown", text)]
        parts = split_formatted(parse(text, LOOK), _fill, LIMITS.text)
        return [RenderedPart(part.text, "markdown", part.text, part.spans) for part in parts]
    size = length(text, LIMITS.unit)
    if size <= LIMITS.text:
        return [RenderedPart(text, format_, text)]
    if native:
        raise Refused(
            f"the text has {size:,} characters; one message takes {LIMITS.text:,}, and a text in format {format_} "
            "cannot be split: use format markdown, or send several replies"
        )
    return [
        RenderedPart(part.text, format_, part.text) for part in split_formatted(FormattedText(text), _fill, LIMITS.text)
    ]


def _fill(rich: FormattedText) -> float:
    return max(length(rich.text, LIMITS.unit) / LIMITS.text, len(_shown(rich.spans)) / ENTITIES_MAX)


def entities(text: str, spans: Sequence[Span]) -> list[MessageEntity]:
    """What draws `spans`; offsets and lengths are in UTF-16 units."""
    places = _units(text)
    return [
        MessageEntity(
            _KINDS[span.kind],
            places[span.start],
            places[span.end] - places[span.start],
            url=span.value if span.kind == "link" else None,
            language=(span.value or None) if span.kind == "pre" else None,
        )
        for span in _shown(spans)
    ]


def _shown(spans: Sequence[Span]) -> list[Span]:
    """Those that Telegram draws: no bold within bold, and of code within a link only the link."""
    shown: list[Span] = []
    ends = {"bold": 0, "link": 0}
    for span in spans:
        kind = "bold" if span.kind == "heading" else span.kind
        outer = "link" if kind == "code" else kind
        if span.kind not in _KINDS or span.start < ends.get(outer, 0):
            continue
        if kind in ends:
            ends[kind] = span.end
        shown.append(span)
    return shown


def _units(text: str) -> Sequence[int]:
    if text.isascii():
        return range(len(text) + 1)
    places = [0]
    for char in text:
        places.append(places[-1] + 1 + (char > "\uffff"))
    return places
