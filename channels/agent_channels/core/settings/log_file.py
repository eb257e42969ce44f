"""The log file in a state folder: what every process of this program logs, one line of JSON a record.

Each record is one write at the file's end, so that lines of processes that write at the same moment are never mixed.
A file that is full is renamed, and the oldest is deleted. Nothing is written into a folder that is not trusted.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.log import redact
from agent_channels.core.settings.private_files import OWNER_ONLY
from agent_channels.core.settings.state_folder import StateFolder
from agent_channels.core.text.times import epoch_iso_ms

__all__ = ["LOG_NAME", "LogFile", "LogFileHandler", "LogReader", "log_command", "log_path"]

LOG_NAME = "channel.log"
# Of one file; with the files before it, a folder's log takes at most four times as much, and one record.
BYTES_MAX = 1024 * 1024
OLDER_FILES = 3
# Of a record; a traceback is far shorter.
TEXT_MAX = 20_000


def log_path(state_dir: Path) -> Path:
    """Return where a state folder's log is, which may not exist yet."""
    return state_dir / LOG_NAME


def log_command(channel: str) -> str:
    """Return what shows a channel's log, for a sentence."""
    return f"channels logs {channel}"


def _older(number: int) -> str:
    return f"{LOG_NAME}.{number}"


def _names() -> list[str]:
    """The names of the files, oldest first."""
    return [*(_older(number) for number in range(OLDER_FILES, 0, -1)), LOG_NAME]


class LogFile:
    """Append records. Whatever is wrong with the folder or the disk, the caller goes on: stderr has the record too."""

    def __init__(self, state_dir: Path, process: str, *, shared: bool = False) -> None:
        """`process`: what this process is, such as `serve`. `shared`: a folder in the user's own, of no one project."""
        self._state_dir, self._process, self._shared = state_dir, process, shared
        self._held = contextlib.ExitStack()
        self._folder: StateFolder | None = None

    def write(
        self, level: str, logger: str, text: str, *, at: float | None = None, trace: str = "", channel: str = ""
    ) -> None:
        """Append one record, with secrets masked; `at` is in epoch seconds, `trace` the id of its trace.

        `channel`: the one that it is about, where that is not the folder's.
        """
        record = {
            "at": epoch_iso_ms(time.time() if at is None else at),
            "level": level,
            "process": self._process,
            "pid": os.getpid(),
            "logger": logger,
            "text": redact(text)[:TEXT_MAX],
            **({"trace": trace} if trace else {}),
            **({"channel": channel} if channel else {}),
        }
        line = json.dumps(record).encode("ascii") + b"\n"
        # The folder that was held open may have been removed or replaced since.
        for _ in range(2):
            with contextlib.suppress(OSError, ConfigError):
                if (folder := self._trusted_folder()) is not None:
                    _append(folder, line)
                return
            self.close()

    def close(self) -> None:
        """Let go of the folder; the next record opens it again."""
        self._held.close()
        self._folder = None

    def _trusted_folder(self) -> StateFolder | None:
        if self._folder is None:
            with contextlib.ExitStack() as opened:
                folder = opened.enter_context(StateFolder.opened(self._state_dir))
                if not (self._shared or folder.is_known()):
                    return None
                self._folder, self._held = folder, opened.pop_all()
        return self._folder


class LogFileHandler(logging.Handler):
    """Write this process's log into the file of a state folder, as soon as that is there and trusted."""

    def __init__(self, state_dir: Path, process: str, *, shared: bool = False) -> None:
        """As a `LogFile`'s."""
        super().__init__()
        self._file = LogFile(state_dir, process, shared=shared)

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record, with its traceback if it has one."""
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - as every handler does: a record that cannot be formatted is reported
            self.handleError(record)
            return
        trace, channel = getattr(record, "trace_id", ""), getattr(record, "channel", "")
        self._file.write(record.levelname, record.name, text, at=record.created, trace=trace, channel=channel)


def _append(folder: StateFolder, line: bytes) -> None:
    descriptor = folder.open_file(LOG_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            return
        if os.name == "posix" and info.st_mode & 0o077:
            os.fchmod(descriptor, OWNER_ONLY)
        os.write(descriptor, line)
        if info.st_size + len(line) > BYTES_MAX:
            # Whatever fails then, such as because another process renamed it just now, the line is there.
            with contextlib.suppress(OSError):
                _rotate(folder, descriptor)
    finally:
        os.close(descriptor)


def _rotate(folder: StateFolder, descriptor: int) -> None:
    """Rename the files, unless another process just did: the one that gets the lock on the file does it."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            # A file system without locks; that two rename at the same moment is unlikely.
            pass
    if folder.status_of(LOG_NAME).st_ino != os.fstat(descriptor).st_ino:
        return
    for older, newer in itertools.pairwise(_names()):
        with contextlib.suppress(FileNotFoundError):
            folder.rename_file(newer, older)


class LogReader:
    """Read a state folder's log from its beginning, and then what is added, over every rotation."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._file: io.BufferedReader | None = None
        self._rest = b""

    def read(self) -> list[dict[str, Any]]:
        """Return the records since the last call, oldest first; a line that is not a record is skipped."""
        records: list[dict[str, Any]] = []
        while (file := self._file or self._next()) is not None:
            # Looked at before it is read: what is read afterwards is then all that this file will ever hold.
            is_current = self._inode(LOG_NAME) in {None, os.fstat(file.fileno()).st_ino}
            *lines, self._rest = (self._rest + file.read()).split(b"\n")
            records += filter(None, map(_parse, lines))
            if is_current or self._next() is None:
                break
        return records

    def close(self) -> None:
        """Close the file that is being read."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next(self) -> io.BufferedReader | None:
        """Open the file after the one that was read, or the oldest; return None if there is none."""
        names = [name for name in _names() if self._inode(name) is not None]
        if self._file is not None:
            inodes, ours = [self._inode(name) for name in names], os.fstat(self._file.fileno()).st_ino
            names = names[inodes.index(ours) + 1 :] if ours in inodes else names
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                descriptor = self._folder.open_file(name, os.O_RDONLY)
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    os.close(descriptor)
                    continue
                self.close()
                self._file, self._rest = os.fdopen(descriptor, "rb"), b""
                return self._file
        return None

    def _inode(self, name: str) -> int | None:
        try:
            return self._folder.status_of(name).st_ino
        except FileNotFoundError:
            return None


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        found: Any = json.loads(line)
        return found if all(isinstance(found[key], str) for key in ("at", "level", "process", "text")) else None
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
