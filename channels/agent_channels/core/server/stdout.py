"""Standard output: what the pipe takes at once is written at once, and only the rest waits in a thread.

Handing every line to a thread, and its flush to another one, costs more than everything else done to a message.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from typing import Self

import anyio
import anyio.to_thread

from agent_channels.core.server.exit import leave
from agent_channels.core.server.output import Output

__all__ = ["Stdout"]

# Of the Windows API, as an unsigned number.
_STD_OUTPUT_HANDLE = 0xFFFFFFF5


class Stdout:
    """A pipe or socket to the host that takes one line after the other; anything else is written to in a thread."""

    def __init__(self, fd: int) -> None:
        self._fd, self._output = fd, Output(fd)
        self._turn = anyio.Lock(fast_acquire=True)
        # What did not fit into the pipe yet, when there is some, and when it is gone.
        self._rest = memoryview(b"")
        self._rest_added, self._rest_gone = anyio.Event(), anyio.Event()

    @classmethod
    def claimed(cls) -> Self:
        """Take the process's standard output; whatever anybody prints from now on goes to stderr."""
        private = os.dup(1)
        try:
            os.dup2(2, 1)
        except OSError:
            # There is no stderr.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.close(null)
        if sys.platform == "win32":
            # What a child inherits there is not the descriptor, but this handle.
            import ctypes
            import msvcrt

            ctypes.windll.kernel32.SetStdHandle(_STD_OUTPUT_HANDLE, ctypes.c_void_p(msvcrt.get_osfhandle(1)))
        return cls(private)

    @property
    def stuck(self) -> bool:
        """Whether something waits for a host that does not read."""
        return bool(self._rest)

    async def write(self, data: bytes) -> None:
        """Write all of it after what was written before, even if the caller is cancelled.

        Raises `ConnectionError` if the host is gone.
        """
        if not (self._rest or self._turn.locked()):
            complete = self._begin(data)
        else:
            async with self._turn:
                if self._rest:
                    await self._rest_gone.wait()
                complete = self._begin(data)
        if not complete:
            await self._rest_gone.wait()

    def write_now(self, data: bytes) -> bool:
        """Write what fits, and let `run` write the rest; return False, with nothing done, if something waits before it.

        Raises `ConnectionError` if the host is gone.
        """
        if self._rest or self._turn.locked():
            return False
        self._begin(data)
        return True

    def _begin(self, data: bytes) -> bool:
        """Write what the pipe takes; the rest goes before anything else, even if its writer is cancelled now."""
        written = self._output.write_now(memoryview(data))
        if written < len(data):
            self._rest, self._rest_gone = memoryview(data)[written:], anyio.Event()
            self._rest_added.set()
        return written == len(data)

    async def run(self) -> None:
        """Write what did not fit at once, until cancelled. Raises `ConnectionError` if the host is gone."""
        while True:
            await self._rest_added.wait()
            self._rest_added = anyio.Event()
            await anyio.to_thread.run_sync(self._write_blocking, self._rest)
            self._rest = memoryview(b"")
            self._rest_gone.set()

    def leave_at_hangup(self) -> None:
        """End the process once the host closes its end, even if it left ours open to write to us: nobody reads us."""
        if self._output.waitable and sys.platform != "win32":
            poll = select.poll()
            # No event is asked for: only a hang-up or an error is reported.
            poll.register(self._fd, 0)

            def wait() -> None:
                poll.poll()
                leave()

            threading.Thread(target=wait, daemon=True, name="stdout").start()

    def close(self) -> None:
        """Close it. The server never does: at the end of the process a thread may still block on it."""
        self._output.close()

    def _write_blocking(self, data: memoryview) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                # The host made its end of the descriptor non-blocking, and with it ours.
                select.select([], [self._fd], [])
