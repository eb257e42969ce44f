"""The language of the person at the terminal: that of the bot if config.yaml sets one, else that of the locale."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from agent_channels.core.errors import ChannelError
from agent_channels.core.i18n.sentences import add_table, in_language
from agent_channels.core.text.columns import columns_of

__all__ = ["choose_language", "column", "language", "locale_language", "shown", "speak"]

add_table("zh-TW", "agent_channels.cli.zh_tw_help")
# None until somebody chooses, or the first sentence is shown.
_language: str | None = None
# Beginnings of the locales whose people read Traditional Chinese.
_TRADITIONAL = ("zh_tw", "zh_hk", "zh_mo", "zh_hant", "zh-hant")


def locale_language(environ: Mapping[str, str] | None = None) -> str:
    """Return the language of the locale; English for those that there is no table for."""
    env = os.environ if environ is None else environ
    # As the C library looks: the first one that is set decides.
    name = next((value for key in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := env.get(key))), "")
    return "zh-TW" if name.lower().startswith(_TRADITIONAL) else "en"


def choose_language(*channels: str) -> str:
    """Speak the language that the first of these channels sets in config.yaml, else the locale's; return it.

    What the terminal cannot write is left in English.
    """
    chosen = next((found for name in channels if (found := _configured(name))), locale_language())
    chosen = chosen if _can_write(chosen) else "en"
    speak(chosen)
    return chosen


def speak(code: str | None) -> None:
    """Speak this language, whatever is set; None: that of the locale, until one is chosen."""
    global _language  # noqa: PLW0603 - a process has one terminal
    _language = code


def language() -> str:
    """Return the language that is spoken: that of the locale, unless `choose_language` was called."""
    return _language or choose_language()


def shown(text: str) -> str:
    """Return a sentence in the language of the person at the terminal."""
    return in_language(text, language())


def column(text: str, width: int) -> str:
    """Return a sentence as `shown`, followed by spaces until it takes so many columns."""
    words = shown(text)
    return words + " " * (width - columns_of(words))


def _configured(channel: str) -> str | None:
    # Imported here: the parser's own words need no settings.
    from agent_channels.core.i18n.messages import LANGUAGES
    from agent_channels.core.settings.config import Environment, config_values
    from agent_channels.core.settings.state_folder import is_trusted

    try:
        env = Environment(channel)
        found = config_values(env).get("language") if is_trusted(env.state_dir) else None
    except (ChannelError, OSError):
        # What is wrong with the file is told where it is needed.
        return None
    return found if isinstance(found, str) and found in LANGUAGES else None


def _can_write(code: str) -> bool:
    sample = {"zh-TW": "繁體"}.get(code, "")
    try:
        sample.encode(sys.stdout.encoding or "ascii")
    except (AttributeError, LookupError, UnicodeError):
        return False
    return True
