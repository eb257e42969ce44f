"""Telegram's ways of drawing: keyboards, entities, and where its two markup languages may be cut."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from telegram.constants import ParseMode

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.outgoing import Keyboard
from agent_channels.core.errors import Refused
from agent_channels.core.text.markdown import escape
from agent_channels.core.text.markup_split import LINE, Fragment, Mark, pack, split_text
from agent_channels.core.text.units import length

__all__ = [
    "FORMATS",
    "LIMITS",
    "LOCAL_LIMITS",
    "REACTIONS",
    "code_entity",
    "keyboard_markup",
    "literal",
    "parse_mode",
    "split",
]

FORMATS: dict[str, ParseMode | None] = {
    "markdown": None,
    "text": None,
    "markdownv2": ParseMode.MARKDOWN_V2,
    "html": ParseMode.HTML,
}

# Bot API, ReactionTypeEmoji: the reactions a bot may set.
_REACTIONS = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤️‍🔥
🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨
🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂️ 🤷 🤷‍♀️ 😡
"""
REACTIONS = frozenset(_REACTIONS.split())

# Lengths: the server counts code points, clients UTF-16 units; the smaller of the two readings is always accepted.
# Uploads and downloads: Bot API on Telegram's own servers.
LIMITS = Limits(
    text=4096,
    unit="utf16",
    buttons=100,
    row=8,
    rows=100,
    label=None,
    upload=50 * 1024 * 1024,
    photo=10 * 1024 * 1024,
    download=20 * 1024 * 1024,
    reactions=REACTIONS,
    typing_every_s=4.0,
    caption=1024,
    # Clients cut at white space where they find some near the end of what fits.
    paste=3900,
)
# "Using a Local Bot API Server": uploads up to 2,000 MB, downloads without a limit; ours is the upload's.
LOCAL_LIMITS = replace(LIMITS, upload=2000 * 1024 * 1024, download=2000 * 1024 * 1024)
CAPTION = LIMITS.caption

_HTML_TOKEN = re.compile(
    r"<(?P<slash>/?)(?P<name>[a-zA-Z][\w-]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>|&[#\w]{1,10};?|\s*[^\s<&]+\s*|\s+|[<&]"
)
_MARKDOWN_TOKEN = re.compile(
    r"\\.|```(?:[^\s`]*\n)?|`|\|\||__|_|\*|~|!?\[(?:\\.|[^\[\]\\])*\](?:\((?:\\.|[^()\\])*\))?"
    r"|\s*[^\s\\`|_*~\[]+\s*|\s+|.",
    re.DOTALL,
)
_CODE_TOKEN = re.compile(r"\\.|```|`|\s*[^\s\\`]+\s*|\s+|.", re.DOTALL)
# Where two marks could be read as another one, an empty bold stands between them, as the Bot API's documentation says.
_MARKS = {"_": Mark("_", "_**"), "__": Mark("**__", "__")}
# Deeper marks are not opened again in the next part.
DEPTH = 32


def parse_mode(format_: str) -> ParseMode | None:
    """Telegram's name for a format.

    Raises `Refused` for one it does not know.
    """
    if format_ not in FORMATS:
        raise Refused(f"format {format_!r} is not known here; it is one of {', '.join(FORMATS)}")
    return FORMATS[format_]


def keyboard_markup(keyboard: Keyboard | None) -> InlineKeyboardMarkup | None:
    """An inline keyboard."""
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [
            [
                # "secondary" is the app's own style.
                InlineKeyboardButton(
                    key.label,
                    url=key.url,
                    callback_data=key.data,
                    style=None if key.style == "secondary" else key.style,
                )
                for key in row
            ]
            for row in keyboard
        ]
    )


def literal(text: str, format_: str) -> str:
    """`text` with whatever the format would read as markup escaped."""
    if format_ == "markdown":
        return escape(text)
    if format_ == "html":
        return html.escape(text, quote=False)
    # Bot API, "MarkdownV2 style": any ASCII character may be escaped with a backslash; these must be.
    return re.sub(r"([_*\[\]()~`>#+\-=|{}.!\\])", r"\\\1", text) if format_ == "markdownv2" else text


def code_entity(text: str, code: str | None) -> list[MessageEntity] | None:
    """An entity that draws the first occurrence of `code` in `text` as something to tap and copy."""
    if not code or code not in text:
        return None
    offset = length(text[: text.index(code)], "utf16")
    return [MessageEntity(MessageEntity.CODE, offset, length(code, "utf16"))]


def split(text: str, format_: str) -> list[str]:
    """Parts of at most 4,096 UTF-16 units; marks that are open at a cut are closed there and opened again."""
    parse_mode(format_)
    if length(text, LIMITS.unit) <= LIMITS.text:
        return [text]
    if format_ == "html":
        return pack(_html_pieces(text), LIMITS.text, LIMITS.unit)
    if format_ == "markdownv2":
        return pack(_markdown_pieces(text), LIMITS.text, LIMITS.unit)
    return split_text(text, LIMITS.text, LIMITS.unit)


def _html_pieces(text: str) -> Iterator[Fragment]:
    depth = 0
    for match in _HTML_TOKEN.finditer(text):
        token, name = match[0], match["name"]
        if name and match["slash"]:
            yield Fragment(token, 1, closes=0 < depth <= DEPTH)
            depth = max(0, depth - 1)
        elif name:
            depth += 1
            yield Fragment(token, 0, opens=Mark(f"</{name}>", token) if depth <= DEPTH else None)
        else:
            yield Fragment(token, _worth(token))


def _markdown_pieces(text: str) -> Iterator[Fragment]:
    marks: list[str] = []
    at = 0
    while at < len(text):
        code = bool(marks) and marks[-1].startswith("`")
        match = (_CODE_TOKEN if code else _MARKDOWN_TOKEN).match(text, at)
        if match is None:
            raise ValueError("every character is a token")
        token, begun, at = match[0], at, match.end()
        mark = "```" if token.startswith("```") else token
        if marks and mark == marks[-1]:
            # A closing fence takes nothing of what follows it.
            at = begun + len(mark)
            yield Fragment(mark, 1, closes=len(marks) <= DEPTH)
            marks.pop()
        elif not code and mark in _OPENING and not _ends_quote(text, begun, mark, marks):
            marks.append(mark)
            yield Fragment(token, 0, opens=_mark(mark, token) if len(marks) <= DEPTH else None)
        else:
            yield Fragment(token, _worth(token))


_OPENING = frozenset({"```", "`", "||", "__", "_", "*", "~"})


def _mark(mark: str, token: str) -> Mark:
    if mark == "```":
        return Mark("\n```", token if token.endswith("\n") else token + "\n")
    return _MARKS.get(mark, Mark(mark, mark))


def _ends_quote(text: str, at: int, mark: str, marks: list[str]) -> bool:
    """Whether `||` at the end of a quoted line is the sign of an expandable quotation."""
    if mark != "||" or mark in marks or text[at + 2 : at + 3] not in {"", "\n"}:
        return False
    return text[text.rfind("\n", 0, at) + 1 : at].lstrip("*").startswith(">")


def _worth(token: str) -> int:
    if "\n\n" in token:
        return LINE + 1
    if token.endswith("\n"):
        return LINE
    return 2 if token[-1:].isspace() else 1
