"""Formatted texts in Discord's own Markdown, which is not CommonMark: marks, headings, lists, quotes and fences.

The rules are those of the client: a text is written so that the client shows what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.formatted_text import Dialect, FormattedText, RenderedPart, Span, SpanKind, outermost
from agent_channels.core.text.markdown import parse
from agent_channels.core.text.split import split_formatted
from agent_channels.core.text.units import length
from agent_channels.discord.markup import LIMITS, escape_markup, list_marker, to_content

__all__ = ["draw", "render"]

DIALECT = Dialect()
ZERO_WIDTH = "\u200b"

_OPEN_ADDRESS = lazy_pattern(r"https?://[^\s<>]+$")
_SPACE_OR_MARK = lazy_pattern(r"[\s\\*~|`\[]")
_MARKS: dict[SpanKind, str] = {"bold": "**", "italic": "*", "strike": "~~", "spoiler": "||"}
# Spans that are written without escapes, so that a mark inside would end the same marks around them.
_UNESCAPED: dict[SpanKind, set[SpanKind]] = {
    "bold": {"address"},
    "italic": {"address", "code"},
    "strike": {"address"},
    "spoiler": set(),
}


def render(text: str, format_: str) -> list[RenderedPart]:
    """Return the parts of a text, in order; none when nothing in it is visible.

    Raises `Refused` for an unknown format.
    """
    if format_ == "markdown":
        parts = split_formatted(parse(text, DIALECT), _fill, LIMITS.text)
        return [RenderedPart(draw(part), "markdown", part.text) for part in parts]
    if length(to_content(text, format_), LIMITS.unit) <= LIMITS.text:
        return [RenderedPart(text, format_, text)]
    return [
        RenderedPart(part.text, format_, part.text)
        for part in split_formatted(FormattedText(text), _fill_text, LIMITS.text)
    ]


def _fill(rich: FormattedText) -> float:
    return max(length(rich.text, LIMITS.unit), length(draw(rich), LIMITS.unit)) / LIMITS.text


def _fill_text(rich: FormattedText) -> float:
    # Sent with escapes, which count.
    return length(to_content(rich.text, "text"), LIMITS.unit) / LIMITS.text


def draw(rich: FormattedText) -> str:
    """Return a text in Discord's Markdown."""
    return _region(rich.text, 0, len(rich.text), rich.spans, frozenset())


def _region(text: str, start: int, end: int, spans: Sequence[Span], inside: frozenset[str]) -> str:
    return _joined([piece for piece in _pieces(text, start, end, spans, inside) if piece[0]])


def _pieces(
    text: str, start: int, end: int, spans: Sequence[Span], inside: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    """Yield the Markdown of a range in pieces, each with whether it is plain text, without marks of its own."""
    at = start
    for span, inner in outermost(spans):
        yield _words(text, at, span.start), True
        if span.kind in _MARKS and (span.kind in inside or _ends(text, inner, span.kind)):
            yield from _pieces(text, span.start, span.end, inner, inside)
        else:
            yield _span(text, span, inner, inside), span.kind == "address"
        at = span.end
    yield _words(text, at, end), True


def _joined(pieces: list[tuple[str, bool]]) -> str:
    joined = ""
    for (piece, plain), marked in zip(pieces, _marks_follow([piece for piece, _ in pieces]), strict=True):
        # Two marks that touch would be read as another one.
        if joined[-1:] == piece[0] and piece[0] in "*_~|`":
            joined += ZERO_WIDTH
        # The client ends an address at white space, unless it is in angle brackets.
        joined += _OPEN_ADDRESS.sub(r"<\g<0>>", piece) if marked and plain else piece
    return joined


def _marks_follow(pieces: list[str]) -> list[bool]:
    """Return for each piece whether a mark follows it before the next white space."""
    found, marked = [], False
    for piece in reversed(pieces):
        found.append(marked)
        first = _SPACE_OR_MARK.search(piece)
        marked = not first[0].isspace() if first else marked
    return found[::-1]


def _span(text: str, span: Span, inner: Sequence[Span], inside: frozenset[str]) -> str:
    covered = text[span.start : span.end]
    body = partial(_region, text, span.start, span.end, inner)
    match span.kind:
        case "pre":
            # Three ticks end a code block wherever they stand.
            return f"```{span.value}\n" + re.sub("`(?=``)", "`" + ZERO_WIDTH, covered) + "\n```"
        case "code":
            return _code(covered, inside)
        case "time":
            # Each reader's client writes it, in their own time zone.
            return f"<t:{span.value}>"
        case "link" if "link" not in inside:
            return f"[{body(inside | {'link'})}]({_address(span.value)})"
        case "address" if covered.startswith(("http://", "https://")):
            return covered
        case "quote" if not _before(text, span):
            return "> " + body(inside).replace("\n", "\n> ")
        case "heading":
            return _heading(text, span, body(inside | {"bold"}), marked=not _ends(text, inner, "bold"))
        case "bullet":
            return "- " if covered == "• " and _starts_item(text, span) else list_marker(covered, text)
        case "bold" | "italic" | "strike" | "spoiler":
            return _marked(body(inside | {span.kind}), _MARKS[span.kind])
        case _:
            return body(inside)


def _starts_item(text: str, span: Span) -> bool:
    """Return whether a bullet is the first thing on its line, with text behind it."""
    return not _before(text, span) and not text[span.end : span.end + 1].isspace() and span.end < len(text)


def _before(text: str, span: Span) -> str:
    """Return the text before a span on its line."""
    return text[text.rfind("\n", 0, span.start) + 1 : span.start].strip()


def _marked(body: str, mark: str) -> str:
    """Put marks around a text, directly at its words: white space at the ends stays outside."""
    kept = body.strip()
    lead = body[: len(body) - len(body.lstrip())]
    if not kept:
        return body
    # A mark of the same sign right inside would be read together with this one.
    inner = (ZERO_WIDTH if kept[0] == mark[0] else "") + kept + (ZERO_WIDTH if kept[-1] == mark[0] else "")
    return f"{lead}{mark}{inner}{mark}{body[len(lead) + len(kept) :]}"


def _ends(text: str, inner: Sequence[Span], kind: SpanKind) -> bool:
    """Return whether an unescaped span inside would end these marks."""
    return any(_MARKS[kind] in text[span.start : span.end] for span in inner if span.kind in _UNESCAPED[kind])


def _heading(text: str, span: Span, body: str, *, marked: bool) -> str:
    first = span.start == 0 or text[span.start - 1] == "\n"
    if span.value in {"1", "2", "3"} and first:
        hashes = "#" * int(span.value) + " "
        return "\n".join(hashes + line.strip() for line in body.split("\n") if line.strip())
    return _marked(body, "**") if marked else body


def _code(code: str, inside: frozenset[str]) -> str:
    ticked = re.sub("`(?=`)", "`" + ZERO_WIDTH, code)
    if inside:
        # Marks around the code would end at the same marks in it.
        ticked = re.sub(r"([*~|])(?=\1)", r"\1" + ZERO_WIDTH, ticked)
    if "`" not in ticked:
        return f"`{ticked}`"
    return f"`` {ticked} ``"


def _address(url: str) -> str:
    """Return an address without the characters that would end it too soon."""
    return re.sub(r"[()\\<>*~|]", lambda match: f"%{ord(match[0]):02X}", url)


def _words(text: str, start: int, end: int) -> str:
    if start == end:
        return ""
    # Where the line began before this range, no heading or list can begin at its start.
    begun = "" if start == 0 or text[start - 1] == "\n" else "\x00"
    words = escape_markup(begun + text[start:end], text).removeprefix(begun)
    # If anything looks like the end of a link, nothing may look like its beginning.
    return words.replace("[", "\\[") if "](" in text else words
