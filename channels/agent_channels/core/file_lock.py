"""A lock on a file, which the kernel frees when its process ends, however that ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

__all__ = ["lock_file"]


def lock_file(path: Path) -> Callable[[], object] | None:
    """Lock a file, which is made if there is none; return what unlocks it, None if it is locked already.

    Raises `OSError`, and `NotImplementedError` where there are no such locks.
    """
    if sys.platform == "win32":
        from filelock import FileLock, Timeout

        lock = FileLock(str(path), timeout=0, mode=0o600, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock.release
    # That library does the same here. It would take a twentieth of a server's start, and a quarter of the memory of the
    # hook that waits all day.
    import fcntl

    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in {errno.EACCES, errno.EAGAIN}:
                return None
            raise
        if os.fstat(descriptor).st_nlink:
            return partial(_unlock, descriptor)
        # It was removed meanwhile, and others lock the one in its place.
        os.close(descriptor)


def _unlock(descriptor: int) -> None:
    import fcntl

    # A program that was started meanwhile may have the descriptor too.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
