"""Which projects read a bot before this one."""

from __future__ import annotations

from pathlib import Path

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
