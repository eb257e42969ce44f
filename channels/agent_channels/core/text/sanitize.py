"""Sanitizing of what people control: texts, names, titles and file names.

None of it can leave the frame it is put in: the host's `<channel key="value">text</channel>` block, a line of a log or
terminal, or a line of JSON.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.unseen import UNSEEN

__all__ = [
    "CAPS",
    "attribute",
    "content",
    "decode_json_line",
    "file_name",
    "label",
    "reveal",
    "scrub",
    "strip_escapes",
    "well_formed",
]

# The most code points of each kind of value.
CAPS = {"name": 256, "file": 512, "quote": 1000, "content": 100_000}

# The flags of England, Scotland and Wales (UTS #51): a black flag, then the region's code in tag characters. They are
# the only ones on keyboards; any other sequence could carry text that nobody sees.
_FLAG = "\U0001f3f4(?:{})\U000e007f".format(
    "|".join("".join(chr(0xE0000 + ord(letter)) for letter in code) for code in ("gbeng", "gbsct", "gbwls"))
)
_FLAG_OR_UNSEEN = lazy_pattern(f"{_FLAG}|[{UNSEEN}]+")
# Where such a character does change what is drawn, one of a kind is kept: how an emoji is drawn, which form of a
# Chinese or Mongolian letter or of a mathematical sign is meant, whether two emoji, or two letters of a script with
# ligatures, are joined.
_EMOJI_STYLE = lazy_pattern("[\ufe0e\ufe0f]")
_STYLED = lazy_pattern("[\u2139\u203c\u2049\u3030\u303d]")
_LETTER_FORM = lazy_pattern("[\u180b-\u180f\ufe00-\ufe02\U000e0100-\U000e01ef]")
_FORMED = lazy_pattern(
    "[\u1820-\u18aa\u2200-\u22ff\u2a00-\u2aff\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_JOINER = lazy_pattern("[\u200c\u200d]")
_JOINED = lazy_pattern(
    "[\u0620-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18aa\u1a00-\u1bff\ua800-\uabff\ufb50-\ufdcf\ufdf0-\ufdff"
    "\ufe70-\ufefc\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
_OLD_HANGUL = lazy_pattern("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]")
# Rare letter forms come one or two in a text, in names; more of them could spell out a sentence.
_LETTER_FORMS_MAX = 8

# The frames in which agent hosts put what they themselves say: nobody may open or close one from a chat.
_FRAMES = (
    "channel", "system[-_]reminder", "task[-_]notification", "teammate[-_]message", "tool[-_]use[-_]error",
    "command[-_](?:name|message|args|contents)", "local[-_]command[-_](?:stdout|stderr|caveat)",
    "bash[-_](?:input|stdout|stderr)", "user[-_](?:prompt[-_]submit[-_]hook|memory[-_]input|instructions)",
    "function[-_](?:calls|results?)", "persisted[-_]output", "antml:", "environment[-_]context", "turn[-_]aborted",
    "ide[-_](?:opened[-_]file|selection|diagnostics)", "new[-_]diagnostics",
)  # fmt: skip
# Applied to what `_plain` makes of a text. A capital i is read as an l too.
_FRAME = lazy_pattern(rf"<[/\\]*(?:{'|'.join(_FRAMES)})".replace("l", "[li]"))
_FRAME_MAX = 40
_BRACKET = lazy_pattern("[<\u02c2\u1438\u16b2\u226e\u227a\u2329\u2770\u276c\u276e\u27e8\u3008\ufe64\uff1c\U0001d236]")
# Letters and signs that look like those of the frames' names, beside those that NFKD makes plain.
_LOOK_ALIKES = str.maketrans(
    {
        look_alike: plain
        for plain, look_alikes in {
            "/": "\u2044\u2215\u2571\u27cb\u29f8\u3033",
            "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u02d7\u06d4\u2043",
            "a": "\u0430\u03b1\u0251\u1d00\u13aa\ua4ee",
            "b": "\u0412\u0432\u044c\u0299\u13f4\u0184\ua4d0",
            "c": "\u0441\u0481\u2201\u03f2\u1d04\u0188\u2ca5\u023c\u13df\ua4da",
            "d": "\u0501\u0257\u1d05\u0111\u13a0\ua4d3",
            "e": "\u0435\u0454\u212e\u03b5\u1d07\u04bd\u0247\u13ac\ua4f0",
            "f": "\u0192\u0584\ua730\u03dd\ua4dd",
            "g": "\u0261\u0581\u0262\u018d\u13c0\ua4d6",
            "h": "\u0397\u041d\u04bb\u0570\u029c\u043d\u0127\u13bb\ua4e7",
            "i": "\u0456\u03b9\u0131\u026a\u0269\ua4f2",
            "k": "\u043a\u03ba\u1d0b\ua4d7",
            "l": "\u04cf\u029f\u0582\u01c0\u0142\u026b\u13de\ua4e1|1",
            "m": "\u039c\u041c\u043c\u1d0d\u13b7\ua4df",
            "n": "\u039d\u0578\u057c\u03b7\u0274\u043f\u014b\u0438\ua4e0",
            "o": "\u043e\u03bf\u0585\u1d0f\u00f8\ua4f30",
            "p": "\u03a1\u0420\u0440\u03c1\u1d18\u13e2\ua4d1",
            "r": "\u0433\u0280\u1d26\u13a1\ua4e3",
            "s": "\u0455\ua731\u01bd\u13da\ua4e2$",
            "t": "\u0422\u03a4\u0442\u03c4\u1d1b\u13a2\ua4d4",
            "u": "\u057d\u03c5\u1d1c\u028b\ua4f4",
            "v": "\u0475\u03bd\u1d20\ua4e6",
            "w": "\u0461\u051d\u1d21\u13b3\ua4ea",
            "x": "\u0445\u03c7\ua4eb",
            "y": "\u03a5\u0423\u0443\u03b3\u028f\u04af\ua4ec",
        }.items()
        for look_alike in look_alikes
    }
    # Letters in black circles and squares, and those of which flags are made.
    | {first + n: chr(ord("a") + n) for first in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)}
)
# Terminal control sequences (ECMA-48), each with its introducer as ESC and a letter, or as one C1 control: strings such
# as OSC (a link, a title) up to their terminator, or to the end of the line if it is missing; CSI (colours, cursor
# moves); all others, which are ESC, intermediates and a final character; and single controls that end no line.
_ESCAPE_SEQUENCE = lazy_pattern(
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
    "|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]"
)
_SURROGATE = lazy_pattern("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """Return `text` with every lone surrogate replaced by U+FFFD, because UTF-8 cannot encode it."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _is_plain(text: str) -> bool:
    """Return True only for ASCII without controls but tabs and line feeds: a cheap test, which most texts pass."""
    return text.isascii() and text.replace("\n", "").replace("\t", "").isprintable()


def strip_escapes(text: str) -> str:
    """Return `text` without the controls of terminals, but with white space: of a link the words stay."""
    return text if _is_plain(text) else _ESCAPE_SEQUENCE.sub("", text)


def scrub(text: str) -> str:
    """Return `text` with line feeds as line ends and without what controls, hides or reorders text.

    Emoji, flags and letters that need such a character stay whole.
    """
    if _is_plain(text):
        return text
    text = strip_escapes(well_formed(text)).replace("\r\n", "\n").replace("\r", "\n")
    letter_forms = len(_LETTER_FORM.findall(text)) <= _LETTER_FORMS_MAX
    return _FLAG_OR_UNSEEN.sub(lambda found: _seen(found, letter_forms=letter_forms), text)


def reveal(text: str) -> str:
    r"""Return code as people see it: what `scrub` would remove is written as an escape, such as \u202e.

    In a command or a change to a file, such a character is part of what is approved.
    """
    text = well_formed(text)
    letter_forms = len(_LETTER_FORM.findall(text)) <= _LETTER_FORMS_MAX

    def escaped(found: re.Match[str]) -> str:
        run = found[0]
        return run if _seen(found, letter_forms=letter_forms) == run else "".join(map(_escaped, run))

    return _FLAG_OR_UNSEEN.sub(escaped, text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _seen(found: re.Match[str], *, letter_forms: bool) -> str:
    """Return what is kept of a flag, or of a run of characters that are drawn as nothing."""
    run, text = found[0], found.string
    if run[0] == "\U0001f3f4":
        return run
    before, after = text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]
    if run in {"\u115f", "\u1160"}:
        # In old Hangul they stand for a consonant or vowel that a syllable lacks.
        return run if _OLD_HANGUL.match(before or " ") or _OLD_HANGUL.match(after or " ") else ""
    kept = ""
    if (style := _EMOJI_STYLE.search(run)) and _has_styles(before, after):
        kept = style[0]
    elif letter_forms and (form := _LETTER_FORM.search(run)) and _FORMED.match(before or " "):
        kept = form[0]
    if joiner := _JOINER.search(run):
        emoji = joiner[0] == "\u200d" and _is_symbol(before) and _is_symbol(after)
        letters = _JOINED.match(before or " ") and _JOINED.match(after or " ")
        kept += joiner[0] if emoji or letters else ""
    return kept


def _is_symbol(character: str) -> bool:
    # Tones of skin are of category Sk.
    return character > "\x7f" and unicodedata.category(character) in {"So", "Sk", "Sm"}


def _has_styles(before: str, after: str) -> bool:
    """Return True if a character can be drawn as text or as an emoji; digits only in a keycap."""
    if before and before in "#*0123456789":
        return after == "\u20e3"
    return _is_symbol(before) or _STYLED.match(before or " ") is not None


def content(text: str) -> str:
    """Return a message's text for the host: scrubbed, at most 100,000 code points, without a frame of the host's.

    The bracket that would begin such a frame becomes U+2039; every other tag, as in code or HTML, stays as it is.
    """
    return _truncate(_without_frames(scrub(text)), CAPS["content"])


def _without_frames(text: str) -> str:
    return _BRACKET.sub(_neutral_bracket, text)


def _neutral_bracket(found: re.Match[str]) -> str:
    """Return a bracket, or U+2039 where a frame begins to any reader, however generous."""
    plain, text, at = "<", found.string, found.end()
    while at < len(text) and len(plain) < _FRAME_MAX and not _BRACKET.match(text[at]):
        plain += _plain(text[at])
        at += 1
    return "‹" if _FRAME.match(plain) else found[0]


@lru_cache(maxsize=1024)
def _plain(character: str) -> str:
    """Return the ASCII that a character looks like: `?` for none, nothing for white space and marks on a letter."""
    # Three times: a capital and its small letter may look like two different letters, and what a letter is to Unicode
    # like yet another one.
    looks = unicodedata.normalize("NFKD", character.translate(_LOOK_ALIKES))
    looks = looks.translate(_LOOK_ALIKES).casefold().translate(_LOOK_ALIKES)
    return "".join(
        part if part.isascii() else "?"
        for part in looks
        # U+2800, a Braille cell without dots, is a symbol that is drawn as a space.
        if not part.isspace() and part != "\u2800" and unicodedata.category(part) not in {"Mn", "Me", "Cf", "Cc"}
    )


# Cached, because the names of the same few people and chats come with every message.
@lru_cache(maxsize=256)
def attribute(text: str, cap: int = CAPS["name"], *, lines: bool = False) -> str:
    """Return a meta value: scrubbed, without angle brackets, at most `cap` code points.

    White space is collapsed to single spaces unless `lines` is true.
    """
    text = _without_frames(scrub(text)).replace("<", "‹").replace(">", "›")
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


_ESCAPE = lazy_pattern(
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
