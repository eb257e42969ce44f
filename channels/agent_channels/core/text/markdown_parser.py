"""The Markdown parser: CommonMark with tables and strikethrough, adapted to what agents write.

- `a*b*c`, `x**2 + y**2`, `__init__.py` and paths with asterisks are not emphasis. Emphasis next to Chinese or Japanese
  punctuation is, although CommonMark's rules assume spaces between words.
- A bare URL is never read as markup. `||x||` is a spoiler, `<br>` a line break, and all other HTML is text.
- `[word]: text` defines a link only if the text is a URL.
- A table keeps the cells that its header has no column for, and a pipe in code does not end a cell.
- `<details>` on lines of its own is a block, for callers that ask for it.
"""

from __future__ import annotations

import re
import types
import unicodedata
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference, table
from markdown_it.rules_block.table import getLine
from markdown_it.rules_inline import StateInline, link
from markdown_it.rules_inline.image import image
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from agent_channels.core.patterns import lazy_pattern

__all__ = ["DETAILS", "parser"]

# The key in the parser's `env` that makes `<details>` a block.
DETAILS = "details"

_SCHEME = lazy_pattern(r"(https?)$", re.IGNORECASE)
_URL_REST = lazy_pattern(r"://[^\s<>`，。；：！？（）「」『』【】《》、“”|]{1,2000}")
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_LINE_BREAK = lazy_pattern(r"<br\s*/?>", re.IGNORECASE)
_DEFINITION = lazy_pattern(r"\[(?:\\.|[^\[\]\\])+\]:\s*<?(?:https?://|mailto:|tg://|[/#.])", re.IGNORECASE)
_PIPE = lazy_pattern(r"\\.|\|", re.DOTALL)
_PIPE_OUTSIDE_CODE = lazy_pattern(r"\\.|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)|\|", re.DOTALL)
# Failed attempts to read a link in one paragraph, each of which scans to its end. After so many, brackets are text.
FAILED_LINKS_MAX = 1000
_DETAILS_OPEN = lazy_pattern(r"<details(?:\s+open)?\s*>", re.IGNORECASE)
_DETAILS_TAG = lazy_pattern(r"<(/?)details(?:\s+open)?\s*>", re.IGNORECASE)
_SUMMARY = lazy_pattern(r"\s*<summary>(.{0,1000}?)</summary>", re.IGNORECASE | re.DOTALL)
# Every level, and every <details> without an end, costs a pass over what follows it.
DETAILS_LEVELS_MAX, FAILED_DETAILS_MAX = 4, 100
# A word may begin behind one of these, and so may a spoiler.
_BEFORE_SPOILER = frozenset("([{*_~\"'“‘«:—–-,.!?;")


@cache
def parser() -> MarkdownIt:
    """Return the parser, which is built once per process."""
    markdown = MarkdownIt("commonmark", {"html": False, "inline_definitions": True, "maxNesting": 40})
    markdown.enable(["table", "strikethrough"])
    markdown.disable(["html_block", "html_inline"])
    # URLs stay as they were written; the layout decides which of them become links.
    markdown.normalizeLink = lambda url: url  # type: ignore[method-assign]
    markdown.validateLink = lambda url: isinstance(url, str)  # type: ignore[method-assign]
    markdown.inline.add_terminator_char("|")
    inline, after_inline = markdown.inline.ruler, markdown.inline.ruler2
    inline.before("emphasis", "dunder", _dunder)
    inline.at("emphasis", _emphasis)
    inline.at("strikethrough", _strikethrough)
    inline.before("emphasis", "spoiler", _spoiler)
    inline.before("newline", "address", _url)
    inline.before("autolink", "br", _line_break)
    inline.at("link", _link)
    inline.at("image", _image)
    after_inline.before("fragments_join", "spoiler", _pair_spoilers)
    markdown.block.ruler.at("reference", _reference)
    markdown.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    markdown.block.ruler.before("fence", "details", _details, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    return markdown


# ---- rules: each returns False where it does not apply; with `silent` it must not write tokens


@cache
def _dunder_names() -> re.Pattern[str]:
    """Match Python's special names, and names of files and folders that are written like them."""
    kinds = (object, type, int, float, list, dict, set, str, types.ModuleType, types.FunctionType, types.GeneratorType)
    names = {name[2:-2] for kind in kinds for name in dir(kind) if name.startswith("__") and name.endswith("__")}
    names |= {"main", "name", "file", "all", "path", "version", "author", "future", "pycache", "builtins", "import"}
    names |= {"enter", "exit", "aenter", "aexit", "await", "aiter", "anext", "missing", "slots", "post_init", "debug"}
    names |= {"tests", "mocks", "snapshots", "fixtures", "proto", "typename", "dirname", "filename"}
    return re.compile("__(?:" + "|".join(sorted(names, reverse=True)) + ")__")


def _dunder(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the library's signature
    match = _dunder_names().match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.append_pending(match[0])
    state.pos = match.end()
    return True


def _emphasis(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    count = _run_length(state, marker)
    before, after = _neighbours(state, count)
    can_open, can_close = _flanking(before, after)
    if marker == "_":
        can_open, can_close = (
            can_open and (not can_close or _is_punctuation(before)) and before not in "/.\\",
            can_close and (not can_open or _is_punctuation(after)) and not _name_continues(state, state.pos + count),
        )
    else:
        in_path = before in "/\\" and (count == 1 or after in "/\\.")
        can_open = can_open and not _is_spaced_alnum(before) and not in_path
        can_close = can_close and not (after.isdigit() and _is_spaced_alnum(before)) and not in_path
    _push_delimiters(state, marker, [marker] * count, count, can_open=can_open, can_close=can_close)
    return True


def _strikethrough(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if silent or state.src[state.pos] != "~":
        return False
    # Two tildes only: a single one means "about" and, in Chinese and Japanese, "to".
    count = _run_length(state, "~")
    if count != 2:
        return _push_text(state, "~" * count)
    can_open, can_close = _flanking(*_neighbours(state, 2))
    _push_delimiters(state, "~", ["~~"], 0, can_open=can_open, can_close=can_close)
    return True


def _spoiler(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if silent or state.src[state.pos] != "|":
        return False
    count = _run_length(state, "|")
    if count != 2:
        return _push_text(state, "|" * count)
    before, after = _neighbours(state, 2)
    can_open = not after.isspace() and (before.isspace() or before in _BEFORE_SPOILER or _is_wide(before))
    can_close = not before.isspace() and not _is_spaced_alnum(after)
    _push_delimiters(state, "|", ["||"], 0, can_open=can_open, can_close=can_close)
    return True


def _pair_spoilers(state: StateInline) -> None:
    nested = (meta["delimiters"] for meta in state.tokens_meta if meta and "delimiters" in meta)
    for delimiters in (state.delimiters, *nested):
        for delimiter in delimiters:
            if delimiter.marker == ord("|") and delimiter.end >= 0:
                opening, closing = state.tokens[delimiter.token], state.tokens[delimiters[delimiter.end].token]
                opening.type, opening.nesting, opening.content = "spoiler_open", 1, ""
                closing.type, closing.nesting, closing.content = "spoiler_close", -1, ""


def _url(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if not state.src.startswith("://", state.pos):
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    if scheme is None or not (silent or state.pending.endswith(scheme[1])):
        return False
    match = _URL_REST.match(state.src, state.pos)
    if match is None:
        return False
    rest = _trim_url(match[0])
    if len(rest) <= len("://"):
        return False
    if not silent:
        state.pending = state.pending.removesuffix(scheme[1])
        state.push("address", "", 0).content = scheme[1] + rest
    state.pos += len(rest)
    return True


def _trim_url(url: str) -> str:
    """Cut off a closing bracket that was opened before the URL, and the punctuation of the sentence around it."""
    open_brackets: list[str] = []
    for index, char in enumerate(url):
        if char in "([{":
            open_brackets.append(char)
        elif char in _BRACKETS and (not open_brackets or open_brackets.pop() != _BRACKETS[char]):
            url = url[:index]
            break
    return url.rstrip("?!.,:;*_~'\"")


def _line_break(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    match = _LINE_BREAK.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True


def _link(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    return state.src[state.pos] == "[" and _may_try_link(state) and (link(state, silent) or _link_failed(state))


def _image(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    return (
        state.src.startswith("![", state.pos) and _may_try_link(state) and (image(state, silent) or _link_failed(state))
    )


def _may_try_link(state: StateInline) -> bool:
    return int(state.env.setdefault("failed_links", {}).get(state.src, 0)) < FAILED_LINKS_MAX


def _link_failed(state: StateInline) -> bool:
    failed_links = state.env["failed_links"]
    failed_links[state.src] = failed_links.get(state.src, 0) + 1
    return False


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    offset = state.bMarks[start] + state.tShift[start]
    return _DEFINITION.match(state.src, offset) is not None and reference(state, start, end, silent)


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    first = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    found, state.tokens[first:] = state.tokens[first:], []
    columns = sum(token.type == "th_open" for token in found)
    cells: list[str] = []
    for token in found:
        if token.type == "tr_open" and token.map:
            cells = _cells(getLine(state, token.map[0]).strip(), columns)
        elif token.type == "inline":
            token.content = cells.pop(0) if cells else ""
        elif token.type == "tr_close":
            for content in cells:
                state.tokens += [
                    Token("td_open", "td", 1, level=token.level + 1),
                    Token("inline", "", 0, level=token.level + 2, content=content, children=[]),
                    Token("td_close", "td", -1, level=token.level + 1),
                ]
        state.tokens.append(token)
    return True


def _cells(row: str, columns: int) -> list[str]:
    """Return the cells of a table's row. GFM ends a cell at every pipe; code stays whole if that fits the columns."""
    cells = _split_row(row, _PIPE)
    if len(cells) > columns:
        whole = _split_row(row, _PIPE_OUTSIDE_CODE)
        return whole if len(whole) >= columns else cells
    return cells


def _split_row(row: str, pipe: re.Pattern[str]) -> list[str]:
    ends = [match.start() for match in pipe.finditer(row) if match[0] == "|"]
    cells = [row[start + 1 : end].strip() for start, end in zip([-1, *ends], [*ends, len(row)], strict=True)]
    trimmed = cells[not cells[0] : len(cells) - (len(cells) > 1 and not cells[-1])]
    return [cell.replace("\\|", "|") for cell in trimmed]


def _details(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    if not state.env.get(DETAILS) or state.is_code_block(start) or _DETAILS_OPEN.match(_line(state, start)) is None:
        return False
    level, failed = state.env.get("details_level", 0), state.env.get("failed_details", 0)
    last = _details_end(state, start, end) if level < DETAILS_LEVELS_MAX and failed < FAILED_DETAILS_MAX else None
    if last is None:
        state.env["failed_details"] = failed + 1
        return False
    if silent:
        return True
    text = state.getLines(start, last + 1, state.blkIndent, False).strip()  # noqa: FBT003
    text = text[text.index(">") + 1 : text.rindex("<")]
    summary = _SUMMARY.match(text)
    state.push("details_open", "details", 1)
    state.push("inline", "", 0).content = " ".join(summary[1].split()) if summary else ""
    state.tokens[-1].children = []
    inside: list[Token] = []
    state.env["details_level"] = level + 1
    state.md.block.parse(text[summary.end() :] if summary else text, state.md, state.env, inside)
    state.env["details_level"] = level
    for token in inside:
        token.level += state.level
    state.tokens += inside
    state.push("details_close", "details", -1)
    state.line = last + 1
    return True


def _details_end(state: StateBlock, start: int, end: int) -> int | None:
    """Return the line that ends with the end of the `<details>` on this line; None if there is none."""
    open_count, fence = 0, ""
    for number in range(start, end):
        line = _line(state, number)
        if line and state.sCount[number] < state.blkIndent:
            return None
        if line.startswith(("```", "~~~")) and (not fence or line.startswith(fence)):
            fence = "" if fence else line[:3]
            continue
        for tag in () if fence else _DETAILS_TAG.finditer(line):
            open_count += -1 if tag[1] else 1
            if not open_count:
                return number if not line[tag.end() :].strip() else None
    return None


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


# ---- delimiter runs and the characters around them


def _run_length(state: StateInline, marker: str) -> int:
    end = state.pos
    while end < state.posMax and state.src[end] == marker:
        end += 1
    return end - state.pos


def _neighbours(state: StateInline, count: int) -> tuple[str, str]:
    """Return the characters before and after a run of `count` delimiters; a space at the ends of the text."""
    end = state.pos + count
    return (state.src[state.pos - 1] if state.pos else " "), (state.src[end] if end < state.posMax else " ")


def _flanking(before: str, after: str) -> tuple[bool, bool]:
    """Return whether a run is left- and right-flanking as in CommonMark; a wide character is a word boundary too."""
    left = not after.isspace() and (
        not _is_punctuation(after) or _is_wide(after) or before.isspace() or _is_punctuation(before) or _is_wide(before)
    )
    right = not before.isspace() and (
        not _is_punctuation(before) or _is_wide(before) or after.isspace() or _is_punctuation(after) or _is_wide(after)
    )
    return left, right


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def _is_wide(char: str) -> bool:
    return char > "\u1100" and unicodedata.east_asian_width(char) in "WFH"


def _is_spaced_alnum(char: str) -> bool:
    """Return True for a letter or digit of a script that separates words by spaces and prefixes nothing to them."""
    return char < "\u0590" and char.isalnum()


def _name_continues(state: StateInline, offset: int) -> bool:
    """Return True if code goes on at `offset`: `.py`, `(x)`, `/x`, `[0]`."""
    following = state.src[offset : offset + 2]
    return following[:1] in {"(", "/", "[", "="} or (following[:1] == "." and following[1:].isalnum())


def _push_text(state: StateInline, text: str) -> bool:
    state.append_pending(text)
    state.pos += len(text)
    return True


def _push_delimiters(
    state: StateInline, marker: str, contents: list[str], length: int, *, can_open: bool, can_close: bool
) -> None:
    for content in contents:
        state.push("text", "", 0).content = content
        state.delimiters.append(Delimiter(ord(marker), length, len(state.tokens) - 1, -1, can_open, can_close))
        state.pos += len(content)
