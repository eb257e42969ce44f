"""Who wants to hear at once that something in a state folder was changed: each has a named pipe there.

A process that commits to the database, or replaces a file, writes a byte into the others' pipes. A pipe whose reader is
dead cannot be opened for writing, and is removed. A wake-up may be lost, so a watcher also looks now and then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

__all__ = ["FOLDER", "Watchers"]

FOLDER = ".watchers"
# Windows has no named pipes in folders.
_PIPE = os.O_NONBLOCK | os.O_NOFOLLOW if sys.platform != "win32" else 0
# A folder may change again within one tick of its file system's clock, and its time stay the same: some count seconds.
_TICK_NS = 2_000_000_000
# More names than servers will ever be: no commit is slowed by what else was put there.
_LOOK_AT_MAX = 256


class Watchers:
    """The processes that watch one state folder, other than this one."""

    def __init__(self, state_dir: Path | None) -> None:
        """`state_dir`: None if there is no such folder, and so nobody to wake."""
        self._folder = str(state_dir / FOLDER) if state_dir else ""
        self._own = ""
        self._listed_ns = 0
        self._others: list[str] = []

    @property
    def hears(self) -> bool:
        """Whether others can wake this process now."""
        return bool(self._own)

    def wake(self) -> None:
        """Wake the others; where there are none, that takes one look at a folder."""
        try:
            folder = os.lstat(self._folder)
            changed_ns = folder.st_mtime_ns
            if changed_ns != self._listed_ns:
                self._others = _pipes(self._folder, self._own) if stat.S_ISDIR(folder.st_mode) else []
                self._listed_ns = changed_ns if abs(time.time_ns() - changed_ns) > _TICK_NS else 0
        except OSError:
            return
        for path in self._others:
            _write_to(path)

    @contextlib.contextmanager
    def joined(self) -> Iterator[int | None]:
        """Be woken within this block; yield the pipe to read from, None where there can be no such pipe."""
        name = os.urandom(8).hex()
        path = f"{self._folder}/{name}"
        pipe = None
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                pipe = _make_pipe(self._folder, name)
                self._own = name
        try:
            yield pipe
        finally:
            self._own, self._listed_ns = "", 0
            if pipe is not None:
                os.close(pipe)
                with contextlib.suppress(OSError):
                    os.unlink(path)  # noqa: PTH108


def _pipes(folder: str, own: str) -> list[str]:
    """Return the paths of the pipes in a folder but one's own. Raises OSError."""
    with os.scandir(folder) as found:
        # A pipe whose reader is not there yet has a name that begins with a dot.
        names = [entry for entry in islice(found, _LOOK_AT_MAX) if entry.name[0] != "." and entry.name != own]
    # Nothing else is opened: a socket looks like a pipe whose reader is dead, and would be removed.
    return [entry.path for entry in names if _is_pipe(entry)]


def _is_pipe(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISFIFO(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        # It has just gone.
        return False


def _make_pipe(folder: str, name: str) -> int:
    """Make a named pipe, and return it open for reading. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)  # noqa: PTH102
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise NotADirectoryError(folder)
    draft = f"{folder}/.{name}"
    os.mkfifo(draft, 0o600)
    try:
        # Open for writing too: reading from it never meets an end when another process closes it.
        pipe = os.open(draft, os.O_RDWR | _PIPE)
        try:
            os.rename(draft, f"{folder}/{name}")  # noqa: PTH104
        except OSError:
            os.close(pipe)
            raise
    except OSError:
        os.unlink(draft)  # noqa: PTH108
        raise
    return pipe


def _write_to(path: str) -> None:
    try:
        pipe = os.open(path, os.O_WRONLY | _PIPE)
    except OSError as error:
        if error.errno == errno.ENXIO:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108
        return
    # A full pipe wakes its reader anyway.
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.write(pipe, b"!")
    os.close(pipe)
