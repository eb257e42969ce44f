"""Telegram's ways of drawing: keyboards, entities, and where its two markup languages may be cut."""

from __future__ import annotations

import re
from collections.abc import Iterator

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from telegram.constants import ParseMode

from channels.core.chunking import LINE, Mark, Piece, length, pack, split_text
from channels.core.errors import Refused
from channels.core.types import Keyboard, Limits

__all__ = ["FORMATS", "LIMITS", "REACTIONS", "code_entity", "keyboard_markup", "parse_mode", "split"]

FORMATS: dict[str, ParseMode | None] = {"text": None, "markdownv2": ParseMode.MARKDOWN_V2, "html": ParseMode.HTML}

# Bot API, ReactionTypeEmoji: the reactions a bot may set.
_REACTIONS = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥
🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨
🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
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
    data_bytes=64,
    upload=50 * 1024 * 1024,
    photo=10 * 1024 * 1024,
    download=20 * 1024 * 1024,
    reactions=REACTIONS,
    answer_text=200,
    typing_every_s=4.0,
)
CAPTION = 1024

_HTML_TOKEN = re.compile(r"<(?P<slash>/?)(?P<name>[a-zA-Z][\w-]*)[^>]*>|&[#\w]{1,10};|\s*[^\s<&]+\s*|\s+|[<&]")
_MARKDOWN_TOKEN = re.compile(
    r"\\.|```[^\n`]*\n?|`|\|\||__|_|\*|~|!?\[(?:\\.|[^\]\\])*\]\((?:\\.|[^)\\])*\)|\s*[^\s\\`|_*~\[]+\s*|\s+|.",
    re.DOTALL,
)


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


def _html_pieces(text: str) -> Iterator[Piece]:
    for match in _HTML_TOKEN.finditer(text):
        token, name = match[0], match["name"]
        if name and match["slash"]:
            yield Piece(token, 1, closes=True)
        elif name and not token.endswith("/>"):
            yield Piece(token, 0, opens=Mark(f"</{name}>", token))
        else:
            yield Piece(token, _worth(token))


def _markdown_pieces(text: str) -> Iterator[Piece]:
    marks: list[str] = []
    for match in _MARKDOWN_TOKEN.finditer(text):
        token = match[0]
        if marks and marks[-1].startswith("`") and token.strip() != marks[-1] and not _closes_code(token, marks[-1]):
            yield Piece(token, _worth(token))
        elif marks and (token == marks[-1] or _closes_code(token, marks[-1])):
            marks.pop()
            yield Piece(token, 1, closes=True)
        elif token.startswith("```"):
            marks.append("```")
            yield Piece(token, 0, opens=Mark("\n```", token if token.endswith("\n") else token + "\n"))
        elif token in {"`", "||", "__", "_", "*", "~"}:
            marks.append(token)
            yield Piece(token, 0, opens=Mark(token, token))
        else:
            yield Piece(token, _worth(token))


def _closes_code(token: str, mark: str) -> bool:
    # The closing fence may carry the line break after it.
    return mark == "```" and token.startswith("```")


def _worth(token: str) -> int:
    if "\n\n" in token:
        return LINE + 1
    if token.endswith("\n"):
        return LINE
    return 2 if token[-1:].isspace() else 1
