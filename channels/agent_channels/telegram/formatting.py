"""Formatted texts as Telegram takes and gives them: the plain text, and entities over it.

Telegram makes a link of every name that ends like a domain, such as README.md or backup.sh, and shows a preview of
whatever site has that name. A name that is rather a file's is drawn as code, of which no link is made.
"""

from __future__ import annotations

import html
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from agent_channels.core.errors import Refused
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.formatted_text import Dialect, FormattedText, RenderedPart, Span
from agent_channels.core.text.markdown import is_plain, parse
from agent_channels.core.text.split import split_formatted
from agent_channels.core.text.times import epoch_iso
from agent_channels.core.text.units import length
from agent_channels.telegram.chats import Json
from agent_channels.telegram.markup import LIMITS, parse_mode
from agent_channels.telegram.rich_blocks import rich_message

__all__ = ["entities", "marked", "render", "unfolds"]

# Bot API, "Formatting options": the schemes that an inline link may have. The server removes these characters from a
# text (clean_input_string in td/telegram/misc.cpp).
DIALECT = Dialect(schemes=frozenset({"http", "https", "tg"}), dropped="\u0333\u033f\u030a", structure=True)
# "Limits of messages": entities beyond this many are not drawn.
ENTITIES_MAX = 100

_KINDS = {
    "bold": "bold",
    "italic": "italic",
    "strike": "strikethrough",
    "spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "link": "text_link",
    "quote": "blockquote",
    "heading": "bold",
    "summary": "bold",
    # May hold a code block, as td takes them; clients show its first three lines.
    "fold": "expandable_blockquote",
    "time": "date_time",
}


# A run of characters without those that end a word, a path or an address in prose.
_WORD = lazy_pattern(r"[^\s<>\"'`()\[\]{},;|*，。：；！？、（）「」『』“”…]+")
# What Telegram may take for a domain. Bounds keep the search linear.
_DOMAIN = lazy_pattern(r"[\w-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,16}\.([A-Za-z]{2,24})(?![A-Za-z0-9_-])")
_FOLDERS = lazy_pattern(r"(?<![^\s(])[A-Za-z0-9._~-]{0,64}(?:/[A-Za-z0-9._~-]{0,64}){0,32}/$")
_FOREIGN_LEAD = lazy_pattern(r"[^\x00-\x7f]+(?=[A-Za-z0-9_])")
# Endings that are a site's rather than a file's, so that a link is what was meant.
_SITES = frozenset({"com", "org", "net", "edu", "gov", "io", "dev", "app", "tw", "cn", "jp", "de", "uk", "eu"})
_CONTINUOUS = frozenset({"code", "pre", "link", "address", "time"})

_HTML_TAG = lazy_pattern(r"</?[A-Za-z][^<>]*>")
# An escaped character, which stays; the target of a link (a bound keeps the search linear); marks.
_MARKDOWN_MARKUP = lazy_pattern(r"\\(.)|\]\((?:\\.|[^)\\]){0,512}\)|[*_~|`\[]", re.DOTALL)


def render(text: str, format_: str) -> list[RenderedPart]:
    """Return the parts of a text, in order; none when nothing in it is visible.

    Raises `Refused` for an unknown format, and for a text in one of Telegram's own formats above one message.
    """
    native = parse_mode(format_) is not None
    if format_ == "markdown":
        if len(text) <= LIMITS.text and "." not in text and is_plain(text):
            return [RenderedPart(text, "markdown", text)]
        parts = split_formatted(_with_names(parse(text, DIALECT)), _fill, LIMITS.text)
        return [RenderedPart(part.text, "markdown", part.text, part.spans, rich_message(part)) for part in parts]
    size = length(_without_markup(text, format_), LIMITS.unit)
    if native and size <= LIMITS.text:
        return [RenderedPart(text, format_, text)]
    if native:
        raise Refused(
            f"the text is {size:,} characters long; one message takes {LIMITS.text:,}, and a text in format {format_} "
            "cannot be split: use format markdown, or send several replies"
        )
    formatted = _with_names(FormattedText(text))
    if size <= LIMITS.text and _fill(formatted) <= 1:
        return [RenderedPart(text, format_, text)]
    return [RenderedPart(part.text, format_, part.text) for part in split_formatted(formatted, _fill, LIMITS.text)]


def _without_markup(text: str, format_: str) -> str:
    """Return about what is visible of a text: Telegram counts a message after it has parsed its markup."""
    if format_ == "html":
        return html.unescape(_HTML_TAG.sub("", text))
    if format_ == "markdownv2":
        return _MARKDOWN_MARKUP.sub(lambda found: found[1] or "", text)
    return text


def _fill(rich: FormattedText) -> float:
    return max(length(rich.text, LIMITS.unit) / LIMITS.text, len(_drawable(rich.spans)) / ENTITIES_MAX)


def _with_names(formatted: FormattedText) -> FormattedText:
    """Return the text with the names of files drawn as code, where no link or code is; so in headers of tables."""
    if formatted.tables:
        tables = (replace(table, header=tuple(map(_with_names, table.header))) for table in formatted.tables)
        formatted = replace(formatted, tables=tuple(tables))
    kept = [(span.start, span.end) for span in formatted.spans if span.kind in _CONTINUOUS]
    ends = [end for _, end in kept]
    names = []
    for start, end in _file_names(formatted.text):
        following = bisect_right(ends, start)
        if following == len(kept) or kept[following][0] >= end:
            names.append(Span("code", start, end))
    if not names:
        return formatted
    return replace(formatted, spans=tuple(sorted([*formatted.spans, *names], key=lambda span: (span.start, -span.end))))


def _file_names(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of names and paths that Telegram may take for a domain, but that are none."""
    if "." not in text:
        return
    for word in _WORD.finditer(text):
        written = word[0]
        if "." not in written or "@" in written or "://" in written or written.lower().startswith("www."):
            continue
        for match in _DOMAIN.finditer(written):
            in_path = any(char in "/\\~" for char in written[: match.start()])
            is_site = match[1].lower() in _SITES or written[match.end() : match.end() + 1] == "/"
            if in_path or not is_site:
                lead = _FOREIGN_LEAD.match(written, match.start())
                begin = lead.end() if lead else match.start()
                # A path is drawn whole.
                folders = _FOLDERS.search(written, 0, begin) if not lead else None
                yield word.start() + (folders.start() if folders else begin), word.start() + match.end()


def entities(text: str, spans: Sequence[Span], start: int = 0) -> list[Json]:
    """Return the entities that draw `spans`, and from `start` on the names of files.

    Their offsets and lengths are in UTF-16 units.
    """
    offsets = _utf16_offsets(text)
    return [
        {
            "type": _KINDS[span.kind],
            "offset": offsets[span.start],
            "length": offsets[span.end] - offsets[span.start],
            **_details(span),
        }
        for span in _drawable(_with_names(FormattedText(text, tuple(spans))).spans)
        if span.end > start
    ]


def _details(span: Span) -> Json:
    match span.kind:
        case "link":
            return {"url": span.value}
        case "pre" if span.value:
            return {"language": span.value}
        case "time":
            seconds, _, format_ = span.value.partition(":")
            return {"unix_time": int(seconds), "date_time_format": format_}
        case _:
            return {}


def _drawable(spans: Sequence[Span]) -> list[Span]:
    """Return the spans that Telegram draws: no bold within bold, and of code within a link only the link."""
    drawable: list[Span] = []
    ends = {"bold": 0, "link": 0}
    for span in spans:
        kind = "bold" if span.kind in {"heading", "summary"} else span.kind
        outer = "link" if kind == "code" else kind
        if span.kind not in _KINDS or span.start < ends.get(outer, 0):
            continue
        if kind in ends:
            ends[kind] = span.end
        drawable.append(span)
    return drawable


def unfolds(text: str) -> bool:
    """Return whether a text in one of Telegram's own formats may have a preview: not of a site named like a file."""
    return "://" in text or not any(_file_names(text))


def _utf16_offsets(text: str) -> Sequence[int]:
    """Return, for each index into `text` and its end, the offset in UTF-16 units."""
    if length(text, "utf16") == len(text):
        return range(len(text) + 1)
    offsets = [0]
    for char in text:
        offsets.append(offsets[-1] + 1 + (char > "\uffff"))
    return offsets


# ---- what people wrote

# What changes the meaning of words: struck out, hidden, quoted, or to be taken letter by letter. Bold type does not.
_LINE_MARKS = {"strikethrough": "~~", "spoiler": "||"}
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})
_READ = frozenset({*_LINE_MARKS, *_QUOTES, "code", "pre", "text_link", "date_time"})


def marked(text: str, entities: Sequence[Json]) -> str:
    """Return a text with its formatting as Markdown; an address or a moment that stands for words comes after them."""
    found = [entity for entity in entities if entity["type"] in _READ]
    if not found:
        return text
    # One character for each UTF-16 unit, in which Telegram counts.
    encoded = text.encode("utf-16-le", "surrogatepass")
    units = "".join(map(chr, struct.unpack(f"<{len(encoded) // 2}H", encoded)))
    quotes = [
        range(entity["offset"], entity["offset"] + entity["length"]) for entity in found if entity["type"] in _QUOTES
    ]
    marks = sorted(mark for rank, entity in enumerate(found) for mark in _marks(units, entity, rank, quotes))
    parts, at = [], 0
    for position, *_, mark in marks:
        parts += [units[at:position], mark]
        at = position
    return "".join([*parts, units[at:]]).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# A mark to insert: its position, whether it opens something, two numbers that order marks in one place so that they
# nest (the outer one opens first and closes last), and the mark.
_Mark = tuple[int, bool, int, int, str]


def _marks(units: str, entity: Json, rank: int, quotes: Sequence[range]) -> Iterator[_Mark]:
    start = max(0, min(int(entity["offset"]), len(units)))
    end = max(start, min(start + int(entity["length"]), len(units)))
    covered, kind = units[start:end], entity["type"]
    if not covered.strip():
        return
    if kind == "text_link":
        url = str(entity.get("url") or "")
        if url and covered.strip().rstrip("/") != url.rstrip("/"):
            yield _closing(start, end, rank, f" ({url})")
    elif kind == "date_time":
        # Programs show it in each reader's own time zone.
        with suppress(ValueError, OverflowError, TypeError):
            yield _closing(start, end, rank, f" ({epoch_iso(float(entity['unix_time']))})")
    elif kind == "pre":
        fence = "`" * max(3, _longest_run(covered) + 1)
        line_end = "\n> " if any(start in quote for quote in quotes) else "\n"
        before = "" if _is_line_start(units, start) else line_end
        yield _opening(start, end, rank, f"{before}{fence}{entity.get('language') or ''}{line_end}")
        after = "" if covered.endswith("\n") else line_end
        yield _closing(start, end, rank, f"{after}{fence}{line_end if _break(units, end) else ''}")
    elif kind in _QUOTES:
        for line in re.finditer("^(?!\\Z)", covered, re.MULTILINE):
            at = start + line.start()
            before = "\n" if at == start and not _is_line_start(units, start) else ""
            yield (at, True, -len(units) - 1, rank, f"{before}> ")
        yield _closing(-1, end, rank, _break(units, end))
    else:
        yield from _line_marks(units, start, end, entity, rank)


def _line_marks(units: str, start: int, end: int, entity: Json, rank: int) -> Iterator[_Mark]:
    """Yield a pair of marks for the words of each line, since a mark beside white space marks nothing."""
    for line in re.finditer(r"\S(?:.*\S)?", units[start:end]):
        first, last = start + line.start(), start + line.end()
        mark = _LINE_MARKS.get(entity["type"]) or "`" * (_longest_run(line[0]) + 1)
        # Backticks at the edge of code would lengthen the marks.
        space = " " if mark[0] == "`" and "`" in {line[0][0], line[0][-1]} else ""
        yield _opening(first, last, rank, mark + space)
        yield _closing(first, last, rank, space + mark)


def _opening(start: int, end: int, rank: int, mark: str) -> _Mark:
    return (start, True, -end, rank, mark)


def _closing(start: int, end: int, rank: int, mark: str) -> _Mark:
    return (end, False, -start, -rank, mark)


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _is_line_start(units: str, at: int) -> bool:
    return at == 0 or units[at - 1] == "\n"


def _break(units: str, at: int) -> str:
    """Return the line break that has to follow a block that ends at `at`."""
    return "" if at == len(units) or units[at] == "\n" else "\n"
