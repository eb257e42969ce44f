"""The parser: CommonMark with tables and strikethrough, and where ours reads otherwise, since people must see what
an agent wrote.

- `a*b*c`, `x**2 + y**2`, `__init__.py` and paths with stars are no emphasis; emphasis beside Chinese or Japanese
  punctuation is (CommonMark's rules for punctuation assume spaces between words).
- An address in plain text is never read as markup. `||x||` is a spoiler, `<br>` a line break, other HTML is text.
- `[word]: text` is a definition only when the text is an address.
"""

from __future__ import annotations

import re
import types
import unicodedata
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference
from markdown_it.rules_inline import StateInline, link
from markdown_it.rules_inline.image import image
from markdown_it.rules_inline.state_inline import Delimiter

__all__ = ["parser"]

_SCHEME = re.compile(r"(https?)$", re.IGNORECASE)
_ADDRESS = re.compile(r"://[^\s<>`，。；：！？（）「」『』【】《》、“”|]{1,2000}")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_DEFINED = re.compile(r"\[(?:\\.|[^\[\]\\])+\]:\s*<?(?:https?://|mailto:|tg://|[/#.])", re.IGNORECASE)
# Brackets that open no link are looked at so many times in one paragraph; further ones are text.
_VAIN_MAX = 1000
# After one of these a word may begin, so a spoiler too.
_BEFORE_SPOILER = frozenset("([{*_~\"'“‘«:—–-,.!?;")


@cache
def parser() -> MarkdownIt:
    """The one parser of this process."""
    found = MarkdownIt("commonmark", {"html": False, "inline_definitions": True, "maxNesting": 40})
    found.enable(["table", "strikethrough"])
    found.disable(["html_block", "html_inline"])
    # Addresses are judged, and kept as they were written, where they are drawn.
    found.normalizeLink = lambda url: url  # type: ignore[method-assign]
    found.validateLink = lambda url: isinstance(url, str)  # type: ignore[method-assign]
    found.inline.add_terminator_char("|")
    rules, after = found.inline.ruler, found.inline.ruler2
    rules.before("emphasis", "dunder", _dunder)
    rules.at("emphasis", _emphasis)
    rules.at("strikethrough", _strikethrough)
    rules.before("emphasis", "spoiler", _spoiler)
    rules.before("newline", "address", _address)
    rules.before("autolink", "br", _line_break)
    rules.at("link", _link)
    rules.at("image", _image)
    after.before("fragments_join", "spoiler", _spoilers)
    found.block.ruler.at("reference", _reference)
    return found


@cache
def _dunders() -> re.Pattern[str]:
    """Python's special names, and those of files and folders."""
    kinds = (object, type, int, float, list, dict, set, str, types.ModuleType, types.FunctionType, types.GeneratorType)
    names = {name[2:-2] for kind in kinds for name in dir(kind) if name.startswith("__") and name.endswith("__")}
    names |= {"main", "name", "file", "all", "path", "version", "author", "future", "pycache", "builtins", "import"}
    names |= {"enter", "exit", "aenter", "aexit", "await", "aiter", "anext", "missing", "slots", "post_init", "debug"}
    names |= {"tests", "mocks", "snapshots", "fixtures", "proto", "typename", "dirname", "filename"}
    return re.compile("__(?:" + "|".join(sorted(names, reverse=True)) + ")__")


def _dunder(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the library's signature
    match = _dunders().match(state.src, state.pos)
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
    count = _run(state, marker)
    before, after = _around(state, count)
    opens, closes = _flanks(before, after)
    if marker == "_":
        opens, closes = (
            opens and (not closes or _is_mark(before)) and before not in "/.\\",
            closes and (not opens or _is_mark(after)) and not _goes_on(state, state.pos + count),
        )
    else:
        path = before in "/\\" and (count == 1 or after in "/\\.")
        opens = opens and not _in_word(before) and not path
        closes = closes and not (after.isdigit() and _in_word(before)) and not path
    _delimiters(state, marker, [marker] * count, count, opens=opens, closes=closes)
    return True


def _strikethrough(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if silent or state.src[state.pos] != "~":
        return False
    # Two tildes only: one stands for "about" and, in Chinese and Japanese, for "to".
    count = _run(state, "~")
    if count != 2:
        return _literal(state, "~" * count)
    opens, closes = _flanks(*_around(state, 2))
    _delimiters(state, "~", ["~~"], 0, opens=opens, closes=closes)
    return True


def _spoiler(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if silent or state.src[state.pos] != "|":
        return False
    count = _run(state, "|")
    if count != 2:
        return _literal(state, "|" * count)
    before, after = _around(state, 2)
    opens = not after.isspace() and (before.isspace() or before in _BEFORE_SPOILER or _is_wide(before))
    _delimiters(state, "|", ["||"], 0, opens=opens, closes=not before.isspace() and not _in_word(after))
    return True


def _spoilers(state: StateInline) -> None:
    lists = [state.delimiters, *(meta["delimiters"] for meta in state.tokens_meta if meta and "delimiters" in meta)]
    for delimiter, among in ((one, these) for these in lists for one in these):
        if delimiter.marker == ord("|") and delimiter.end >= 0:
            for index, kind, nesting in ((delimiter.token, "open", 1), (among[delimiter.end].token, "close", -1)):
                token = state.tokens[index]
                token.type, token.nesting, token.content = f"spoiler_{kind}", nesting, ""


def _address(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if not state.src.startswith("://", state.pos):
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    if scheme is None or not (silent or state.pending.endswith(scheme[1])):
        return False
    match = _ADDRESS.match(state.src, state.pos)
    if match is None:
        return False
    rest = _trimmed(match[0])
    if len(rest) <= len("://"):
        return False
    if not silent:
        state.pending = state.pending.removesuffix(scheme[1])
        state.push("address", "", 0).content = scheme[1] + rest
    state.pos += len(rest)
    return True


def _trimmed(url: str) -> str:
    """Without a bracket that was opened before it, and without the punctuation of its sentence."""
    open_ones: list[str] = []
    for index, char in enumerate(url):
        if char in "([{":
            open_ones.append(char)
        elif char in _PAIRS and (not open_ones or open_ones.pop() != _PAIRS[char]):
            url = url[:index]
            break
    return url.rstrip("?!.,:;*_~'\"")


def _line_break(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    match = _BREAK.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True


def _link(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    return state.src[state.pos] == "[" and _worth_it(state) and (link(state, silent) or _vain(state))


def _image(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    return state.src.startswith("![", state.pos) and _worth_it(state) and (image(state, silent) or _vain(state))


def _worth_it(state: StateInline) -> bool:
    return int(state.env.setdefault("vain", {}).get(state.src, 0)) < _VAIN_MAX


def _vain(state: StateInline) -> bool:
    tried = state.env["vain"]
    tried[state.src] = tried.get(state.src, 0) + 1
    return False


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    at = state.bMarks[start] + state.tShift[start]
    return _DEFINED.match(state.src, at) is not None and reference(state, start, end, silent)


# ---- what stands around a run of marks


def _run(state: StateInline, marker: str) -> int:
    end = state.pos
    while end < state.posMax and state.src[end] == marker:
        end += 1
    return end - state.pos


def _around(state: StateInline, count: int) -> tuple[str, str]:
    end = state.pos + count
    return (state.src[state.pos - 1] if state.pos else " "), (state.src[end] if end < state.posMax else " ")


def _flanks(before: str, after: str) -> tuple[bool, bool]:
    """Left- and right-flanking as in CommonMark, but that a wide character beside the run counts as a word's border."""
    left = not after.isspace() and (
        not _is_mark(after) or _is_wide(after) or before.isspace() or _is_mark(before) or _is_wide(before)
    )
    right = not before.isspace() and (
        not _is_mark(before) or _is_wide(before) or after.isspace() or _is_mark(after) or _is_wide(after)
    )
    return left, right


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def _is_wide(char: str) -> bool:
    return char > "\u1100" and unicodedata.east_asian_width(char) in "WFH"


def _in_word(char: str) -> bool:
    """A letter or digit of a script that puts spaces between words and nothing in front of them."""
    return char < "\u0590" and char.isalnum()


def _goes_on(state: StateInline, at: int) -> bool:
    """Whether a name goes on here: `.py`, `(x)`, `/x`, `[0]`."""
    following = state.src[at : at + 2]
    return following[:1] in {"(", "/", "[", "="} or (following[:1] == "." and following[1:].isalnum())


def _literal(state: StateInline, text: str) -> bool:
    state.append_pending(text)
    state.pos += len(text)
    return True


def _delimiters(
    state: StateInline, marker: str, contents: list[str], length: int, *, opens: bool, closes: bool
) -> None:
    for content in contents:
        state.push("text", "", 0).content = content
        state.delimiters.append(Delimiter(ord(marker), length, len(state.tokens) - 1, -1, opens, closes))
        state.pos += len(content)
