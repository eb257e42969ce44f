"""Sanitizing of what people control: texts, names, titles and file names.

None of it can leave the frame it is put in: the host's `<channel key="value">text</channel>` block, a line of a log or
terminal, or a line of JSON.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = [
    "CAPS",
    "attribute",
    "content",
    "decode_json_line",
    "file_name",
    "label",
    "scrub",
    "strip_escapes",
    "well_formed",
]

# The most code points of each kind of value.
CAPS = {"name": 256, "file": 512, "quote": 1000, "content": 100_000}

# Every character except tab and line feed that moves a cursor, hides or reorders text: C0 and C1 controls,
# bidirectional marks, embeddings and isolates, line and paragraph separators, invisible operators, the byte-order mark,
# tag characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# Terminal control sequences (ECMA-48), each with its introducer as ESC and a letter, or as one C1 control: strings such
# as OSC (a link, a title) up to their terminator, or to the end of the line if it is missing; CSI (colours, cursor
# moves); and all others, which are ESC, intermediates and a final character.
_ESCAPE_SEQUENCE = re.compile(
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
)
# The flag of a region (UTS #51): a black flag, then the region's code of three to six letters or digits in tag
# characters. A longer sequence could carry text that nobody sees.
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
# Characters that are drawn as nothing: a tag with one of them inside still reads as a tag. Behind a bracket and a space
# only a closing tag or the frame's own name does; `a < b` is arithmetic.
_ZERO_WIDTH = r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u3164\ufe00-\ufe0f\uffa0"
_TAG = re.compile(rf"<(?=[{_ZERO_WIDTH}]*[a-z!?]|[\s{_ZERO_WIDTH}]*(?:/|channel))", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """Return `text` with every lone surrogate replaced by U+FFFD, because UTF-8 cannot encode it."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def strip_escapes(text: str) -> str:
    """Return `text` without the control sequences of terminals: of a link the words stay, of a colour nothing."""
    return _ESCAPE_SEQUENCE.sub("", text) if "\x1b" in text or not text.isascii() else text


def scrub(text: str) -> str:
    """Return `text` with line feeds as line ends and without what controls, hides or reorders text.

    Flag emoji, which contain such characters, stay whole.
    """
    text = strip_escapes(well_formed(text)).replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    flags = _FLAG.findall(text)
    if not flags:
        return _INVISIBLE.sub("", text)
    between = _FLAG.split(text)
    scrubbed = [_INVISIBLE.sub("", between[0])]
    for flag, rest in zip(flags, between[1:], strict=True):
        scrubbed += [flag, _INVISIBLE.sub("", rest)]
    return "".join(scrubbed)


def content(text: str) -> str:
    """Return a message's text for the host: scrubbed, without tags, at most 100,000 code points.

    `<` becomes U+2039 only where a tag could begin; `a < b` and `<3` stay as they are.
    """
    return _truncate(_TAG.sub("‹", scrub(text)), CAPS["content"])


# Cached, because the names of the same few people and chats come with every message.
@lru_cache(maxsize=256)
def attribute(text: str, cap: int = CAPS["name"], *, lines: bool = False) -> str:
    """Return a meta value: scrubbed, without angle brackets, at most `cap` code points.

    White space is collapsed to single spaces unless `lines` is true.
    """
    text = scrub(text).replace("<", "‹").replace(">", "›")
    return _truncate(text.strip() if lines else " ".join(text.split()), cap)


def label(text: str, cap: int = 64) -> str:
    """Return a name or label for use in a sentence of ours: one short line."""
    return attribute(text, cap)


def file_name(text: str) -> str:
    """Return a sender's file name as metadata: one line, no path, no leading dots, never empty.

    It is still no name for a file on this disk.
    """
    base = attribute(text, 4 * CAPS["file"]).replace("\\", "/").rsplit("/", 1)[-1].strip(" .")
    return _truncate(base, CAPS["file"]) or "file"


def _truncate(text: str, cap: int) -> str:
    if len(text) <= cap:
        return text
    cut = text[: cap - 1]
    # Never cut between a base character and its combining marks.
    while cut and unicodedata.combining(text[len(cut)]):
        cut = cut[:-1]
    return cut + "…"


_ESCAPE = re.compile(
    rb"\\(?:u(?P<high>d[89ab][0-9a-f]{2})(?P<low>\\ud[c-f][0-9a-f]{2})?|u(?P<lone>d[c-f][0-9a-f]{2})|.)",
    re.IGNORECASE | re.DOTALL,
)


def decode_json_line(line: bytes) -> str:
    """Decode a line of JSON, with U+FFFD for invalid UTF-8 and for escaped lone surrogates; other escapes stay."""
    if b"\\ud" in line or b"\\uD" in line or b"\\Ud" in line:
        line = _ESCAPE.sub(_replace_lone_surrogate, line)
    return line.decode("utf-8", "replace")


def _replace_lone_surrogate(match: re.Match[bytes]) -> bytes:
    lone = match["lone"] or (match["high"] and not match["low"])
    return rb"\ufffd" if lone else match[0]
