"""Standard output: what the pipe takes at once is written at once, and only the rest waits in a thread.

Handing every line to a thread, and its flush to another one, costs more than all else that is done to a message.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import sys
from typing import Self

import anyio
import anyio.to_thread

__all__ = ["Stdout"]


class Stdout:
    """A pipe or socket to the host that takes one line after the other; what else it may be is written in a thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        mode = os.fstat(fd).st_mode
        self._socket = socket.socket(fileno=os.dup(fd)) if stat.S_ISSOCK(mode) else None
        self._poll = select.poll() if stat.S_ISFIFO(mode) and sys.platform != "win32" else None
        if self._poll:
            self._poll.register(fd, select.POLLOUT)
        self._turn = anyio.Lock(fast_acquire=True)
        self._rest = memoryview(b"")
        self._wanted, self._gone = anyio.Event(), anyio.Event()

    @classmethod
    def claimed(cls) -> Self:
        """The process's own; what anybody prints from now on goes to stderr."""
        private = os.dup(1)
        try:
            os.dup2(2, 1)
        except OSError:
            # There is no stderr.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.close(null)
        if sys.platform == "win32":
            # What a child inherits there is not the descriptor. An older SDK does not know of it.
            with contextlib.suppress(ImportError):
                from mcp.os.win32.utilities import rebind_std_handle_to_fd

                rebind_std_handle_to_fd(1)
        return cls(private)

    @property
    def stuck(self) -> bool:
        """Whether something waits for a host that does not read."""
        return bool(self._rest)

    async def write(self, data: bytes) -> None:
        """Writes all of it, whatever becomes of the caller, after what was written before.

        Raises ConnectionError when the host is gone.
        """
        if not (self._rest or self._turn.locked()):
            whole = self._begun(data)
        else:
            async with self._turn:
                if self._rest:
                    await self._gone.wait()
                whole = self._begun(data)
        if not whole:
            await self._gone.wait()

    def _begun(self, data: bytes) -> bool:
        """Whether all of it went at once. Else the rest goes before anything, even if its writer is cancelled now."""
        done = self._at_once(memoryview(data))
        if done < len(data):
            self._rest, self._gone = memoryview(data)[done:], anyio.Event()
            self._wanted.set()
        return done == len(data)

    async def run(self) -> None:
        """Writes, until cancelled, what did not go at once. Raises ConnectionError when the host is gone."""
        while True:
            await self._wanted.wait()
            self._wanted = anyio.Event()
            await anyio.to_thread.run_sync(self._to_the_end, self._rest)
            self._rest = memoryview(b"")
            self._gone.set()

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
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                # The host made its end of the descriptor non-blocking, and with it ours.
                select.select([], [self._fd], [])
