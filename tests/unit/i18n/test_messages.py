"""Every sentence exists in every language, and takes the values that the code passes to it."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import agent_channels
from agent_channels.core.i18n import en, messages, zh_tw
from agent_channels.core.i18n.messages import translate
from agent_channels.core.settings.config import Language

SOURCE = Path(agent_channels.__file__).parent


def placeholders(text: str) -> set[str]:
    """The names of the values that a sentence takes."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """(file and line, key, names of values) of every call with a literal key of `translate` and `translate_count`."""
    for path in sorted(SOURCE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "i18n.messages import" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(ast.Name("translate"), [ast.Constant(str(key))], keywords):
                    yield f"{path.name}:{node.lineno}", key, {str(word.arg) for word in keywords}
                case ast.Call(ast.Name("translate_count"), [ast.Constant(str(key)), _]):
                    for counted in ("one", "many"):
                        yield f"{path.name}:{node.lineno}", f"{key}_{counted}", {"count"}


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_sentence_can_be_translated(language: str) -> None:
    """Each takes exactly the values it names, and what a person wrote is not read as a format."""
    messages.set_language(language)
    for key, text in en.TEXTS.items():
        names = placeholders(text)
        sentence = translate(key, **dict.fromkeys(names, "{x} %s 7"))
        assert sentence, key
        assert sentence.count("{x} %s 7") >= len(names), key
        with pytest.raises(KeyError):
            translate(f"{key} does not exist")


def test_the_code_uses_keys_and_values_that_exist() -> None:
    """No sentence is missing when somebody is to read it."""
    found = list(calls())
    assert len(found) > 40
    for where, key, names in found:
        assert key in en.TEXTS, where
        assert placeholders(en.TEXTS[key]) <= names, where


def test_every_language_has_every_sentence() -> None:
    """All tables have the same keys in the same order, and each sentence takes the same values in all of them."""
    assert list(zh_tw.TEXTS) == list(en.TEXTS)
    for key, text in zh_tw.TEXTS.items():
        assert placeholders(text) == placeholders(en.TEXTS[key]), key


def test_every_sentence_is_translated() -> None:
    """A sentence with letters differs from the English one; commands, which people type, do not."""
    commands = re.compile(r"(?<!\w)/\w+(?: \w+)?(?= –)|(?:yes|no) \{request_id\}")
    for key, text in zh_tw.TEXTS.items():
        fixed = re.sub(r"\{\w+\}", "", en.TEXTS[key])
        assert (text == en.TEXTS[key]) == (re.search(r"[A-Za-z]", fixed) is None), key
        assert commands.findall(text) == commands.findall(en.TEXTS[key]), key


def test_the_settings_know_the_languages() -> None:
    """`language` in config.yaml accepts exactly the languages that have a table."""
    assert get_args(Language) == tuple(messages.LANGUAGES)
