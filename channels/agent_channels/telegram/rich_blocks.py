"""Formatted text as the blocks of a rich message, where plain text with entities cannot show its structure.

Blocks, not Telegram's Markdown or HTML: those read `$400-600K` as a formula and `#19469` as a heading. Bare links are
left to Telegram, which finds them as in any text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agent_channels.core.i18n.messages import translate
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.formatted_text import RULE, FormattedText, Span, outermost
from agent_channels.telegram.chats import Json

__all__ = ["BLOCKS_MAX", "CHARACTERS_MAX", "COLUMNS_MAX", "LEVELS_MAX", "rich_message", "with_block"]

# "Rich Message Limits" are 32,768 characters, 500 blocks, 16 levels and 20 columns. Programs fold a message behind
# "Show more" from about 8,000 characters on, and that on the Mac had no such button, so that a longer text looked cut.
CHARACTERS_MAX, BLOCKS_MAX, LEVELS_MAX, COLUMNS_MAX = 7000, 400, 12, 20

_STYLES = {"bold": "bold", "italic": "italic", "strike": "strikethrough", "spoiler": "spoiler"}
_BLOCKS = frozenset({"heading", "pre", "quote", "fold", "details", "item", "table"})
_BLANK_LINES = lazy_pattern(r"\n[^\S\n]*\n\s*")
# In these keys of a block is what people read.
_WORDS = ("text", "summary", "blocks", "items", "cells")


class _Unsayable(Exception):
    """There is something in the text that blocks do not say as it was written."""


def rich_message(part: FormattedText) -> Json | None:
    """Return a part of a text as an `InputRichMessage`.

    None where that gains nothing (there is neither a table of 2 to 20 columns that is not aligned, nor a task list, nor
    anything to fold), where blocks do not say what was written, and above the limits here.
    """
    if not any(_needs_blocks(part, span) for span in part.spans):
        return None
    try:
        blocks = _Writer(part).blocks(0, len(part.text), part.spans)
    except _Unsayable:
        return None
    count, deepest = _size(blocks)
    if count > BLOCKS_MAX or deepest > LEVELS_MAX or _characters(blocks) > CHARACTERS_MAX:
        return None
    return {"blocks": blocks, "is_rtl": True} if _is_rtl(part.text) else {"blocks": blocks}


def with_block(rich: Json, text: str) -> Json | None:
    """Return a message that Telegram sent, with a paragraph below it, as it is sent back.

    None if there are files in it, which are sent in another form than they are received in.
    """
    blocks = _resent(rich.get("blocks"))
    if not isinstance(blocks, list) or not blocks:
        return None
    kept = {"is_rtl": True} if rich.get("is_rtl") else {}
    return {"blocks": [*blocks, {"type": "paragraph", "text": text}], **kept}


def _resent(value: Any) -> Any:
    """Return a received node as it is sent; None if it holds a file, or is of a kind that changed over time."""
    if isinstance(value, list):
        items = [_resent(item) for item in value]
        return None if any(item is None for item in items) else items
    if not isinstance(value, dict):
        return value
    kind = value.get("type")
    if kind == "expandable_blockquote" or (isinstance(kind, str) and kind in value):
        return None
    # Telegram makes the labels of lists.
    fields = {key: _resent(item) for key, item in value.items() if key != "label"}
    return None if any(field is None for field in fields.values()) else fields


def _needs_blocks(part: FormattedText, span: Span) -> bool:
    if span.kind == "table":
        return 2 <= len(part.tables[int(span.value)].alignments) <= COLUMNS_MAX
    return span.kind in {"task", "details"}


class _Writer:
    """Writes the blocks of one text. `indent`: how many spaces begin the lines of a list item."""

    def __init__(self, part: FormattedText) -> None:
        self._text, self._tables = part.text, part.tables
        self._rtl = _is_rtl(part.text)

    def blocks(self, start: int, end: int, spans: Sequence[Span], indent: int = 0) -> list[Json]:
        """Return the text from `start` to `end`, over which `spans` lie, as blocks."""
        found: list[Json] = []
        within_lines: list[Span] = []
        # The list that goes on if another item follows, and whether it is numbered.
        open_list: tuple[list[Json], bool] | None = None
        at = start
        for span, inner in outermost(spans):
            if span.kind not in _BLOCKS:
                within_lines += [span, *inner]
                continue
            between = list(self._paragraphs(at, span.start, within_lines, indent))
            found += between
            within_lines, at = [], span.end
            item = self._item(span, inner, indent) if span.kind == "item" else None
            if item is None:
                found += self._block(span, inner, indent)
                open_list = None
            elif open_list is not None and not between and open_list[1] == ("value" in item):
                open_list[0].append(item)
            else:
                open_list = [item], "value" in item
                found.append({"type": "list", "items": open_list[0]})
        return [*found, *self._paragraphs(at, end, within_lines, indent)]

    def _block(self, span: Span, inner: Sequence[Span], indent: int) -> list[Json]:
        match span.kind:
            case "heading":
                text = self.rich_text(span.start, span.end, inner)
                return [{"type": "heading", "size": int(span.value or 1), "text": text}]
            case "pre":
                language = {"language": span.value} if span.value else {}
                return [{"type": "pre", "text": self._text[span.start : span.end], **language}]
            case "quote":
                return [{"type": "blockquote", "blocks": self._some_blocks(span.start, span.end, inner, indent)}]
            case "details":
                return [self._details(span, inner, indent)]
            case "table" if 2 <= len(self._tables[int(span.value)].alignments) <= COLUMNS_MAX:
                return [self._table(span, inner)]
            case "table":
                inner = [one for one in inner if one.kind not in {"row", "cell"}]
            case "item":
                indent += _indent(span)
        return self.blocks(span.start, span.end, inner, indent)

    def _some_blocks(self, start: int, end: int, spans: Sequence[Span], indent: int) -> list[Json]:
        found = self.blocks(start, end, spans, indent)
        if not found:
            raise _Unsayable
        return found

    def _item(self, span: Span, inner: Sequence[Span], indent: int) -> Json | None:
        """Return a list item; None for the rest of one that began in an earlier message."""
        rest, at, marks = list(inner), span.start, 0
        done: bool | None = None
        while rest and rest[0].kind in {"bullet", "task"} and rest[0].start == at:
            marker = rest.pop(0)
            at, marks = marker.end, marks + 1
            if marker.kind == "task":
                done = self._text.startswith("☑", marker.start)
        if not marks:
            return None
        number = int(span.value[:-1] or 0) if span.value else None
        if number == 0 or (number is not None and done is not None):
            # Whether a list shows a 0, or a number beside a checkbox, is not documented.
            raise _Unsayable
        item: Json = {"blocks": self._some_blocks(at, span.end, rest, indent + _indent(span))}
        if number is not None:
            item |= {"value": number, "type": "1"}
        if done is not None:
            item |= {"has_checkbox": True, "is_checked": done}
        return item

    def _details(self, span: Span, inner: Sequence[Span], indent: int) -> Json:
        inside, start = list(inner), span.start
        summary: Any = ""
        if inside and inside[0].kind == "summary":
            title = inside[0]
            summary = self.rich_text(title.start, title.end, [one for one in inside[1:] if one.end <= title.end])
            inside, start = [one for one in inside if one.start >= title.end], title.end
        blocks = self.blocks(start, span.end, inside, indent)
        if not blocks:
            return {"type": "paragraph", "text": {"type": "bold", "text": summary}}
        lines = self._text.count("\n", start, span.end) + 1
        return {
            "type": "details",
            "summary": summary or translate("folded_one" if lines == 1 else "folded_many", count=lines),
            "blocks": blocks,
        }

    def _table(self, span: Span, inner: Sequence[Span]) -> Json:
        table = self._tables[int(span.value)]
        columns = len(table.alignments)
        rows: list[list[Json]] = []
        if any(cell.text.strip() for cell in table.header):
            rows.append([self._cell(table, column, _named(cell)) for column, cell in enumerate(table.header)])
            for cell in rows[0]:
                cell["is_header"] = True
        row: list[Json] = []
        for index, one in enumerate(inner):
            if one.kind == "row":
                row = [self._cell(table, column, "") for column in range(columns)]
                rows.append(row)
            elif one.kind == "cell":
                within = [other for other in inner[index + 1 :] if other.start < one.end]
                column = int(one.value)
                row[column] = self._cell(table, column, self.rich_text(one.start, one.end, within))
        return {"type": "table", "cells": rows, "is_bordered": True}

    def _cell(self, table: Any, column: int, text: Any) -> Json:
        align = table.alignments[column] or ("right" if self._rtl else "left")
        return {"align": align, "valign": "top", **({"text": text} if text else {})}

    # ---- within a line

    def _paragraphs(self, start: int, end: int, spans: Sequence[Span], indent: int) -> Iterator[Json]:
        breaks = [(match.start(), match.end()) for match in _BLANK_LINES.finditer(self._text, start, end)]
        firsts, lasts = [start, *(after for _, after in breaks)], [*(before for before, _ in breaks), end]
        for first, last in zip(firsts, lasts, strict=True):
            words = self._text[first:last].strip()
            begin = self._text.find(words, first)
            finish = begin + len(words)
            if words == RULE:
                yield {"type": "divider"}
            elif words:
                within = [span for span in spans if span.start < finish and span.end > begin]
                yield {"type": "paragraph", "text": self.rich_text(begin, finish, within, indent)}

    def rich_text(self, start: int, end: int, spans: Sequence[Span], indent: int = 0) -> Any:
        """Return a string, or a list of strings and of objects with a type."""
        pieces: list[Any] = []
        at = start
        for span, inner in outermost(spans):
            first, last = max(span.start, start), min(span.end, end)
            _extend(pieces, self._words(at, first, indent))
            body = self.rich_text(first, last, inner, indent)
            _extend(pieces, _drawn(span, body, self._text[first:last]))
            at = last
        _extend(pieces, self._words(at, end, indent))
        return pieces[0] if len(pieces) == 1 else pieces or ""

    def _words(self, start: int, end: int, indent: int) -> str:
        words = self._text[start:end]
        return words.replace("\n" + " " * indent, "\n") if indent else words


def _indent(item: Span) -> int:
    """Return how many spaces begin the lines of an item below its first."""
    return 3 if item.value else 2


def _extend(pieces: list[Any], node: Any) -> None:
    """Add a node, joined to a string before it if it is one."""
    if isinstance(node, list):
        for one in node:
            _extend(pieces, one)
    elif isinstance(node, str) and pieces and isinstance(pieces[-1], str):
        pieces[-1] += node
    elif node:
        pieces.append(node)


def _drawn(span: Span, body: Any, covered: str) -> Any:
    if not covered.strip():
        return body
    if span.kind in _STYLES:
        return {"type": _STYLES[span.kind], "text": body}
    if span.kind == "code":
        return {"type": "code", "text": covered}
    if span.kind == "link":
        return {"type": "url", "text": body, "url": span.value}
    return body


def _named(cell: FormattedText) -> Any:
    return _Writer(cell).rich_text(0, len(cell.text), cell.spans)


def _size(blocks: Iterable[Json], level: int = 1) -> tuple[int, int]:
    """Return how many blocks there are, with the items of lists and the rows of tables, and how many levels."""
    count, deepest = 0, 0
    for block in blocks:
        items = block.get("items", [])
        count += 1 + len(items) + len(block.get("cells", []))
        deepest = max(deepest, level)
        for holder in (block, *items):
            inside, below = _size(holder.get("blocks", []), level + 1)
            count, deepest = count + inside, max(deepest, below)
    return count, deepest


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_characters, value))
    return sum(_characters(value[key]) for key in _WORDS if key in value)


def _is_rtl(text: str) -> bool:
    """Return whether most of the letters are of scripts that are written from right to left."""
    if text.isascii():
        return False
    kinds = [unicodedata.bidirectional(char) for char in text]
    return sum(kind in {"R", "AL"} for kind in kinds) > kinds.count("L")
