"""Where the project, the state and the runtime folder are."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.settings.paths import env_value, project_dir, state_dir


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SAMPLE_STATE_DIR": "/a/b", "CLAUDE_PROJECT_DIR": "/p"}, "/a/b"),
        ({"SAMPLE_STATE_DIR": "~/x"}, "{home}/x"),
        ({"SAMPLE_STATE_DIR": "rel"}, "{cwd}/rel"),
        ({"CLAUDE_PROJECT_DIR": "/p"}, "/p/state/sample"),
        ({"CLAUDE_PROJECT_DIR": "~/p"}, "{home}/p/state/sample"),
        ({"OTHER_STATE_DIR": "/a"}, "{cwd}/state/sample"),
        ({"SAMPLE_STATE_DIR": "", "CLAUDE_PROJECT_DIR": " "}, "{cwd}/state/sample"),
        ({"SAMPLE_STATE_DIR": "${SAMPLE_STATE_DIR}", "CLAUDE_PROJECT_DIR": "/p"}, "/p/state/sample"),
        ({"SAMPLE_STATE_DIR": "${X}", "CLAUDE_PROJECT_DIR": "${CLAUDE_PROJECT_DIR}"}, "{cwd}/state/sample"),
        ({}, "{cwd}/state/sample"),
    ],
)
def test_the_state_folder_by_its_rules(
    environ: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel's own variable, else the project's folder, else the working directory; always absolute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    wanted = Path(expected.format(home="/home/somebody", cwd=tmp_path))
    assert state_dir("sample", environ) == wanted
    assert state_dir("sample", environ).is_absolute()


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Server, command line and hooks all find the same folder."""
    monkeypatch.setenv("SAMPLE_STATE_DIR", str(tmp_path / "here"))
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path / "project"))
    assert state_dir("sample") == tmp_path / "here"
    assert state_dir("other") == tmp_path / "project/state/other"
    assert project_dir() == tmp_path / "project"


@pytest.mark.parametrize(
    ("value", "seen"),
    [("x", "x"), (" x\n", "x"), ("", None), ("   ", None), ("${X}", None), ("${X:-y}", None), ("a${X}", "a${X}")],
)
def test_what_counts_as_set(value: str, seen: str | None) -> None:
    """Blank and unexpanded values are unset; others are stripped."""
    assert env_value("NAME", {"NAME": value}) == seen
    assert env_value("NAME", {}) is None
