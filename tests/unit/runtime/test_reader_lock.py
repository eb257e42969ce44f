"""Who reads a bot, and which projects did before this one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent_channels.core.runtime.reader_lock import READERS_MAX, ReaderLock


def test_only_the_last_few_readers_are_remembered(tmp_path: Path) -> None:
    """Each of them is opened when a project takes over, so the list does not grow with every project; latest last."""
    folders = [tmp_path / f"state {number}" for number in range(READERS_MAX + 3)]
    for folder in folders:
        ReaderLock("mychat", "1", folder, folder=tmp_path).record_reader()
    lock = ReaderLock("mychat", "1", folders[-1], folder=tmp_path)
    assert lock.readers() == folders[-READERS_MAX:]


def test_a_project_that_reads_again_is_the_latest(tmp_path: Path) -> None:
    """It is listed once."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two, one):
        ReaderLock("mychat", "1", folder, folder=tmp_path).record_reader()
    assert ReaderLock("mychat", "1", one, folder=tmp_path).readers() == [two, one]


def test_one_process_holds_the_lock_until_it_gives_it_back(tmp_path: Path) -> None:
    """Whoever else asks meanwhile is told who holds it."""
    one, other = (ReaderLock("mychat", "1", tmp_path / name, folder=tmp_path) for name in ("one", "other"))
    assert (one.claim(), other.claim(), one.claim()) == (True, False, True)
    assert (other.held, other.is_read(), one.is_read()) == (False, False, True)
    assert (found := other.holder()) is not None
    assert found.state_dir == str(tmp_path / "one")
    one.release()
    assert other.holder() is None
    assert (other.claim(), one.claim()) == (True, False)


def test_a_lock_is_free_once_nobody_has_its_object(tmp_path: Path) -> None:
    """A task that is cancelled releases nothing itself."""
    dropped, other = (ReaderLock("mychat", "1", tmp_path, folder=tmp_path) for _ in range(2))
    assert dropped.claim()
    del dropped
    assert other.claim()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is locked cannot be removed there")
def test_a_lock_whose_file_was_removed_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock on a file that has no name keeps nobody else out."""
    import fcntl

    lock_file, flock, calls = tmp_path / "mychat-1.lock", fcntl.flock, list[int]()

    def removed_first(descriptor: int, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            lock_file.unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    one, other = (ReaderLock("mychat", "1", tmp_path, folder=tmp_path) for _ in range(2))
    assert one.claim()
    assert (lock_file.exists(), lock_file.stat().st_mode & 0o777, other.claim()) == (True, 0o600, False)
