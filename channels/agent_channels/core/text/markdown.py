"""Markdown into a text and spans over it, laid out the way chats show it. The parser is imported at the first use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agent_channels.core.text.document import Dialect, FormattedText, Writer
from agent_channels.core.text.inline import Inline
from agent_channels.core.text.tables import Table, laid_out

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["escaped", "parse", "verbatim"]

# Without one of these a text reads as it stands.
_MARKUP = re.compile(r"[\\`*_~|\[<&\t]|://|^[ >#+=\-\d]", re.MULTILINE)
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")
_TASK = re.compile(r"\[([ xX])\]\s+")
RULE = "─" * 10


def escaped(text: str) -> str:
    """`text` written so that Markdown reads it as it stands."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def verbatim(source: str) -> bool:
    """Whether a text is surely shown as it stands, in one line: so are most short answers."""
    if not (source.isascii() and source.isprintable()) or source.strip() != source:
        return False
    return bool(source) and _MARKUP.search(source) is None


def parse(source: str, look: Dialect) -> FormattedText:
    """What `source` says. Whatever it is, the result says something wherever the source does."""
    source = _BREAKS.sub("\n", source.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if look.dropped:
        # A letter and its mark as one character, where there is one, outlives the loss of the mark.
        source = re.sub(f".[{look.dropped}]", lambda match: unicodedata.normalize("NFC", match[0]), source)
    if _MARKUP.search(source) is None:
        return _plain(source, look)
    from agent_channels.core.text.parser import parser

    tokens = parser().parse(source)
    # The parser leaves out what is nested deeper than it looks.
    if max((token.level for token in tokens), default=0) >= parser().options["maxNesting"] - 2:
        return _plain(source, look)
    found = _Reader(tokens, look).read()
    return found if found.text.strip() else _plain(source, look)


def _plain(source: str, look: Dialect) -> FormattedText:
    writer = Writer(look)
    lines = "\n".join(line.strip(" \t") for line in source.split("\n")).strip("\n")
    writer.put(re.sub(r"\n{3,}", "\n\n", lines))
    return writer.done()


class _Reader:
    """Walks through the tokens once, writing."""

    def __init__(self, tokens: Sequence[Token], look: Dialect) -> None:
        self._tokens, self._at, self._look = tokens, 0, look
        self._out = Writer(look)
        self._quotes = 0
        self._used = {str(link.attrGet("href")) for link in _links(tokens)}
        # For each open list: its next number (None without numbers), and whether blank lines stand between its items.
        self._lists: list[tuple[int | None, bool]] = []

    def read(self) -> FormattedText:
        while self._at < len(self._tokens):
            self._block()
        return self._out.done()

    def _next(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _until(self, kind: str) -> None:
        while self._tokens[self._at].type != kind:
            self._block()
        self._at += 1

    def _gap(self) -> None:
        self._out.gap(1 if self._lists and not self._lists[-1][1] else 2)

    def _block_gap(self) -> None:
        self._gap()
        self._out.gap(1, always=bool(self._lists))

    def _block(self) -> None:
        token = self._next()
        match token.type:
            case "paragraph_open":
                inline = self._next()
                self._gap()
                self._inline(inline)
                self._next()
                self._gap()
            case "heading_open":
                self._heading(token)
            case "fence" | "code_block":
                self._code(token)
            case "blockquote_open":
                self._quote()
            case "bullet_list_open" | "ordered_list_open":
                self._list(token)
            case "table_open":
                self._table()
            case "hr":
                self._gap()
                self._out.put(RULE)
                self._gap()
            case "definition":
                self._definition(token)
            case _:
                pass

    def _heading(self, token: Token) -> None:
        self._out.gap(2)
        start = self._out.mark()
        self._inline(self._next())
        self._out.span("heading", start, token.tag[1:])
        self._next()
        self._out.gap(2)

    def _code(self, token: Token) -> None:
        self._block_gap()
        start = self._out.mark(indented=False)
        self._out.put("\n".join(line.expandtabs(4) for line in token.content.rstrip("\n").split("\n")), indented=False)
        language = _LANGUAGE.fullmatch((token.info.split() or [""])[0])
        self._out.span("pre", start, language[0] if language else "")
        self._gap()

    def _quote(self) -> None:
        self._gap()
        start = self._out.mark()
        before = self._out.indent
        if self._quotes:
            # No platform draws a quotation inside another one.
            self._out.put("> ")
            self._out.indent += "> "
        self._quotes += 1
        outer, self._lists = self._lists, []
        self._out.fresh()
        self._until("blockquote_close")
        self._lists = outer
        self._quotes -= 1
        self._out.indent = before
        if not self._quotes:
            self._out.span("quote", start)
        self._gap()

    def _list(self, token: Token) -> None:
        number = int(str(token.attrs.get("start", 1))) if token.type == "ordered_list_open" else None
        loose = not _is_tight(self._tokens, self._at)
        self._out.gap(1 if self._lists else 2)
        self._lists.append((number, loose))
        while self._next().type == "list_item_open":
            self._item()
        self._lists.pop()
        self._out.gap(1 if self._lists and not self._lists[-1][1] else 2)

    def _item(self) -> None:
        number, loose = self._lists[-1]
        self._gap()
        start = self._out.mark()
        done = self._task()
        mark = f"{number}. " if number is not None else "• "
        if number is not None:
            self._lists[-1] = (number + 1, loose)
            self._out.put(mark)
            self._out.span("bullet", start)
            start = self._out.mark()
        elif done is None:
            self._out.put(mark)
            self._out.span("bullet", start)
        if done is not None:
            self._out.put("☑ " if done else "☐ ")
            self._out.span("task", start)
        before = self._out.indent
        self._out.indent += " " * (3 if number is not None else 2)
        self._out.fresh()
        self._until("list_item_close")
        self._out.indent = before

    def _task(self) -> bool | None:
        """Whether the item is a task that is done; takes its box away. None: it is no task."""
        if self._tokens[self._at].type != "paragraph_open":
            return None
        for first in (self._tokens[self._at + 1].children or [])[:1]:
            match = _TASK.match(first.content) if first.type == "text" else None
            if match is not None:
                first.content = first.content[match.end() :]
                return match[1] != " "
        return None

    def _definition(self, token: Token) -> None:
        """An address under a name; one that no text uses is shown, or it would be lost."""
        if str(token.meta["url"]) in self._used:
            return
        self._out.gap(1)
        self._out.put(f"[{token.meta['label']}]: ")
        start = self._out.mark()
        self._out.put(str(token.meta["url"]))
        self._out.span("address", start)
        self._out.gap(1)

    def _table(self) -> None:
        rows: list[list[FormattedText]] = []
        sides: list[str] = []
        while (token := self._next()).type != "table_close":
            if token.type == "tr_open":
                rows.append([])
            elif token.type in {"th_open", "td_open"}:
                if token.type == "th_open":
                    sides.append(str(token.attrGet("style") or "").removeprefix("text-align:"))
                rows[-1].append(_cell(self._next(), self._look))
        self._block_gap()
        laid_out(Table(rows, sides), self._out, self._look)
        self._gap()

    def _inline(self, token: Token) -> None:
        Inline(self._out, self._look).read(token.children or [])


def _cell(token: Token, look: Dialect) -> FormattedText:
    writer = Writer(look)
    Inline(writer, look).read(token.children or [])
    return writer.done()


def _links(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                yield child


def _is_tight(tokens: Sequence[Token], at: int) -> bool:
    """Whether the list whose first item is at `at` was written without blank lines: its paragraphs are hidden."""
    level = tokens[at].level + 1
    for token in tokens[at:]:
        if token.level < level - 1:
            return True
        if token.type == "paragraph_open" and token.level == level:
            return token.hidden
    return True
