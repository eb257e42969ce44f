"""What Telegram's messages are made of: limits, formats, escapes, keyboards, and how a sent message reads."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, Style
from agent_channels.core.errors import Refused
from agent_channels.core.text import markdown
from agent_channels.telegram.chats import Json

__all__ = [
    "FORMATS",
    "LIMITS",
    "LOCAL_LIMITS",
    "REACTIONS",
    "closed_keyboard",
    "escape",
    "keyboard_markup",
    "parse_mode",
    "snapshot",
]

# Each with what Telegram calls it, if Telegram is to parse it.
FORMATS: dict[str, str | None] = {"markdown": None, "text": None, "markdownv2": "MarkdownV2", "html": "HTML"}

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
    notice=200,
    # createForumTopic, name.
    thread_name=128,
    # Clients split a long text at white space, if there is any near the end of what fits.
    paste=3900,
)
# "Using a Local Bot API Server": uploads up to 2,000 MB, downloads without a limit; we set the same one for them.
LOCAL_LIMITS = replace(LIMITS, upload=2000 * 1024 * 1024, download=2000 * 1024 * 1024)


def parse_mode(format_: str) -> str | None:
    """Return Telegram's name for a format; None for one that Telegram does not parse. Raises `Refused` if unknown."""
    if format_ not in FORMATS:
        raise Refused(f"format {format_!r} is not known here; it is one of {', '.join(FORMATS)}")
    return FORMATS[format_]


def keyboard_markup(keyboard: Keyboard | None) -> Json | None:
    """Return the inline keyboard; None for no keyboard.

    One that asks for words opens the reply field, so that they come as a reply to its message: Bot API 10.3, older
    servers ignore it, and so do edits.
    """
    if not keyboard:
        return None
    form = any(key.form for row in keyboard for key in row)
    rows = [[_button(key) for key in row] for row in keyboard]
    return {"inline_keyboard": rows} | ({"force_reply": True} if form else {})


def _button(key: KeyboardButton) -> Json:
    action: Json
    if key.copy is not None:
        action = {"copy_text": {"text": key.copy}}
    else:
        action = {"callback_data": key.data} if key.url is None else {"url": key.url}
    return {"text": key.label, **action, **_style(key.style)}


def _style(style: Style | None) -> Json:
    # The app draws a button without a style as "secondary".
    return {"style": style} if style and style != "secondary" else {}


def closed_keyboard(chosen: KeyboardButton) -> Json:
    """Return a keyboard with one button that does nothing (Bot API 10.3)."""
    return {"inline_keyboard": [[{"text": chosen.label, "disabled": {}, **_style(chosen.style)}]]}


def escape(text: str, format_: str) -> str:
    """Return `text` with everything escaped that the format would read as markup."""
    if format_ == "markdown":
        return markdown.escape(text)
    if format_ == "html":
        return html.escape(text, quote=False)
    # Bot API, "MarkdownV2 style": any ASCII character may be escaped with a backslash; these must be.
    return re.sub(r"([_*\[\]()~`>#+\-=|{}.!\\])", r"\\\1", text) if format_ == "markdownv2" else text


def snapshot(message: Json) -> str | None:
    """Return a message's text or caption with its entities and preview options, or its blocks, as JSON.

    None for a message without any of these.
    """
    if isinstance(message.get("rich_message"), dict):
        return json.dumps({"rich_message": message["rich_message"]})
    kept = ("text", "entities", "caption", "caption_entities", "link_preview_options")
    found = {key: message[key] for key in kept if message.get(key)}
    return json.dumps(found) if "text" in found or "caption" in found else None
