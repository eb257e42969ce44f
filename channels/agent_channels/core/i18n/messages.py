"""Every sentence a person reads in a chat, by its key, in the language that is spoken here.

The tables are wording_en.py and wording_zh.py: a sentence is added to both, with the same values.
"""

from __future__ import annotations

import importlib

from agent_channels.core.i18n import en as wording_en

__all__ = ["LANGUAGES", "set_language", "translate"]

# Where each language's table is; one that nobody speaks is not loaded.
LANGUAGES = {"en": "agent_channels.core.i18n.en", "zh-TW": "agent_channels.core.i18n.zh_tw"}

_spoken: dict[str, str] = wording_en.TEXTS


def set_language(language: str) -> None:
    """Has this process speak one of `LANGUAGES` from now on; English until it is called."""
    global _spoken  # noqa: PLW0603 - one process speaks one language: that of the bot it works for
    _spoken = importlib.import_module(LANGUAGES[language]).TEXTS


def translate(key: str, **values: object) -> str:
    """The sentence `key` with its values put in."""
    return _spoken[key].format(**values)
