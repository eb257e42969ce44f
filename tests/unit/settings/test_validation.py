"""What a person reads about a setting or a file that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import read_json
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.state_folder import make_state_folder


def refused(tmp_path: Path, text: str) -> str:
    make_state_folder(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load(Settings, Environment("mychat", {"MYCHAT_STATE_DIR": str(tmp_path)}))
    return str(error.value)


@pytest.mark.parametrize(("name", "meant"), [
    ("typing_cap", "typing_cap_s"), ("languge", "language"), ("keepdays", "keep_days"), ("group_ctx", "group_context"),
    ("history", "history_days"),
])  # fmt: skip
def test_a_near_name_is_suggested(tmp_path: Path, name: str, meant: str) -> None:
    """A setting that is nearly right."""
    assert f"unknown setting {name!r}; did you mean {meant!r}?" in refused(tmp_path, f"{name}: 1")


@pytest.mark.parametrize("name", ["colour", "telegram", "debug", "verbose", "token", "name", "log_level"])
def test_no_far_name_is_suggested(tmp_path: Path, name: str) -> None:
    """Anything else gets the list instead of a guess."""
    said = refused(tmp_path, f"{name}: 1")
    assert "did you mean" not in said
    assert f"unknown setting {name!r}; there are mode, claim, language" in said


@pytest.mark.parametrize("text", ["just words", "- a\n- b", "7", "true"])
def test_a_file_without_settings_is_shown(tmp_path: Path, text: str) -> None:
    """It says what the file holds and what a line looks like; no words of a programming language."""
    said = refused(tmp_path, text)
    assert "must hold `name: value` lines, such as `language: en`; it holds " in said
    assert not {"str", "list", "int", "bool"} & set(said.split())


@pytest.mark.parametrize(("text", "kind"), [
    ('["a"]', "a list"), ('"text"', "a text"), ("7", "a number"), ("1.5", "a number"), ("true", "true or false"),
    ("null", "null"),
])  # fmt: skip
def test_a_file_that_is_not_an_object(tmp_path: Path, text: str, kind: str) -> None:
    """A file of the host's is named with what it holds."""
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(ConfigError, match=rf"file\.json must hold a JSON object; it holds {kind}$"):
        read_json(tmp_path / "file.json")
