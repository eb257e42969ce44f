"""The host session's own inbox socket: what is posted there wakes an idle session, without any flag.

Two JSON lines: who we are, then what a person said, as the `<channel ...>` block that a push would show. No answer
comes back, so what was posted counts as offered, never as seen. Only the socket of the session that started this
process is used. Qwen Code has the same, under other names.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from agent_channels.core.errors import Ambiguous, Unavailable
from agent_channels.core.host.frames import channel_blocks
from agent_channels.core.host.inbox_address import InboxAddress, inbox_address
from agent_channels.core.journal.entry import Entry
from agent_channels.core.log import redact_tokens

__all__ = ["InboxSocket", "open_socket", "post_text"]

# The host takes about 1 MB a message; a post stays well below that.
MESSAGE_MAX = 256 * 1024
# The host queues at most 50; after this many, posting waits until the agent has done something.
QUEUED_MAX = 20
SEND_WITHIN_S = 5.0
# The most that is read of a line that comes back.
LINE_MAX = 1 << 20
# Qwen Code drops, without a word, what goes beyond 30 posts at once and one more every two seconds.
BURST_MAX, REFILL_S = 28, 2.0


class InboxSocket:
    """One connection to our session's socket, opened when first needed and kept open, so that order is kept."""

    def __init__(self, address: InboxAddress) -> None:
        self.path, self._address = address.path, address
        self._writer: asyncio.StreamWriter | None = None
        self._queued = 0
        # How many posts the host takes at once, and since when that many.
        self._allowed, self._counted_at = float(BURST_MAX), time.monotonic()

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> InboxSocket | None:
        """Return the socket of the session that started this process, or None if the host has none."""
        address = inbox_address(environ)
        return cls(address) if address else None

    @property
    def queued(self) -> int:
        """How many posts the agent has not reacted to."""
        return self._queued

    @property
    def full(self) -> bool:
        """Whether so many posts wait that the host may drop further ones."""
        return self._queued >= QUEUED_MAX

    def pause_s(self) -> float:
        """Return how long to wait before the next post, so that the host drops none."""
        now = time.monotonic()
        self._allowed = min(float(BURST_MAX), self._allowed + (now - self._counted_at) / REFILL_S)
        self._counted_at = now
        return max(0.0, (1.0 - self._allowed) * REFILL_S)

    def count_post(self) -> None:
        """Note that the host has one more post."""
        self._queued += 1
        self._allowed -= 1

    def mark_agent_active(self) -> None:
        """Note that the agent did something: what was posted before has left the host's queue."""
        self._queued = 0

    @staticmethod
    def count_fitting(entries: Sequence[Entry]) -> int:
        """Return how many of the entries, from the first on, one post takes: at least one."""
        size, count = 0, 0
        for entry in entries:
            size += 2 * len(entry.content) + sum(map(len, entry.meta.values())) + 500
            if count and size > MESSAGE_MAX:
                break
            count += 1
        return count

    async def post(self, source: str, entries: Sequence[Entry]) -> None:
        """Post entries as one message, in order.

        Raises `Unavailable` if the socket cannot be reached, `Ambiguous` if it was closed or not read and the host may
        have a part of the post.
        """
        line = self._address.message(redact_tokens(channel_blocks(source, entries)))
        # A connection kept open from before may have been closed since, which says nothing about the socket.
        tries = 2 if self._writer is not None else 1
        reached = False
        try:
            with anyio.fail_after(SEND_WITHIN_S):
                while True:
                    try:
                        await self._send(line)
                        break
                    except OSError:
                        tries -= 1
                        reached = reached or self._writer is not None
                        await self.aclose()
                        if not tries:
                            raise
        except (OSError, TimeoutError) as error:
            reached = reached or self._writer is not None
            await self.aclose()
            kind = Ambiguous if reached else Unavailable
            raise kind(f"the session's inbox socket does not take messages ({error!r})") from error
        self.count_post()

    async def _send(self, line: Mapping[str, object]) -> None:
        if self._writer is not None and self._writer.is_closing():
            await self.aclose()
        if self._writer is None:
            self._writer = await self._connect()
            if auth := self._address.auth():
                self._write(auth)
        self._write(line)
        await self._writer.drain()

    def _write(self, line: Mapping[str, object]) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(line).encode() + b"\n")

    async def _connect(self) -> asyncio.StreamWriter:
        reader, writer = await open_socket(self.path)
        del reader
        return writer

    async def aclose(self) -> None:
        """Close the connection; the next post opens a new one."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def post_text(address: InboxAddress, text: str) -> bool:
    """Post a text as one message, from a process that has no event loop; return False if the socket cannot be reached.

    What a host refuses is not told.
    """
    lines = [line for line in (address.auth(), address.message(redact_tokens(text))) if line]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    try:
        if os.name == "nt":
            with Path(address.path).open("r+b", buffering=0) as pipe:
                pipe.write(data)
        else:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(SEND_WITHIN_S)
                connection.connect(address.path)
                connection.sendall(data)
    except OSError:
        return False
    return True


async def open_socket(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a session's socket; a Windows named pipe is a stream too. Raises OSError."""
    if os.name != "nt":
        return await asyncio.open_unix_connection(path, limit=LINE_MAX)
    # Only the proactor event loop has the method.
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_MAX, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    connect = loop.create_pipe_connection  # type: ignore[attr-defined]
    transport, _ = await connect(lambda: protocol, path)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
