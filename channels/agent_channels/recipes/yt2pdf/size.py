"""How large the parts of a summary may be: what laying out its pages costs grows with the square of some of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from markdown_it.token import Token

from agent_channels.core.text.markdown_parser import parser
from agent_channels.core.text.sanitize import scrub

__all__ = ["MARKDOWN_MAX", "oversized"]

# The longest summary that passes the check has a quarter of it.
MARKDOWN_MAX = 100_000
WORD_MAX, HEADING_MAX, PARAGRAPH_MAX, MARKS_MAX = 1000, 500, 5000, 1000
# In Chinese a line breaks between any two characters.
_LONG_WORD = re.compile(rf"[^\s\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]{{{WORD_MAX + 1}}}")
_MARKS = "[`<"
_AT_MOST = {"heading_open": ("headings", 100), "tr_open": ("rows in tables", 200), "inline": ("parts", 1000)}


def oversized(markdown: str) -> tuple[int, str] | None:
    """Return what of a summary is too large to be laid out in seconds: its line (0: the whole), and what to do."""
    if len(markdown) > MARKDOWN_MAX:
        return (
            0,
            f"the summary has {len(markdown):,} characters; at most {MARKDOWN_MAX:,} are made into a PDF: shorten it",
        )
    if long := _LONG_WORD.search(markdown):
        said = f"a word that begins with {long[0][:20]!r} is longer than {WORD_MAX:,} characters; leave it out"
        return markdown.count("\n", 0, long.start()) + 1, said
    for mark in _MARKS:
        if (count := markdown.count(mark)) > MARKS_MAX:
            return 0, f"there are {count:,} of {mark!r}; at most {MARKS_MAX:,} are read: leave some out"
    return _oversized_block(parser().parse(scrub(markdown)))


def _oversized_block(tokens: Iterable[Token]) -> tuple[int, str] | None:
    counts, is_heading = Counter[str](), False
    for token in tokens:
        line = (token.map or [0])[0] + 1
        if token.type in _AT_MOST:
            name, most = _AT_MOST[token.type]
            counts[name] += 1
            if counts[name] > most:
                return line, f"there are more than {most:,} {name}; leave some out, or join them"
        if token.type == "inline":
            name, most = ("heading", HEADING_MAX) if is_heading else ("paragraph", PARAGRAPH_MAX)
            if len(token.content) > most:
                said = f"the {name} has {len(token.content):,} characters; at most {most:,} are laid out: divide it"
                return line, said
        is_heading = token.type == "heading_open"
    return None
