"""What a descriptor takes at once: writing to a host that may not read, without waiting for it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import sys

__all__ = ["Output"]


class Output:
    """The writing end of a pipe or socket. `waitable` is False for anything else, such as a file or a terminal."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        mode = os.fstat(fd).st_mode
        self._socket = socket.socket(fileno=os.dup(fd)) if stat.S_ISSOCK(mode) else None
        self._poll = select.poll() if stat.S_ISFIFO(mode) and sys.platform != "win32" else None
        if self._poll:
            self._poll.register(fd, select.POLLOUT)

    @property
    def waitable(self) -> bool:
        """Whether a poll tells when it takes more, and when nobody reads it any more."""
        return bool(self._poll or self._socket)

    def write_now(self, data: memoryview) -> int:
        """Write without waiting; return how much was written: 0 if it is not waitable.

        Raises `ConnectionError` if nobody reads it any more.
        """
        written = 0
        with contextlib.suppress(BlockingIOError):
            if self._socket:
                while written < len(data):
                    written += self._socket.send(data[written:], socket.MSG_DONTWAIT)
            elif self._poll:
                # A pipe that is ready takes this much without blocking: select.PIPE_BUF in Python's documentation.
                while written < len(data) and self._poll.poll(0):
                    written += os.write(self.fd, data[written : written + select.PIPE_BUF])
        return written

    def close(self) -> None:
        """Close it."""
        if self._socket:
            self._socket.close()
        os.close(self.fd)
