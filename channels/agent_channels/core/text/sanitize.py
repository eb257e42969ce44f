"""What a person controls cannot leave its frame: names, titles, file names, text.

The frame is the host's `<channel key="value">text</channel>` block, and a log or terminal line.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["CAPS", "attribute", "content", "file_name", "label", "mended", "scrub", "well_formed"]

# Code points, DESIGN's caps.
CAPS = {"name": 256, "file": 512, "quote": 1000, "content": 100_000}

# Everything but tab and line feed that moves a cursor, hides or reorders text: C0/C1 controls, bidirectional marks,
# embeddings and isolates, line and paragraph separators, invisible operators, the byte-order mark, tag characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Unicode TS 51: a region's flag is a black flag with its code of three to six letters or digits in tag characters. A
# longer run would be text that nobody sees.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
# What is drawn as nothing: a tag with it inside still reads as one. With a space behind the bracket only an end, or the
# frame's own name, does; `a < b` is arithmetic.
_HIDDEN = r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u3164\ufe00-\ufe0f\uffa0"
_TAG = re.compile(rf"<(?=[{_HIDDEN}]*[a-z!?]|[\s{_HIDDEN}]*(?:/|channel))", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """`text` with every lone surrogate replaced by U+FFFD: no line to the host could carry it."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def scrub(text: str) -> str:
    """`text` without characters that control, hide or reorder, with plain line feeds. Flag emoji stay whole."""
    text = well_formed(text).replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    flags = _FLAG.findall(text)
    if not flags:
        return _INVISIBLE.sub("", text)
    between = _FLAG.split(text)
    pieces = [_INVISIBLE.sub("", between[0])]
    for flag, rest in zip(flags, between[1:], strict=True):
        pieces += [flag, _INVISIBLE.sub("", rest)]
    return "".join(pieces)


def content(text: str) -> str:
    """A message's text for the host: scrubbed, no tag can open or close in it, at most 100,000 characters.

    `<` is replaced by U+2039 only where a tag could begin; `a < b` and `<3` stay as they were typed.
    """
    return _cap(_TAG.sub("‹", scrub(text)), CAPS["content"])


# The names of the same few people and chats, with every message.
@lru_cache(maxsize=256)
def attribute(text: str, cap: int = CAPS["name"], *, lines: bool = False) -> str:
    """A meta value: scrubbed, without `<`, `>` and `"`-breaking controls, on one line unless `lines`, capped."""
    text = scrub(text).replace("<", "‹").replace(">", "›")
    return _cap(text.strip() if lines else " ".join(text.split()), cap)


def label(text: str, cap: int = 64) -> str:
    """A name or label inside one of our own sentences: one line, short."""
    return attribute(text, cap)


def file_name(text: str) -> str:
    """A foreign file name as metadata: no path, no leading dots, one line; never used to name a file on disk."""
    base = attribute(text, 4 * CAPS["file"]).replace("\\", "/").rsplit("/", 1)[-1].strip(" .")
    return _cap(base, CAPS["file"]) or "file"


def _cap(text: str, cap: int) -> str:
    if len(text) <= cap:
        return text
    cut = text[: cap - 1]
    # Not between a base character and its marks.
    while cut and unicodedata.combining(text[len(cut)]):
        cut = cut[:-1]
    return cut + "…"


_ESCAPE = re.compile(
    rb"\\(?:u(?P<high>d[89ab][0-9a-f]{2})(?P<low>\\ud[c-f][0-9a-f]{2})?|u(?P<lone>d[c-f][0-9a-f]{2})|.)",
    re.IGNORECASE | re.DOTALL,
)


def mended(line: bytes) -> str:
    """A line of JSON whose lone surrogate escapes are replaced; other escapes, and bytes, stay as they are."""
    if b"\\ud" in line or b"\\uD" in line or b"\\Ud" in line:
        line = _ESCAPE.sub(_mend, line)
    return line.decode("utf-8", "replace")


def _mend(match: re.Match[bytes]) -> bytes:
    lone = match["lone"] or (match["high"] and not match["low"])
    return rb"\ufffd" if lone else match[0]
