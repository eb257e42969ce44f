"""Sentences for the operator: English wherever a program, a log or an agent reads them, translated for a person.

`translate` (messages.py) looks up what people read in a chat, where only one language is ever needed. What set-up and
the doctor find is needed in two at once: `--json`, the log and the agent get English, and the person at the terminal
their own language. So the English sentence stays where it is said, and carries what its translation needs.
"""

from __future__ import annotations

import importlib
import json
from collections import ChainMap
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, cast

__all__ = [
    "Sentence",
    "add_table",
    "counted",
    "first_part",
    "in_language",
    "joined",
    "packed",
    "redacted",
    "sentence",
    "unpacked",
    "words_of",
]

# What a stored sentence begins with.
_MARK = "sentence"
# Language code -> modules of its tables, English template -> translated template; imported when they are first needed.
_TABLES = {"zh-TW": ["agent_channels.core.i18n.zh_tw_operator"]}


class Sentence(str):
    """An English sentence; `in_language` translates it. Any operation of `str` returns plain English."""

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]


def add_table(language: str, module: str) -> None:
    """Add the table of a platform, or of the command line, whose sentences lie in its own folder."""
    if module not in _TABLES[language]:
        _TABLES[language].append(module)
        _texts.cache_clear()


@cache
def _texts(language: str) -> Mapping[str, str]:
    return ChainMap(*(importlib.import_module(module).TEXTS for module in _TABLES.get(language, ())))


def sentence(template: str, **values: object) -> Sentence:
    """Return a sentence with its values, which may be sentences themselves."""
    made = Sentence(template.format(**values))
    made.template, made.values = template, values
    return made


def counted(count: int, one: str, many: str = "") -> Sentence:
    """Return a number with its noun: `1 group`, `2 groups`; `many` is an irregular plural."""
    return sentence(f"{{count:,}} {one if count == 1 else many or f'{one}s'}", count=count)


def joined(sentences: Iterable[str], separator: str = "; ") -> Sentence:
    """Return several sentences as one."""
    parts = {f"part{number}": part for number, part in enumerate(sentences)}
    return sentence("{separator}".join(f"{{{name}}}" for name in parts), separator=separator, **parts)


def first_part(text: str) -> str:
    """Return the first of sentences that were joined: what happened, without the advice that follows."""
    while isinstance(text, Sentence) and "part0" in text.values:
        text = cast("str", text.values["part0"])
    return text


def words_of(error: BaseException) -> str:
    """Return what an error says, without secrets, as the sentence that it was raised with."""
    said = error.args[0] if error.args and isinstance(error.args[0], Sentence) else str(error)
    return redacted(said)


def redacted(text: str) -> str:
    """Return a text without secrets; a sentence that holds none stays one."""
    # Imported here: the hooks make sentences, and do without logging.
    from agent_channels.core.log import redact

    return text if redact(text) == text else redact(text)


def packed(text: str) -> str:
    """Return a sentence as it can be stored, so that `unpacked` returns it as a sentence; any other text as it is."""
    return json.dumps(_taken_apart(text), ensure_ascii=False) if isinstance(text, Sentence) else text


def _taken_apart(value: object) -> object:
    if isinstance(value, Sentence):
        return {_MARK: value.template, "values": {name: _taken_apart(one) for name, one in value.values.items()}}
    return value if isinstance(value, str | int | float) else str(value)


def unpacked(stored: str) -> str:
    """Return a text that was stored by `packed`, or by a program that knew no such form."""
    if not stored.startswith(f'{{"{_MARK}":'):
        return stored
    try:
        return _put_together(json.loads(stored))
    except (ValueError, KeyError, AttributeError, TypeError, IndexError):
        return stored


def _put_together(found: dict[str, Any]) -> Sentence:
    values = {name: _put_together(one) if isinstance(one, dict) else one for name, one in found["values"].items()}
    return sentence(found[_MARK], **values)


def in_language(text: object, language: str) -> str:
    """Return a sentence in a language, with its values; any other text as it is.

    A string of no values is a sentence too if the language's table has it.
    """
    table = _texts(language)
    if not table:
        return str(text)
    if not isinstance(text, Sentence):
        return table.get(str(text), str(text))
    values = {
        name: in_language(value, language) if isinstance(value, str) else value for name, value in text.values.items()
    }
    return str(table.get(text.template, text.template).format(**values))
