"""Looks up the sentences that people read in a chat, in the bot's language.

Each language has a module with a table of sentences by key, en.py and zh_tw.py; all of them have the same keys, and
each sentence takes the same values in all of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextvars import ContextVar

from agent_channels.core.i18n import en
from agent_channels.core.i18n.sentences import in_language
from agent_channels.core.patterns import lazy_pattern

__all__ = ["LANGUAGES", "localized", "set_language", "speak_here", "translate", "translate_count"]

# Language code -> module of its table, imported when it is chosen.
LANGUAGES = {"en": "agent_channels.core.i18n.en", "zh-TW": "agent_channels.core.i18n.zh_tw"}

_language = "en"
_texts: Mapping[str, str] = en.TEXTS
# That of the task, in a process that works for several bots.
_here: ContextVar[Mapping[str, str] | None] = ContextVar("texts", default=None)
# A command in a sentence, not a part of an address.
_COMMAND = lazy_pattern(r"(?<![\w/:.])/(?=[a-z])")


def set_language(code: str, commands: str = "") -> None:
    """Translate into another language of `LANGUAGES` from now on; the default is English.

    `commands` stands before the names of commands, as in the platform's menu: see `Channel.commands`.
    """
    global _language, _texts  # noqa: PLW0603 - a process works for one bot, which has one language
    _language = code
    _texts = _table(code, commands)


def speak_here(code: str, commands: str = "") -> None:
    """As `set_language`, in this task and those that it starts alone."""
    _here.set(_table(code, commands))


def _table(code: str, commands: str) -> Mapping[str, str]:
    texts: Mapping[str, str] = importlib.import_module(LANGUAGES[code]).TEXTS
    if not commands:
        return texts
    return {key: _COMMAND.sub(f"/{commands}", text) for key, text in texts.items()}


def translate(key: str, **values: object) -> str:
    """Return the sentence `key` in the current language with its values; raise `KeyError` for an unknown key."""
    return (_here.get() or _texts)[key].format(**values)


def translate_count(key: str, count: int) -> str:
    """Return how many there are in words, such as `1 record`: the sentences are called `key`_one and `key`_many."""
    return translate(f"{key}_{'one' if count == 1 else 'many'}", count=f"{count:,}")


def localized(text: str) -> str:
    """Return a sentence that is also read elsewhere, such as why messages take a way, in the current language."""
    return in_language(text, _language)
