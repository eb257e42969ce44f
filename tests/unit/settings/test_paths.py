"""The one place that knows where things lie, and that others cannot look there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.paths import env_value, private_dir, private_file, project_dir, state_dir


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


def test_the_process_environment_is_meant_without_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Server, command line and hooks all come to the same folder."""
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


@pytest.fixture
def _open_handed() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_handed")
def test_folders_and_files_are_their_owners(tmp_path: Path) -> None:
    """0700 and 0600 whatever the umask, for new ones and for those that were open to others."""
    folder = private_dir(tmp_path / "a/b")
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "wide").mkdir(mode=0o777)
    assert private_dir(tmp_path / "wide").stat().st_mode & 0o777 == 0o700
    private_file(folder / "new")
    assert (folder / "new").stat().st_mode & 0o777 == 0o600
    (folder / "old").touch(mode=0o666)
    (folder / "old").write_text("kept")
    private_file(folder / "old")
    assert (folder / "old").stat().st_mode & 0o777 == 0o600
    assert (folder / "old").read_text() == "kept"


def test_stricter_rights_stay(tmp_path: Path) -> None:
    """A folder its owner closed to writing is not opened again."""
    folder = tmp_path / "strict"
    folder.mkdir(mode=0o500)
    assert private_dir(folder).stat().st_mode & 0o777 == 0o500


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """The sentence names the folder and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"the folder {tmp_path}/file/x cannot be used .*name another one"):
        private_dir(tmp_path / "file/x")
    with pytest.raises(ConfigError, match="cannot be used"):
        private_dir(tmp_path / "file")
