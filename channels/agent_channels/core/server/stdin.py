"""Standard input, line by line.

A host may escape half of a surrogate pair, which can be neither stored nor written. Such halves become U+FFFD.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterable

from agent_channels.core.text.sanitize import decode_json_line

__all__ = ["LINE_MAX", "LineTooLong", "Source", "StdinLines"]

CHUNK = 64 * 1024
# A message of the host's holds a text, and paths of files; this is far more than any.
LINE_MAX = 16 * 1024 * 1024
# Turns of the event loop that what follows from the line before gets first, as far as a request being sent.
TURNS = 2


class LineTooLong(Exception):
    """A line is longer than `LINE_MAX` bytes; it was dropped, and the next one can be read."""

    def __init__(self) -> None:
        super().__init__(f"a line of more than {LINE_MAX:,} bytes was dropped; a message must be shorter")


class Source:
    """A descriptor read line by line: at first by blocking, later on an event loop, without losing what was read.

    On the loop, a thread for every line would cost more than most of what is done with the line.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._buffer = bytearray()
        self._searched = 0
        self._ended = False
        # Whether what comes until the next end of a line belongs to one that was too long.
        self._dropping = False
        # An event loop cannot wait for a regular file's end, and on Windows for nothing but a socket.
        self._awaitable = sys.platform != "win32" and not stat.S_ISREG(os.fstat(fd).st_mode)

    def readline(self) -> bytes:
        """Block until there is a line and return it with its end; at the end of the stream what is left, then b"".

        Raises `LineTooLong`.
        """
        while (line := self._next_line()) is None:
            self._fill()
        return line

    def readline_until(self, stop: int) -> bytes | None:
        """Like `readline`; None as soon as the descriptor `stop` can be read. POSIX only."""
        poll = select.poll()
        for fd in (self.fd, stop):
            poll.register(fd, select.POLLIN)
        while (line := self._next_line()) is None:
            if any(fd == stop for fd, _ in poll.poll()):
                return None
            self._fill(wait=False)
        return line

    async def next(self) -> bytes:
        """Like `readline`, on an event loop."""
        while (line := self._next_line()) is None:
            await self._fill_async()
        return line

    def _next_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._searched) + 1
        if self._dropping:
            del self._buffer[: end or len(self._buffer)]
            self._dropping, self._searched = not end, 0
            if end:
                return self._next_line()
        if not end:
            if len(self._buffer) > LINE_MAX:
                self._buffer.clear()
                self._dropping, self._searched = True, 0
                raise LineTooLong
            self._searched = len(self._buffer)
            if not self._ended:
                return None
            end = len(self._buffer)
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
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
        self._buffer += chunk
        self._ended = not chunk

    async def _fill_async(self) -> None:
        # Imported here: the handshake comes before anything heavy is imported.
        import anyio.lowlevel
        import anyio.to_thread

        if self._awaitable:
            for _ in range(TURNS):
                await anyio.lowlevel.checkpoint()
            try:
                await anyio.wait_readable(self.fd)
            except OSError:
                self._awaitable = False
            else:
                self._fill(wait=False)
                return
        await anyio.to_thread.run_sync(self._fill)


class StdinLines:
    """A source as an asynchronous iterator of repaired lines, beginning with those that were read before."""

    def __init__(self, source: Source, before: Iterable[bytes] = ()) -> None:
        self._source, self._before = source, list(before)

    def __aiter__(self) -> StdinLines:
        return self

    async def __anext__(self) -> str:
        line = self._before.pop(0) if self._before else await self._source.next()
        if not line:
            raise StopAsyncIteration
        return decode_json_line(line)
