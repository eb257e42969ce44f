"""The names of emoji, by which Slack knows them."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

__all__ = ["BY_CHARACTER", "CHARACTERS", "is_emoji_name"]

# Those that people type here, and that are shown as characters.
NAMES = {
    "+1": "👍",
    "-1": "👎",
    "100": "💯",
    "arrow_right": "➡️",
    "bell": "🔔",
    "blue_heart": "💙",
    "books": "📚",
    "bug": "🐛",
    "bulb": "💡",
    "clap": "👏",
    "clipboard": "📋",
    "construction": "🚧",
    "cry": "😢",
    "dart": "🎯",
    "eyes": "👀",
    "fire": "🔥",
    "gear": "⚙️",
    "grinning": "😀",
    "heart": "❤️",
    "heavy_check_mark": "✔️",
    "hourglass_flowing_sand": "⏳",
    "information_source": "ℹ️",
    "joy": "😂",
    "key": "🔑",
    "laughing": "😆",
    "lock": "🔒",
    "mag": "🔍",
    "memo": "📝",
    "no_entry": "⛔",
    "no_entry_sign": "🚫",
    "octagonal_sign": "🛑",
    "ok_hand": "👌",
    "package": "📦",
    "pencil2": "✏️",
    "point_right": "👉",
    "pray": "🙏",
    "question": "❓",
    "raised_hands": "🙌",
    "red_circle": "🔴",
    "robot_face": "🤖",
    "rocket": "🚀",
    "slightly_smiling_face": "🙂",
    "smile": "😄",
    "sob": "😭",
    "sparkles": "✨",
    "stopwatch": "⏱️",
    "tada": "🎉",
    "thinking_face": "🤔",
    "unicorn_face": "🦄",
    "wave": "👋",
    "warning": "⚠️",
    "white_check_mark": "✅",
    "wrench": "🔧",
    "writing_hand": "✍️",
    "x": "❌",
    "zap": "⚡",
}
NAME = re.compile(r"([a-z0-9_+'-]+)(?:::skin-tone-[2-6])?")

BY_CHARACTER = {character: name for name, character in NAMES.items()}
# The characters of the names that are known here.
CHARACTERS = NAMES | {"thumbsup": "👍", "thumbsdown": "👎"}


def is_emoji_name(name: str, custom: dict[str, str]) -> bool:
    """Return True for a standard emoji's name, with a skin tone or without, and for one of the workspace's own."""
    found = NAME.fullmatch(name)
    return found is not None and (found[1] in _standard_names() or found[1] in custom)


@lru_cache(maxsize=1)
def _standard_names() -> frozenset[str]:
    file = resources.files("agent_channels.sandbox.slack") / "emoji_names.txt"
    _origin, *lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines for name in line.split())
