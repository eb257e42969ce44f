"""What Telegram's messages are made of: limits, formats, escapes, keyboards, and how a sent message reads."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from telegram.constants import ParseMode

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.outgoing import Keyboard
from agent_channels.core.errors import Refused
from agent_channels.core.text import markdown
from agent_channels.core.text.units import length
from agent_channels.telegram.rich_content import rich_content

__all__ = [
    "FORMATS",
    "LIMITS",
    "LOCAL_LIMITS",
    "REACTIONS",
    "code_entity",
    "escape",
    "keyboard_markup",
    "parse_mode",
    "snapshot",
]

FORMATS: dict[str, ParseMode | None] = {
    "markdown": None,
    "text": None,
    "markdownv2": ParseMode.MARKDOWN_V2,
    "html": ParseMode.HTML,
}

# Bot API, ReactionTypeEmoji: the reactions that a bot may set.
_REACTIONS = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤️‍🔥
🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨
🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂️ 🤷 🤷‍♀️ 😡
"""
REACTIONS = frozenset(_REACTIONS.split())

# Lengths: the server counts code points, clients UTF-16 units, which are never fewer: within the limit in UTF-16 units,
# a text is always accepted. Uploads and downloads: the Bot API on Telegram's own servers.
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
    # 20 messages a minute in one group, edits included.
    group_edit_every_s=6.0,
    caption=1024,
    # createForumTopic, name.
    thread_name=128,
    # Clients split a long text at white space, if there is any near the end of what fits.
    paste=3900,
)
# "Using a Local Bot API Server": uploads up to 2,000 MB, downloads without a limit; we set the same one for them.
LOCAL_LIMITS = replace(LIMITS, upload=2000 * 1024 * 1024, download=2000 * 1024 * 1024)


def parse_mode(format_: str) -> ParseMode | None:
    """Return Telegram's name for a format; None for one that Telegram does not parse. Raises `Refused` if unknown."""
    if format_ not in FORMATS:
        raise Refused(f"format {format_!r} is not known here; it is one of {', '.join(FORMATS)}")
    return FORMATS[format_]


def keyboard_markup(keyboard: Keyboard | None) -> InlineKeyboardMarkup | None:
    """Return the inline keyboard; None for no keyboard."""
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [
            [
                # The app draws a button without a style as "secondary".
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


def escape(text: str, format_: str) -> str:
    """Return `text` with everything escaped that the format would read as markup."""
    if format_ == "markdown":
        return markdown.escape(text)
    if format_ == "html":
        return html.escape(text, quote=False)
    # Bot API, "MarkdownV2 style": any ASCII character may be escaped with a backslash; these must be.
    return re.sub(r"([_*\[\]()~`>#+\-=|{}.!\\])", r"\\\1", text) if format_ == "markdownv2" else text


def code_entity(text: str, code: str | None) -> list[MessageEntity] | None:
    """Return an entity that lets people copy the first occurrence of `code` in `text` with a tap; None without one."""
    if not code or code not in text:
        return None
    offset = length(text[: text.index(code)], "utf16")
    return [MessageEntity(MessageEntity.CODE, offset, length(code, "utf16"))]


def snapshot(message: dict[str, Any]) -> str | None:
    """Return a message's text or caption with its entities and preview options, as JSON; None without a text.

    A rich message is kept as its words.
    """
    if rich := rich_content(message):
        return json.dumps({"text": rich.text}) if rich.text.strip() else None
    kept = ("text", "entities", "caption", "caption_entities", "link_preview_options")
    found = {key: message[key] for key in kept if message.get(key)}
    return json.dumps(found) if "text" in found or "caption" in found else None
