"""What another process changes is noticed at once, and at the latest after a while."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent_channels.core.settings.state_folder import replace_file
from agent_channels.core.settings.watchers import FOLDER, Watchers
from agent_channels.core.store import watcher
from agent_channels.core.store.database import Store
from agent_channels.core.store.watcher import StoreWatcher

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")

COMMIT = """
import sys
from pathlib import Path
from agent_channels.core.store.database import Store
with Store.open(Path(sys.argv[1])) as store, store.transaction() as db:
    db.execute("INSERT INTO key_values (key, value) VALUES (?, '1')", (sys.argv[2],))
"""
WATCH = """
import sys, time
from pathlib import Path
from agent_channels.core.settings.watchers import Watchers
with Watchers(Path(sys.argv[1])).joined():
    print("joined", flush=True)
    time.sleep(60)
"""


def pipes(state_dir: Path) -> list[str]:
    """The names in the folder of pipes."""
    return sorted(path.name for path in (state_dir / FOLDER).iterdir())


async def commit(state_dir: Path, key: str) -> None:
    """Commit something in another process."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", COMMIT, str(state_dir), key)
    assert await process.wait() == 0


@asynccontextmanager
async def watched(store: Store) -> AsyncIterator[asyncio.Event]:
    """An event that is set whenever the watcher calls."""
    called = asyncio.Event()
    task = asyncio.create_task(StoreWatcher(store, called.set).run())
    # It has joined once it waits.
    await asyncio.sleep(0)
    try:
        yield called
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def looks_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a wake-up is noticed."""
    monkeypatch.setattr(watcher, "RARELY_S", 3600.0)
    monkeypatch.setattr(watcher, "LOOK_EVERY_S", 3600.0)


@pytest.mark.usefixtures("looks_never")
async def test_a_commit_of_another_process_is_noticed_at_once(tmp_path: Path) -> None:
    """Again and again, by everybody who watches."""
    with Store.open(tmp_path / "state") as store, Store.open(tmp_path / "state") as second:
        async with watched(store) as called, watched(second) as called_too:
            for key in ("a", "b", "c"):
                await commit(tmp_path / "state", key)
                async with asyncio.timeout(10):
                    await called.wait()
                    await called_too.wait()
                called.clear()
                called_too.clear()
        assert pipes(tmp_path / "state") == []


@pytest.mark.usefixtures("looks_never")
async def test_a_replaced_file_is_noticed_at_once(tmp_path: Path) -> None:
    """What a command writes into the settings counts as soon as what it commits."""
    with Store.open(tmp_path / "state") as store:
        async with watched(store) as called, asyncio.timeout(10):
            replace_file(tmp_path / "state" / "config.yaml", "mode: pull\n")
            await called.wait()


def test_ones_own_commits_wake_nobody(tmp_path: Path) -> None:
    """Nor does a transaction that changes nothing; then what does is heard once for each commit."""
    with Store.open(tmp_path) as store, Store.open(tmp_path) as other, store.watchers.joined() as pipe:
        assert pipe is not None
        with store.transaction() as db:
            db.execute("INSERT INTO key_values (key, value) VALUES ('a', '1')")
        with other.transaction() as db:
            db.execute("UPDATE key_values SET value = '2' WHERE key = 'none'")
        with pytest.raises(BlockingIOError):
            os.read(pipe, 10)
        for value in ("2", "3"):
            with other.transaction() as db:
                db.execute("UPDATE key_values SET value = ?", (value,))
        assert os.read(pipe, 10) == b"!!"


async def test_a_lost_wake_up_delays_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who removes the pipes makes others look later, not never."""
    monkeypatch.setattr(watcher, "RARELY_S", 0.05)
    with Store.open(tmp_path / "state") as store:
        async with watched(store) as called:
            for pipe in (tmp_path / "state" / FOLDER).iterdir():
                pipe.unlink()
            await commit(tmp_path / "state", "a")
            async with asyncio.timeout(10):
                await called.wait()


async def test_a_pipe_that_stays_silent_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later, but what was written to it is noticed, and it does not fill up."""
    monkeypatch.setattr(watcher, "RARELY_S", 0.05)
    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", lambda *_: None)
    with Store.open(tmp_path / "state") as store:
        async with watched(store) as called, asyncio.timeout(10):
            replace_file(tmp_path / "state" / "config.yaml", "mode: pull\n")
            await called.wait()


def no_folder(state_dir: Path, _: pytest.MonkeyPatch) -> None:
    (state_dir / FOLDER).write_text("a file")


def no_pipes(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "mkfifo", refuse)


@pytest.mark.parametrize("broken", [no_folder, no_pipes])
async def test_where_there_can_be_no_pipe_one_looks_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    """Some file systems have none."""
    monkeypatch.setattr(watcher, "RARELY_S", 3600.0)
    with Store.open(tmp_path / "state") as store:
        broken(tmp_path / "state", monkeypatch)
        async with watched(store) as called:
            await commit(tmp_path / "state", "a")
            async with asyncio.timeout(10):
                await called.wait()


def test_the_pipe_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    """By the next one that has something to tell."""
    process = subprocess.Popen([sys.executable, "-c", WATCH, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"joined\n"
    watchers = Watchers(tmp_path)
    watchers.wake()
    assert len(pipes(tmp_path)) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    watchers.wake()
    assert pipes(tmp_path) == []


def test_nothing_but_a_pipe_is_written_to(tmp_path: Path) -> None:
    """A folder that came with a repository leads nowhere."""
    (tmp_path / FOLDER).mkdir()
    target, file = tmp_path / "target", tmp_path / FOLDER / "file"
    target.write_text("untouched")
    file.write_text("untouched")
    (tmp_path / FOLDER / "link").symlink_to(target)
    (tmp_path / FOLDER / "folder").mkdir()
    Watchers(tmp_path).wake()
    assert (target.read_text(), file.read_text()) == ("untouched", "untouched")
    assert pipes(tmp_path) == ["file", "folder", "link"]


def test_who_joins_within_the_same_second_is_heard_of(tmp_path: Path) -> None:
    """On a file system that keeps whole seconds, a folder that changed again has the same time."""
    watchers, changed_ns = Watchers(tmp_path), time.time_ns() - 500_000_000
    with Watchers(tmp_path).joined() as first:
        os.utime(tmp_path / FOLDER, ns=(changed_ns, changed_ns))
        watchers.wake()
        with Watchers(tmp_path).joined() as second:
            os.utime(tmp_path / FOLDER, ns=(changed_ns, changed_ns))
            watchers.wake()
            assert first is not None
            assert second is not None
            assert (os.read(first, 10), os.read(second, 10)) == (b"!!", b"!")


def test_a_reader_that_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    """A full pipe takes no more, and that is no fault."""
    with Watchers(tmp_path).joined() as pipe:
        assert pipe is not None
        others = Watchers(tmp_path)
        for _ in range(70_000):
            others.wake()
        assert len(os.read(pipe, 100_000)) == 65_536


def test_other_programs_sockets_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They look like pipes that nobody reads; neither in the folder nor where a link in its place leads to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs").mkdir()
    os.mkfifo(tmp_path / "theirs" / "pipe")
    (tmp_path / "state" / FOLDER).mkdir(parents=True)
    (tmp_path / "linked").mkdir()
    for link in (tmp_path / "linked" / FOLDER, tmp_path / FOLDER):
        link.symlink_to(tmp_path / "theirs")
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
        one.bind("theirs/socket")
        two.bind(f"state/{FOLDER}/socket")
        Watchers(tmp_path / "state").wake()
        Watchers(tmp_path / "linked").wake()
        with Watchers(tmp_path / "linked").joined() as pipe:
            assert pipe is None
        with Store.open_existing(tmp_path / "none") as store, store.transaction() as db:
            db.execute("INSERT INTO key_values (key, value) VALUES ('a', '1')")
    assert pipes(tmp_path / "state") == ["socket"]
    assert sorted(path.name for path in (tmp_path / "theirs").iterdir()) == ["pipe", "socket"]


def test_a_full_folder_slows_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever put thousands of files there: they are not opened with every commit, whatever the time of the folder."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    for number in range(3000):
        (folder / str(number)).touch()
    os.utime(folder, (4e9, 4e9))
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda path, *_: opened.append(path))
    listed: list[object] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))  # type: ignore[func-returns-value]
    watchers = Watchers(tmp_path)
    for _ in range(10):
        watchers.wake()
    assert (opened, len(listed)) == ([], 1)


def test_what_cannot_be_joined_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an open pipe nor a name."""

    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "rename", refuse)
    before = os.open(os.devnull, os.O_RDONLY)
    os.close(before)
    with Watchers(tmp_path).joined() as pipe:
        assert pipe is None
        after = os.open(os.devnull, os.O_RDONLY)
        os.close(after)
    assert after == before
    assert pipes(tmp_path) == []
