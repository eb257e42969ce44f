"""The layout of parsed Markdown: blocks one below the other, lists with markers and indentation, links with targets."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from markdown_it.token import Token

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.formatted_text import RULE, Dialect, FormattedText, FormattedTextBuilder, SpanKind
from agent_channels.core.text.markdown_parser import DETAILS, parser
from agent_channels.core.text.tables import write_table

__all__ = ["lay_out"]

_LANGUAGE = lazy_pattern(r"[\w+#.-]{1,40}")
_TASK = lazy_pattern(r"\[([ xX])\]\s+")
_HOST = lazy_pattern(r"[^\s.@:/]+(?:\.[^\s.@:/]+)+")
# A longer URL would leave no room for words on the platform with the shortest messages.
LINK_MAX = 800
# A phone shows some 25 lines of code at once: a block that fills the screen alone hides what is said around it.
FOLD_LINES = 25
# What programs print; other code is there to be copied, for which it has to be in view.
_OUTPUT_LANGUAGES = "text txt plain plaintext log logs console output out stdout stderr traceback diff patch"
_OUTPUT = frozenset({"", *_OUTPUT_LANGUAGES.split()})
_ENDS_NUMBERING = {"paragraph_open", "heading_open", "hr", "definition"}
_STYLES: dict[str, SpanKind] = {"strong": "bold", "em": "italic", "s": "strike", "spoiler": "spoiler"}


def lay_out(source: str, dialect: Dialect) -> FormattedText | None:
    """Return Markdown as formatted text; None if it is nested so deeply that the parser would leave text out."""
    tokens = parser().parse(source, {DETAILS: dialect.structure})
    if max((token.level for token in tokens), default=0) >= parser().options["maxNesting"] - 2:
        return None
    return _BlockLayout(tokens, dialect).lay_out()


@dataclass(slots=True)
class _List:
    """An open list: whether it is numbered, and whether blank lines separate its items."""

    numbered: bool
    loose: bool


class _BlockLayout:
    """Reads the tokens of all blocks once, and writes them."""

    def __init__(self, tokens: Sequence[Token], dialect: Dialect) -> None:
        self._tokens, self._next_index, self._dialect = tokens, 0, dialect
        self._builder = FormattedTextBuilder(dialect)
        self._link_targets = {
            str(child.attrGet("href"))
            for token in tokens
            for child in token.children or ()
            if child.type == "link_open"
        }
        self._item_numbers = _item_numbers(tokens)
        self._quote_depth = 0
        self._lists: list[_List] = []

    def lay_out(self) -> FormattedText:
        while self._next_index < len(self._tokens):
            self._block()
        return self._builder.build()

    def _next(self) -> Token:
        self._next_index += 1
        return self._tokens[self._next_index - 1]

    def _blocks_until(self, token_type: str) -> None:
        while self._tokens[self._next_index].type != token_type:
            self._block()
        self._next_index += 1

    def _separate(self) -> None:
        """Request the line breaks between two blocks: no blank line within a tight list."""
        self._builder.request_breaks(1 if self._lists and not self._lists[-1].loose else 2)

    def _separate_verbatim(self) -> None:
        """Request the line breaks before code or a table, which never stands on the line of a list marker."""
        self._separate()
        self._builder.request_breaks(1, force=bool(self._lists))

    def _block(self) -> None:
        token = self._next()
        match token.type:
            case "paragraph_open":
                self._separate()
                self._inline(self._next())
                self._next()
                self._separate()
            case "heading_open":
                self._heading(token)
            case "fence" | "code_block":
                self._code_block(token)
            case "blockquote_open":
                self._quote()
            case "bullet_list_open" | "ordered_list_open":
                self._list(token)
            case "table_open":
                self._table()
            case "details_open":
                self._details()
            case "hr":
                self._separate()
                self._builder.write(RULE)
                self._separate()
            case "definition":
                self._definition(token)
            case _:
                pass

    def _inline(self, token: Token) -> None:
        _InlineLayout(self._builder, self._dialect).write(token.children or [])

    def _heading(self, token: Token) -> None:
        self._builder.request_breaks(2)
        start = self._builder.next_offset()
        self._inline(self._next())
        self._builder.add_span("heading", start, token.tag.removeprefix("h"))
        self._next()
        self._builder.request_breaks(2)

    def _code_block(self, token: Token) -> None:
        self._separate_verbatim()
        start = self._builder.next_offset(indented=False)
        code = "\n".join(line.expandtabs(4) for line in token.content.rstrip("\n").split("\n"))
        self._builder.write(code, indented=False)
        language = (token.info.split() or [""])[0]
        self._builder.add_span("pre", start, language if _LANGUAGE.fullmatch(language) else "")
        is_output = token.type == "fence" and language.lower() in _OUTPUT
        if self._dialect.structure and is_output and code.count("\n") + 1 >= FOLD_LINES:
            self._fold(start)
            self._builder.add_span("details", start)
        self._separate()

    def _fold(self, start: int) -> None:
        """Fold the text from `start`, unless it is in a quotation: platforms draw neither inside the other."""
        if not self._quote_depth:
            self._builder.add_span("fold", start)

    def _details(self) -> None:
        """Write a summary, and below it what it stands for."""
        self._separate()
        start = self._builder.next_offset()
        summary = self._next()
        if summary.content:
            self._inline(summary)
            self._builder.add_span("summary", start)
            self._builder.request_breaks(1)
        inside = self._builder.next_offset()
        outer_lists, self._lists = self._lists, []
        self._quote_depth += 1
        self._builder.suppress_breaks()
        self._blocks_until("details_close")
        self._quote_depth -= 1
        self._lists = outer_lists
        self._fold(inside)
        self._builder.add_span("details", start)
        self._separate()

    def _quote(self) -> None:
        self._separate()
        start = self._builder.next_offset()
        indent = self._builder.indent
        if self._quote_depth:
            # No platform draws a quotation inside another one.
            self._builder.write("> ")
            self._builder.indent += "> "
        self._quote_depth += 1
        outer_lists, self._lists = self._lists, []
        self._builder.suppress_breaks()
        self._blocks_until("blockquote_close")
        self._lists = outer_lists
        self._quote_depth -= 1
        self._builder.indent = indent
        if not self._quote_depth:
            self._builder.add_span("quote", start)
        self._separate()

    def _list(self, token: Token) -> None:
        loose = not _is_tight(self._tokens, self._next_index)
        self._builder.request_breaks(1 if self._lists else 2)
        numbered = token.type == "ordered_list_open"
        self._lists.append(_List(numbered, loose))
        while self._next().type == "list_item_open":
            self._item(self._item_numbers.get(self._next_index - 1))
        self._lists.pop()
        self._separate()

    def _item(self, number: str | None) -> None:
        self._separate()
        begin = start = self._builder.next_offset()
        done = self._take_checkbox()
        if number is not None:
            self._marker(f"{number} ", "bullet", start)
            start = self._builder.next_offset()
        elif done is None:
            self._marker("• ", "bullet", start)
        if done is not None:
            self._marker("☑ " if done else "☐ ", "task", start)
        indent = self._builder.indent
        self._builder.indent += " " * (2 if number is None else 3)
        self._builder.suppress_breaks()
        self._blocks_until("list_item_close")
        self._builder.indent = indent
        if self._dialect.structure:
            self._builder.add_span("item", begin, number or "")

    def _marker(self, text: str, kind: SpanKind, start: int) -> None:
        self._builder.write(text)
        self._builder.add_span(kind, start)

    def _take_checkbox(self) -> bool | None:
        """Remove the checkbox of a task item and return whether it is ticked; None for any other item."""
        if self._tokens[self._next_index].type != "paragraph_open":
            return None
        for first in (self._tokens[self._next_index + 1].children or [])[:1]:
            match = _TASK.match(first.content) if first.type == "text" else None
            if match is not None:
                first.content = first.content[match.end() :]
                return match[1] != " "
        return None

    def _definition(self, token: Token) -> None:
        """Write a link definition that no link uses, which would be lost otherwise."""
        url = str(token.meta["url"])
        if url in self._link_targets:
            return
        self._builder.request_breaks(1)
        self._builder.write(f"[{token.meta['label']}]: ")
        start = self._builder.next_offset()
        self._builder.write(url)
        self._builder.add_span("address", start)
        self._builder.request_breaks(1)

    def _table(self) -> None:
        rows: list[list[FormattedText]] = []
        alignments: list[str] = []
        while (token := self._next()).type != "table_close":
            if token.type == "tr_open":
                rows.append([])
            elif token.type in {"th_open", "td_open"}:
                if token.type == "th_open":
                    alignments.append(str(token.attrGet("style") or "").removeprefix("text-align:"))
                rows[-1].append(self._cell(self._next()))
        # A row may be longer than the header.
        columns = max(map(len, rows))
        alignments += [""] * (columns - len(alignments))
        rows = [row + [FormattedText("")] * (columns - len(row)) for row in rows]
        self._separate_verbatim()
        write_table(rows, alignments, self._builder, self._dialect.columns)
        self._separate()

    def _cell(self, token: Token) -> FormattedText:
        builder = FormattedTextBuilder(self._dialect)
        _InlineLayout(builder, self._dialect).write(token.children or [])
        return builder.build()


def _item_numbers(tokens: Sequence[Token]) -> dict[int, str]:
    """Return what stands before each numbered item ("12."), by the index of its token: its number as it was written.

    Where every number is 1 (or 0), they count up, as Markdown means it; also across bullets, quotations, code and
    tables that interrupt the list because they were not indented.
    """
    runs: list[list[int]] = []
    # The run of items that may go on, by the level of their list.
    open_runs: dict[int, list[int]] = {}
    for index, token in enumerate(tokens):
        if token.type == "list_item_open" and token.info:
            level = token.level - 1
            if level not in open_runs:
                runs.append(open_runs.setdefault(level, []))
            open_runs[level].append(index)
        elif token.type in _ENDS_NUMBERING:
            open_runs.pop(token.level, None)
        elif token.nesting < 0:
            open_runs = {level: run for level, run in open_runs.items() if level <= token.level}
    numbers = {index: tokens[index].info for run in runs for index in run}
    for run in runs:
        first = numbers[run[0]]
        if first in {"0", "1"} and all(numbers[index] == first for index in run):
            numbers |= {index: str(number) for number, index in enumerate(run, int(first))}
    return {index: number + tokens[index].markup for index, number in numbers.items()}


def _is_tight(tokens: Sequence[Token], index: int) -> bool:
    """Return True if no blank line separates the items of the list that begins at `index`."""
    level = tokens[index].level + 1
    for token in tokens[index:]:
        if token.level < level - 1:
            return True
        if token.type == "paragraph_open" and token.level == level:
            # The parser hides the paragraphs of a tight list.
            return token.hidden
    return True


class _InlineLayout:
    """Writes the inside of one paragraph, heading or table cell."""

    def __init__(self, builder: FormattedTextBuilder, dialect: Dialect) -> None:
        self._builder, self._dialect = builder, dialect
        self._open_starts: list[int] = []
        self._link_target: str | None = None

    def write(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            match token.type:
                case "text" | "text_special":
                    self._builder.write(token.content)
                case "softbreak" | "hardbreak":
                    self._builder.write("\n")
                case "code_inline":
                    self._write_span("code", token.content)
                case "address":
                    self._write_span("address", token.content)
                case "image":
                    self._image(token)
                case "link_open":
                    self._open_starts.append(self._builder.next_offset())
                    self._link_target = str(token.attrGet("href") or "")
                case "link_close":
                    self._link(self._open_starts.pop(), self._link_target or "")
                    self._link_target = None
                case _:
                    self._style(token)

    def _style(self, token: Token) -> None:
        kind = _STYLES.get(token.type.rpartition("_")[0])
        if kind is not None and token.nesting > 0:
            self._open_starts.append(self._builder.next_offset())
        elif kind is not None:
            self._builder.add_span(kind, self._open_starts.pop())

    def _write_span(self, kind: SpanKind, text: str) -> None:
        start = self._builder.next_offset()
        self._builder.write(text)
        self._builder.add_span(kind, start)

    def _image(self, token: Token) -> None:
        start = self._builder.next_offset()
        self._builder.write("".join(child.content for child in token.children or ()))
        if self._link_target is None:
            self._link(start, str(token.attrGet("src") or ""))

    def _link(self, start: int, target: str) -> None:
        """Turn the text from `start` into a link; where the platform allows none, write the URL behind the text."""
        label = self._builder.text_from(start).strip()
        target = "".join("%20" if char == " " else char for char in target if char.isprintable())
        if not label:
            self._write_span("address", target)
        elif label in {target, target.removeprefix("mailto:")}:
            self._builder.add_span("address", start)
        # A label that looks like a URL could hide another one behind it.
        elif _is_linkable(target, self._dialect.schemes) and "://" not in label:
            self._builder.add_span("link", start, target)
        elif target and not target.startswith("#"):
            self._builder.write(" (")
            self._write_span("address", target)
            self._builder.write(")")


def _is_linkable(url: str, schemes: frozenset[str]) -> bool:
    """Return True if platforms accept `url` as the target of a link: a known scheme, and a host with a dot.

    In `http://a@b` the host looks like another one, so that URL is shown.
    """
    if len(url) > LINK_MAX or any(unicodedata.category(char)[0] in "ZC" for char in url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port_is_number = parts.port is None or parts.port >= 0
    except ValueError:
        return False
    if parts.scheme not in schemes or not port_is_number or "@" in parts.netloc:
        return False
    return parts.scheme not in {"http", "https"} or _HOST.fullmatch(host) is not None
