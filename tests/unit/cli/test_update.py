"""`channels update` and what it knows of each way to install: it never guesses a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent_channels.cli.update import _update_command
from agent_channels.core import program
from agent_channels.core.program import Installation, Kind, called, in_hints


@pytest.mark.parametrize(
    ("kind", "source", "command"),
    [
        ("uv tool", None, "uv tool upgrade agent-channels"),
        ("uv tool", "/src/clone", "uv tool upgrade --reinstall agent-channels"),
        ("pipx", "git+https://example.net/x.git", "pipx upgrade agent-channels"),
        ("pip", None, "/env/bin/python -m pip install --upgrade agent-channels"),
        ("pip", "/src/clone", "/env/bin/python -m pip install --upgrade /src/clone"),
        ("uvx", None, ""), ("pipx run", None, ""), ("plugin", None, ""), ("clone", "/gone", ""),
        ("uv tool", "/x/agent_channels-1.whl", ""), ("pipx", "/x/a.whl", ""), ("pip", "/x/a.tar.gz", ""),
    ],
)  # fmt: skip
def test_each_installer_has_its_command(kind: Kind, source: str | None, command: str) -> None:
    """Where none is known to be right, a sentence says what to do instead."""
    words, instead = _update_command(Installation(kind, Path("/env"), source))
    assert " ".join(words) == command
    assert bool(instead) is (not command)


@pytest.mark.parametrize(
    ("files", "path", "kind"),
    [
        (["uv-receipt.toml"], "tools/agent-channels", "uv tool"),
        (["pipx_metadata.json"], "pipx/venvs/agent-channels", "pipx"),
        (["../../CACHEDIR.TAG"], "uv/archive-v0/AbC", "uvx"),
        (["ready"], "data/env-0123456789abcdef", "plugin"),
        ([], "project/.venv", "pip"),
        ([], ".cache/pipx/abc", "pipx run"),
    ],
)
def test_an_installer_is_known_by_what_it_left(tmp_path: Path, files: list[str], path: str, kind: Kind) -> None:
    """A receipt, a cache's mark, a name: never by what happens to be on the PATH."""
    prefix = tmp_path / path
    prefix.mkdir(parents=True)
    for name in files:
        (prefix / name).resolve().touch()
    assert program._kind(prefix, editable=False) == kind


def test_the_clone_says_how_to_pull(channels) -> None:
    """These tests run from a clone, which `update` names, and where nothing is run."""
    ran = channels("update", "--yes")
    assert ran.code == 0
    assert "git -C" in ran.out
    data = json.loads(channels("update", "--json").out)
    assert (data["installed_by"], data["command"]) == ("clone", None)


def test_hints_name_the_program_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in backticks, or on a line of its own; not what only sounds like one."""
    text = "run `channels setup telegram`\n  channels access telegram\nthe channels of a server, `channels`"
    try:
        called.cache_clear()
        assert in_hints(text) == text
        called.cache_clear()
        monkeypatch.setenv("PATH", "/nowhere")
        name = called()
        assert name.endswith("bin/channels")
        assert in_hints(text) == text.replace("`channels setup", f"`{name} setup").replace("  channels", f"  {name}")
    finally:
        called.cache_clear()
