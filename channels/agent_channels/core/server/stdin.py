"""Standard input, line by line.

A host may escape half of a surrogate pair, which can be neither stored nor written. Such halves become U+FFFD.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable, Iterable

from agent_channels.core.text.sanitize import decode_json_line

__all__ = ["LINE_MAX", "LineTooLong", "Source", "StdinLines"]

CHUNK = 64 * 1024
# A message of the host's holds a text, and paths of files; this is far more than any.
LINE_MAX = 16 * 1024 * 1024


class LineTooLong(Exception):
    """A line is longer than `LINE_MAX` bytes; it was dropped, and the next one can be read."""

    def __init__(self) -> None:
        super().__init__(f"a line of more than {LINE_MAX:,} bytes was dropped; a message must be shorter")


class Source:
    """A descriptor read line by line: at first by blocking, later on an event loop, without losing what was read.

    On the loop, a task or a thread that wakes for every line would cost more than most of what is done with the line.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._buffer = bytearray()
        self._searched = 0
        self._ended = False
        # Whether what comes until the next end of a line belongs to one that was too long.
        self._dropping = False
        # An event loop cannot wait for a regular file's end, and on Windows for nothing but a socket.
        self._can_be_awaited = sys.platform != "win32" and not stat.S_ISREG(os.fstat(fd).st_mode)

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

    async def each(self, take: Callable[[bytes], None]) -> None:
        """Call `take` with every line as it comes, on an event loop; return at the end of the stream.

        Raises `LineTooLong`, after which it can be called again, and what `take` raises.
        """
        # Imported here: the handshake comes before anything heavy is imported.
        import asyncio

        import anyio.to_thread

        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def read() -> None:
            if ended.done():
                return
            try:
                self._fill(wait=False)
                if self._take_all(take):
                    ended.set_result(None)
            except Exception as error:  # noqa: BLE001 - raised below
                ended.set_exception(error)

        if self._take_all(take):
            return
        try:
            if self._can_be_awaited:
                loop.add_reader(self.fd, read)
        except OSError:
            # Such as the null device.
            self._can_be_awaited = False
        if not self._can_be_awaited:
            while not self._take_all(take):
                await anyio.to_thread.run_sync(self._fill)
            return
        try:
            await ended
        finally:
            loop.remove_reader(self.fd)

    def _take_all(self, take: Callable[[bytes], None]) -> bool:
        """Call `take` with every line that was read; return whether the stream has ended."""
        while (line := self._next_line()) is not None:
            if not line:
                return True
            take(line)
        return False

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


class StdinLines:
    """The repaired lines of a source, after those that were read before."""

    def __init__(self, source: Source, before: Iterable[bytes] = ()) -> None:
        self._source, self._before = source, list(before)

    async def each(self, take: Callable[[str], None]) -> None:
        """Call `take` with every line as it comes; return at the end. Raises as `Source.each` does."""
        while self._before:
            take(decode_json_line(self._before.pop(0)))
        await self._source.each(lambda line: take(decode_json_line(line)))
