"""Which language the person at the terminal reads."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from agent_channels.cli.language import choose_language, locale_language, shown
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.state_folder import make_state_folder

LOCALES = ("LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A terminal without a locale, and the state folder of its project."""
    for name in LOCALES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TELEGRAM_STATE_DIR", str(tmp_path / "state"))
    # Set back when the test ends, whatever was chosen.
    monkeypatch.setattr("agent_channels.cli.language._language", "en")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    return tmp_path / "state"


@pytest.mark.parametrize(("environ", "expected"), [
    ({"LANG": "zh_TW.UTF-8"}, "zh-TW"),
    ({"LANG": "zh_HK.UTF-8"}, "zh-TW"),
    ({"LANG": "zh_Hant_TW"}, "zh-TW"),
    ({"LANG": "zh_CN.UTF-8"}, "en"),
    ({"LANG": "de_DE.UTF-8"}, "en"),
    ({"LANG": "zh_TW.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
    ({"LANG": "C", "LC_MESSAGES": "zh_TW.UTF-8"}, "zh-TW"),
    ({"LANG": "zh_TW.UTF-8", "LC_ALL": ""}, "zh-TW"),
    ({}, "en"),
])  # fmt: skip
def test_the_locale_decides(environ: dict[str, str], expected: str) -> None:
    """As the C library reads it; a language without a table is English."""
    assert locale_language(environ) == expected


def test_what_config_sets_goes_first(terminal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's language is the operator's choice; the locale is only a guess."""
    make_state_folder(terminal)
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    assert choose_language("telegram") == "zh-TW"
    (terminal / "config.yaml").write_text("language: en\n")
    assert choose_language("telegram") == "en"
    monkeypatch.setenv("LANG", "C.UTF-8")
    (terminal / "config.yaml").write_text("language: zh-TW\n")
    assert choose_language("telegram") == "zh-TW"
    assert shown(sentence("in {folder}", folder="/x")) == "在 /x"


@pytest.mark.parametrize("text", ["language: tlh\n", "language: [en]\n", "language: [\n", "progress: off\n", ""])
def test_a_config_that_sets_none_leaves_it_to_the_locale(
    terminal: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Also one that cannot be read: what is wrong with it is told where it is needed."""
    make_state_folder(terminal)
    (terminal / "config.yaml").write_text(text)
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    assert choose_language("telegram") == "zh-TW"


def test_a_config_of_somebody_else_is_not_read(terminal: Path) -> None:
    """A folder that came with a repository does not even choose the language."""
    terminal.mkdir()
    (terminal / "config.yaml").write_text("language: zh-TW\n")
    assert choose_language("telegram") == "en"


def test_a_terminal_that_cannot_write_it_gets_english(terminal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes instead of characters would help nobody."""
    monkeypatch.setenv("LANG", "zh_TW")
    monkeypatch.setattr("agent_channels.cli.language._language", "en")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert choose_language("telegram") == "en"
    monkeypatch.setattr("agent_channels.cli.language._language", "en")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="big5"))
    assert choose_language("telegram") == "zh-TW"
