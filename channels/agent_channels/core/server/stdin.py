"""Standard input, line by line, mended where JSON would be refused.

A host may escape half of a surrogate pair; the SDK's parser refuses the whole line then, and the request would never be
answered. Such halves become U+FFFD.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterable

from agent_channels.core.text.sanitize import decode_json_line

__all__ = [
    "Source",
    "StdinLines",
]

CHUNK = 64 * 1024
TURNS = 2


class Source:
    """A descriptor that is read line by line: first by waiting, later on an event loop, without losing what was read.

    A thread for every line would cost more than most of what is done with it.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._kept = bytearray()
        self._searched = 0
        self._ended = False
        # An event loop cannot wait for a regular file's end, and on Windows for nothing but a socket.
        self._awaited = sys.platform != "win32" and not stat.S_ISREG(os.fstat(fd).st_mode)

    def readline(self) -> bytes:
        """The next line with its end; at the end of the stream what is left, then nothing. Waits for it."""
        while (line := self._line()) is None:
            self._fill()
        return line

    async def next(self) -> bytes:
        """As `readline`, on an event loop."""
        while (line := self._line()) is None:
            await self._filled()
        return line

    def exhausted(self) -> bool:
        """Whether everything that came was given out. POSIX only."""
        import fcntl
        import termios

        waiting = fcntl.ioctl(self.fd, termios.FIONREAD, bytes(4))
        return not self._kept and not int.from_bytes(waiting, sys.byteorder)

    def _line(self) -> bytes | None:
        end = self._kept.find(b"\n", self._searched) + 1
        if not end:
            self._searched = len(self._kept)
            if not self._ended:
                return None
            end = len(self._kept)
        line = bytes(self._kept[:end])
        del self._kept[:end]
        self._searched = 0
        return line

    def _fill(self, *, wait: bool = True) -> None:
        try:
            chunk = os.read(self.fd, CHUNK)
        except BlockingIOError:
            # The host made its end of the descriptor non-blocking, and with it ours.
            if wait:
                select.select([self.fd], [], [])
            return
        self._kept += chunk
        self._ended = not chunk

    async def _filled(self) -> None:
        # Here, for the greeting comes before anything heavy is imported.
        import anyio.lowlevel
        import anyio.to_thread

        if self._awaited:
            # What follows from the line before goes first, as far as a request that is on its way.
            for _ in range(TURNS):
                await anyio.lowlevel.checkpoint()
            try:
                await anyio.wait_readable(self.fd)
            except OSError:
                self._awaited = False
            else:
                self._fill(wait=False)
                return
        await anyio.to_thread.run_sync(self._fill)


class StdinLines:
    """A source as an asynchronous iterator of mended lines, beginning with those that were read before."""

    def __init__(self, source: Source, before: Iterable[bytes] = ()) -> None:
        self._source, self._before = source, list(before)

    def __aiter__(self) -> StdinLines:
        return self

    async def __anext__(self) -> str:
        line = self._before.pop(0) if self._before else await self._source.next()
        if not line:
            raise StopAsyncIteration
        return decode_json_line(line)
