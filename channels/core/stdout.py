"""Standard output: what the pipe takes at once is written at once, and only the rest waits in a thread.

Handing every line to a thread, and its flush to another one, costs more than all else that is done to a message.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
from typing import Self

import anyio.to_thread

__all__ = ["Out"]


class Out:
    """A pipe or socket to the host that takes text; what else it may be is written to in threads."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        mode = os.fstat(fd).st_mode
        self._socket = socket.socket(fileno=os.dup(fd)) if stat.S_ISSOCK(mode) else None
        self._poll = select.poll() if stat.S_ISFIFO(mode) else None
        if self._poll:
            self._poll.register(fd, select.POLLOUT)

    @classmethod
    def claimed(cls) -> Self | None:
        """The process's own; what anybody prints from now on goes to stderr. None where that is left to the SDK."""
        if sys.platform == "win32":
            return None
        private = os.dup(1)
        try:
            os.dup2(2, 1)
        except OSError:
            # There is no stderr.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.close(null)
        return cls(private)

    async def write(self, text: str) -> int:
        """Writes all of a text. Raises BrokenPipeError when the host is gone."""
        data = text.encode()
        done = self._at_once(memoryview(data))
        if done < len(data):
            await anyio.to_thread.run_sync(self._to_the_end, memoryview(data)[done:])
        return len(text)

    async def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Closes it, which is for those who write no more: a thread may still block on it at a process's end."""
        if self._socket:
            self._socket.close()
        os.close(self._fd)

    def _at_once(self, data: memoryview) -> int:
        """How much could be written without waiting."""
        done = 0
        try:
            if self._socket:
                while done < len(data):
                    done += self._socket.send(data[done:], socket.MSG_DONTWAIT)
            elif self._poll:
                # A pipe that is ready takes so much without blocking: select.PIPE_BUF in Python's documentation.
                while done < len(data) and self._poll.poll(0):
                    done += os.write(self._fd, data[done : done + select.PIPE_BUF])
        except BlockingIOError:
            pass
        return done

    def _to_the_end(self, data: memoryview) -> None:
        while data:
            data = data[os.write(self._fd, data) :]
