"""Hooks obey the server's settings: one declaration, the same refusals in the same words."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.hook_settings import HookSettings, load_hook_settings
from agent_channels.core.settings.state_folder import make_state_folder

NAMES = list(HookSettings.declared())


def of_hook(folder: Path, text: str) -> tuple[HookSettings, list[str]]:
    make_state_folder(folder)
    (folder / "config.yaml").write_text(text)
    return load_hook_settings(folder / "config.yaml")


def of_server(folder: Path, text: str) -> Settings:
    make_state_folder(folder)
    (folder / "config.yaml").write_text(text)
    return load(Settings, Environment("sample", {"SAMPLE_STATE_DIR": str(folder)}))


def test_defaults_are_the_servers() -> None:
    """What nobody sets has one value, wherever it is read."""
    server = Settings()
    assert vars(HookSettings()) == {name: getattr(server, name) for name in NAMES}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop_wait_s", 3600),
        ("stop_wait_s", "20"),
        ("stop_wait_s", "1e3"),
        ("stop_cap", 100),
        ("stop_cap", 3.0),
        ("hook_bound_s", 1),
        ("escalate_after_s", 86_400),
        ("language", "zh-TW"),
    ],
)
def test_what_the_server_accepts_a_hook_obeys(tmp_path: Path, name: str, value: object) -> None:
    """The same value of the same type on both sides."""
    text = yaml.safe_dump({name: value})
    settings, problems = of_hook(tmp_path, text)
    found = getattr(settings, name)
    assert problems == []
    assert found == getattr(of_server(tmp_path, text), name)
    assert found == type(found)(value)


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("stop_wait_s", 86_400, "it must be a number from 0 to 3600"),
        ("stop_wait_s", -3, "it must be a number from 0 to 3600"),
        ("stop_wait_s", math.inf, "it must be a number from 0 to 3600"),
        ("stop_wait_s", math.nan, "it must be a number from 0 to 3600"),
        ("stop_wait_s", "soon", "it must be a number from 0 to 3600"),
        ("stop_wait_s", [20], "it must be a number from 0 to 3600"),
        ("stop_wait_s", None, "it must be a number from 0 to 3600"),
        ("stop_wait_s", 10**400, "it must be a number from 0 to 3600"),
        ("hook_bound_s", 3601, "it must be a number from 1 to 3600"),
        ("hook_bound_s", 0, "it must be a number from 1 to 3600"),
        ("escalate_after_s", 0.5, "it must be a number of at least 1"),
        ("stop_cap", 101, "it must be a whole number from 0 to 100"),
        ("stop_cap", 1.5, "it must be a whole number from 0 to 100"),
        ("stop_cap", math.inf, "it must be a whole number from 0 to 100"),
        ("language", "fr", "it must be en or zh-TW"),
        ("language", False, "it must be en or zh-TW"),
        ("language", ["en"], "it must be en or zh-TW"),
    ],
)
def test_what_the_server_refuses_no_hook_obeys(tmp_path: Path, name: str, value: object, right: str) -> None:
    """Too large, too small, of the wrong type, unknown: one sentence on both sides; in a hook the default holds."""
    text = yaml.safe_dump({name: value, "stop_cap" if name != "stop_cap" else "stop_wait_s": 2})
    with pytest.raises(ConfigError) as refused:
        of_server(tmp_path, text)
    settings, problems = of_hook(tmp_path, text)
    assert getattr(settings, name) == getattr(HookSettings(), name)
    assert (settings.stop_cap if name != "stop_cap" else settings.stop_wait_s) == 2
    (problem,) = problems
    sentence = str(refused.value).removeprefix(f"{tmp_path / 'config.yaml'} (or the environment): ")
    assert sentence.endswith(right)
    assert problem == f"{tmp_path / 'config.yaml'}: {sentence}; the default holds"


def test_a_misspelt_name_changes_nothing_in_a_hook(tmp_path: Path) -> None:
    """The server, which knows every name, refuses it with the nearest one."""
    text = "stop_wait: 20\nhook_bounds_s: 7\n"
    with pytest.raises(ConfigError, match=r"unknown setting 'stop_wait'; did you mean 'stop_wait_s'\?"):
        of_server(tmp_path, text)
    assert of_hook(tmp_path, text) == (HookSettings(), [])


@pytest.mark.parametrize(
    "text", ["stop_cap: [", "stop_cap: \x01", "- stop_cap", "stop_cap: 2026-99-99", "[" * 5000 + "stop_cap"]
)
def test_a_file_that_cannot_be_read_sets_nothing(tmp_path: Path, text: str) -> None:
    """The same sentence as the server's, and every default."""
    with pytest.raises(ConfigError) as refused:
        of_server(tmp_path, text)
    assert of_hook(tmp_path, text) == (HookSettings(), [str(refused.value)])


@pytest.mark.parametrize("text", ["", "# stop_cap\n", "mode: push\n", "mode: [\n"])
def test_a_file_without_a_word_for_hooks_costs_nothing(tmp_path: Path, text: str) -> None:
    """It is not even parsed."""
    assert of_hook(tmp_path, text) == (HookSettings(), [])
    (tmp_path / "config.yaml").unlink()
    assert load_hook_settings(tmp_path / "config.yaml") == (HookSettings(), [])


def test_reading_them_imports_no_library(tmp_path: Path) -> None:
    """A hook starts at every turn; a file that sets nothing for it is read without any."""
    (tmp_path / "config.yaml").write_text("mode: push\n")
    code = (
        "import sys; from pathlib import Path\n"
        "from agent_channels.core.settings.hook_settings import load_hook_settings\n"
        f"load_hook_settings(Path({str(tmp_path / 'config.yaml')!r}))\n"
        "sys.exit(bool({'yaml', 'logging', 'difflib'} & set(sys.modules)))"
    )
    ran: subprocess.CompletedProcess[Any] = subprocess.run([sys.executable, "-c", code], check=False)
    assert ran.returncode == 0
