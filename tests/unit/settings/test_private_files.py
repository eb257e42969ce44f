"""Folders and files that only their owner can use, and files that are replaced in one step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings import private_files
from agent_channels.core.settings.private_files import (
    ensure_private_dir,
    ensure_private_file,
    write_atomically,
)


@pytest.fixture
def _open_handed() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_handed")
def test_folders_and_files_belong_to_their_owner(tmp_path: Path) -> None:
    """0700 and 0600 whatever the umask, both for new ones and for existing ones that were open to others."""
    folder = ensure_private_dir(tmp_path / "a/b")
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "wide").mkdir(mode=0o777)
    assert ensure_private_dir(tmp_path / "wide").stat().st_mode & 0o777 == 0o700
    ensure_private_file(folder / "new")
    assert (folder / "new").stat().st_mode & 0o777 == 0o600
    (folder / "old").touch(mode=0o666)
    (folder / "old").write_text("kept")
    ensure_private_file(folder / "old")
    assert (folder / "old").stat().st_mode & 0o777 == 0o600
    assert (folder / "old").read_text() == "kept"


def test_stricter_rights_stay(tmp_path: Path) -> None:
    """A folder that its owner made read-only stays read-only."""
    folder = tmp_path / "strict"
    folder.mkdir(mode=0o500)
    assert ensure_private_dir(folder).stat().st_mode & 0o777 == 0o500


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The sentence names the folder and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"the folder {tmp_path}/file/x cannot be used .*name another place"):
        ensure_private_dir(tmp_path / "file/x")
    with pytest.raises(ConfigError, match="cannot be used"):
        ensure_private_dir(tmp_path / "file")


# ---- replacing


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.usefixtures("_open_handed")
def test_a_file_is_replaced_with_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    """0600 by default; None keeps the permissions of the file, and gives a new one the default ones."""
    path = tmp_path / "file"
    write_atomically(path, "one")
    assert (path.read_text(), mode(path)) == ("one", 0o600)
    path.chmod(0o640)
    write_atomically(path, "two", mode=None)
    assert (path.read_text(), mode(path)) == ("two", 0o640)
    write_atomically(tmp_path / "new", "three", mode=None)
    assert mode(tmp_path / "new") == 0o666
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "new"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle: the error is raised, the file is as before, and no draft stays behind."""
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file"]
