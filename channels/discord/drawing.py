"""Formatted texts in Discord's own Markdown, which is not CommonMark: marks, headings, lists, quotes and fences.

Its rules are those of the client: a text has to be written so that it reads as it should there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from channels.core.chunking import length
from channels.core.cutting import cut
from channels.core.markdown import parse
from channels.core.rich import Look, Rich, outermost
from channels.core.spans import Part, Span, SpanKind
from channels.discord.markup import LIMITS, escaped, split

__all__ = ["render"]

LOOK = Look()
ZERO_WIDTH = "\u200b"

_MARKS: dict[SpanKind, str] = {"bold": "**", "italic": "*", "strike": "~~", "spoiler": "||"}


def render(text: str, format_: str) -> list[Part]:
    """The parts of a text; none when there is nothing in it to see. Raises `Refused` for an unknown format."""
    if format_ != "markdown":
        return [Part(part, format_, part) for part in split(text, format_)]
    parts = cut(parse(text, LOOK), _fill, LIMITS.text)
    return [Part(_draw(part), "markdown", part.text) for part in parts]


def _fill(rich: Rich) -> float:
    return max(length(rich.text, LIMITS.unit), length(_draw(rich), LIMITS.unit)) / LIMITS.text


def _draw(rich: Rich) -> str:
    return _region(rich.text, 0, len(rich.text), rich.spans, frozenset())


def _region(text: str, start: int, end: int, spans: Sequence[Span], inside: frozenset[str]) -> str:
    bits: list[str] = []
    at = start
    for span, inner in outermost(spans):
        bits.append(_words(text, at, span.start))
        bits.append(_span(text, span, inner, inside))
        at = span.end
    bits.append(_words(text, at, end))
    whole = ""
    for bit in filter(None, bits):
        # Two marks that touch would be read as another one.
        touching = whole[-1:] == bit[0] and bit[0] in "*_~|`"
        whole += ZERO_WIDTH + bit if touching else bit
    return whole


def _span(text: str, span: Span, inner: Sequence[Span], inside: frozenset[str]) -> str:
    said = text[span.start : span.end]
    body = partial(_region, text, span.start, span.end, inner)
    match span.kind:
        case "pre":
            # Three ticks end a code block wherever they stand.
            return f"```{span.value}\n" + re.sub("`(?=``)", "`" + ZERO_WIDTH, said) + "\n```"
        case "code":
            return _code(said)
        case "link" if "link" not in inside:
            return f"[{body(inside | {'link'})}]({_address(span.value)})"
        case "address" if said.startswith(("http://", "https://")):
            return said
        case "quote":
            return "> " + body(inside).replace("\n", "\n> ")
        case "heading":
            return _heading(text, span, body(inside | {"bold"}))
        case "bullet":
            return "- " if said.strip() == "•" else said
        case "task":
            return said if _behind_number(text, span.start) else f"- {said}"
        case "bold" | "italic" | "strike" | "spoiler" if span.kind not in inside:
            return _marked(body(inside | {span.kind}), _MARKS[span.kind])
        case _:
            return body(inside)


def _behind_number(text: str, at: int) -> bool:
    return text[text.rfind("\n", 0, at) + 1 : at].strip() != ""


def _marked(body: str, mark: str) -> str:
    """Marks stand at words: white space at the ends stays outside."""
    kept = body.strip()
    lead = body[: len(body) - len(body.lstrip())]
    return f"{lead}{mark}{kept}{mark}{body[len(lead) + len(kept) :]}" if kept else body


def _heading(text: str, span: Span, body: str) -> str:
    first = span.start == 0 or text[span.start - 1] == "\n"
    if span.value in {"1", "2", "3"} and first:
        hashes = "#" * int(span.value) + " "
        return hashes + body.replace("\n", f"\n{hashes}")
    return _marked(body, "**")


def _code(said: str) -> str:
    ticked = re.sub("`(?=`)", "`" + ZERO_WIDTH, said)
    if "`" not in ticked:
        return f"`{ticked}`"
    return f"`` {ticked} ``"


def _address(url: str) -> str:
    """An address that does not end before its end."""
    return re.sub(r"[()\\<>]", lambda match: f"%{ord(match[0]):02X}", url)


def _words(text: str, start: int, end: int) -> str:
    if start == end:
        return ""
    words = text[start:end]
    if start == 0 or text[start - 1] == "\n":
        return escaped(words)
    # A line that began before this stretch: nothing begins at the stretch's own start.
    return escaped("\x00" + words).replace("\x00", "")
