"""The log file of a state folder: whole lines of every process, bounded, private, masked, never in a foreign folder."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_channels.core import log
from agent_channels.core.settings import log_file
from agent_channels.core.settings.log_file import LOG_NAME, LogFile, LogFileHandler, LogReader
from agent_channels.core.settings.state_folder import StateFolder, make_state_folder

TOKEN = "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiA"
WRITER = """
import sys
from pathlib import Path
from agent_channels.core.settings import log_file
log_file.BYTES_MAX, log_file.OLDER_FILES = int(sys.argv[2]), int(sys.argv[3])
file = log_file.LogFile(Path(sys.argv[1]), "writer")
for number in range(int(sys.argv[4])):
    file.write("INFO", "test", f"{sys.argv[5]} {number} " + "x" * (number % 700))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_state_folder(tmp_path / "state" / "telegram")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "BYTES_MAX", 1000)


def lines(folder: Path) -> list[str]:
    with StateFolder.opened(folder) as opened:
        reader = LogReader(opened)
        try:
            return [record["text"] for record in reader.read()]
        finally:
            reader.close()


def test_a_record_is_one_private_line(folder: Path) -> None:
    """With its time, level, process and logger; a traceback is part of its text, and the token of none."""
    handler = LogFileHandler(folder, "serve")
    try:
        int(TOKEN)
    except ValueError:
        record = logging.LogRecord("a.b", logging.ERROR, "", 0, "failed for %s", (TOKEN,), sys.exc_info())
    handler.handle(record)
    text = (folder / LOG_NAME).read_text(encoding="utf-8")
    found = json.loads(text)
    assert text.count("\n") == 1
    assert (found["level"], found["process"], found["pid"], found["logger"]) == ("ERROR", "serve", os.getpid(), "a.b")
    assert found["at"].endswith("Z")
    assert found["text"].startswith("failed for [token]\nTraceback")
    assert TOKEN.partition(":")[2] not in text
    assert stat.S_IMODE((folder / LOG_NAME).stat().st_mode) == 0o600


def test_stderr_says_what_it_said(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The file is beside stderr, in whose lines nothing changed."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        log.configure("INFO", LogFileHandler(folder, "serve"))
        logging.getLogger("agent_channels.x").info("hello")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(capture=False)
    assert capfd.readouterr().err.rstrip().endswith(" INFO agent_channels.x: hello")
    assert lines(folder) == ["hello"]


@pytest.mark.usefixtures("small")
def test_the_size_is_bounded_and_what_is_left_is_the_newest(folder: Path) -> None:
    """Four files at most, the oldest goes; what is read is whole and in order."""
    file = LogFile(folder, "serve")
    for number in range(100):
        file.write("INFO", "test", f"line {number}")
    names = sorted(path.name for path in folder.iterdir() if path.name.startswith(LOG_NAME))
    assert set(names) <= {LOG_NAME, *(f"{LOG_NAME}.{number}" for number in (1, 2, 3))}
    assert sum((folder / name).stat().st_size for name in names) < 5 * 1000
    found = lines(folder)
    assert found == [f"line {number}" for number in range(100 - len(found), 100)]
    assert len(found) > 15


@pytest.mark.parametrize("bytes_max", [1 << 20, 20_000])
def test_processes_do_not_mix_their_lines(folder: Path, bytes_max: int) -> None:
    """Four write at once, also while the file is renamed again and again: each line is there once, and whole."""
    count = 300
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(bytes_max), "3", str(count), str(number)])
        for number in range(4)
    ]
    assert [process.wait() for process in started] == [0] * 4
    files = [path.read_bytes() for path in folder.glob(f"{LOG_NAME}*")]
    texts = [json.loads(line)["text"].split()[:2] for data in files for line in data.splitlines()]
    assert len(texts) == len({tuple(text) for text in texts})
    if bytes_max == 1 << 20:
        assert len(texts) == 4 * count


@pytest.mark.usefixtures("small")
def test_a_line_is_written_once_though_another_process_renames_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the writing and the look at how long the file is now, it may be gone from its name."""
    file = LogFile(folder, "serve")
    file.write("INFO", "test", "first")
    status_of, renamed = StateFolder.status_of, []

    def after_another(self: StateFolder, name: str) -> os.stat_result:
        if not renamed:
            renamed.append(name)
            (folder / LOG_NAME).rename(folder / f"{LOG_NAME}.1")
        return status_of(self, name)

    monkeypatch.setattr(StateFolder, "status_of", after_another)
    second = "x" * 1000
    file.write("INFO", "test", second)
    assert renamed == [LOG_NAME]
    written = b"".join(path.read_bytes() for path in folder.glob(f"{LOG_NAME}*"))
    assert sorted(json.loads(line)["text"] for line in written.splitlines()) == ["first", second]


@pytest.mark.usefixtures("small")
def test_a_reader_follows_over_rotations(folder: Path) -> None:
    """What is added is read once, however often the file was renamed since; a line that is not ended waits."""
    file = LogFile(folder, "serve")
    with StateFolder.opened(folder) as opened:
        reader = LogReader(opened)
        assert reader.read() == []
        written, found = 0, []
        for batch in (1, 3, 12, 1, 9, 0, 15):
            for _ in range(batch):
                file.write("INFO", "test", f"line {written}")
                written += 1
            found += [record["text"] for record in reader.read()]
        assert found == [f"line {number}" for number in range(written)]
        with (folder / LOG_NAME).open("ab") as raw:
            raw.write(b'{"at": "x", "level": "INFO", "process": "serve"')
            raw.flush()
            assert reader.read() == []
            raw.write(b', "text": "late"}\n')
        assert [record["text"] for record in reader.read()] == ["late"]
        reader.close()


def test_what_is_no_record_is_skipped(folder: Path) -> None:
    """A line that was cut by a full disk, or that somebody else wrote."""
    (folder / LOG_NAME).write_bytes(b'{"at": 1}\n\xff\xfe\n[]\n{"at": "2026-01-01T00:00:00Z", "level": "INF\n')
    LogFile(folder, "serve").write("INFO", "test", "whole")
    assert lines(folder) == ["whole"]


def nothing(_folder: Path) -> None:
    return


def link(folder: Path) -> None:
    (folder.parent / "elsewhere").write_text("")
    (folder / LOG_NAME).symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / LOG_NAME)


@pytest.mark.parametrize("make", [nothing, link, pipe])
def test_nothing_is_written_where_it_must_not_be(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Not into a folder that is not trusted, through a link, or into a pipe; and it is no error for the caller."""
    folder = tmp_path / "state" / "telegram"
    if make is nothing:
        folder.mkdir(parents=True)
    else:
        make(make_state_folder(folder).absolute())
        folder = folder.absolute()
    before = {path.name: path.lstat().st_size for path in folder.iterdir()}
    LogFile(folder, "serve").write("INFO", "test", "a")
    assert {path.name: path.lstat().st_size for path in folder.iterdir()} == before
    assert not (tmp_path / "state" / "elsewhere").exists() or not (tmp_path / "state" / "elsewhere").read_text()


def test_a_folder_that_comes_later_is_used(tmp_path: Path) -> None:
    """The server starts before setup made the folder; also once it was removed and made again."""
    folder = tmp_path / "state" / "telegram"
    file = LogFile(folder, "serve")
    file.write("INFO", "test", "lost")
    assert not folder.exists()
    make_state_folder(folder)
    file.write("INFO", "test", "one")
    folder.rename(tmp_path / "away")
    for path in (tmp_path / "away").iterdir():
        path.unlink()
    (tmp_path / "away").rmdir()
    make_state_folder(folder)
    file.write("INFO", "test", "two")
    assert lines(folder) == ["two"]


def test_a_log_that_others_could_read_is_made_private(folder: Path) -> None:
    """Whoever opened its rights, it names chats and errors."""
    (folder / LOG_NAME).touch()
    (folder / LOG_NAME).chmod(0o644)
    LogFile(folder, "serve").write("INFO", "test", "a")
    assert stat.S_IMODE((folder / LOG_NAME).stat().st_mode) == 0o600
