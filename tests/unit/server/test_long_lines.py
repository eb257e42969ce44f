"""A host that writes without an end of a line costs a bounded amount of memory, and is told once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agent_channels.core.server.stdin import CHUNK, LINE_MAX, LineTooLong, Source
from streams import Kind, pipe, sockets


@pytest.mark.parametrize("kind", [pipe, sockets])
@pytest.mark.parametrize("blocking", [True, False])
async def test_a_line_without_an_end_is_dropped_once(kind: Kind, blocking: bool, tmp_path: Path) -> None:
    """One error, then the next line; no more than the limit is ever kept."""
    reading, writing = kind(tmp_path)
    source = Source(reading)

    def write() -> None:
        for data in (b"first\n", *[b"x" * CHUNK] * (3 * LINE_MAX // CHUNK), b"\nsecond\nlast"):
            rest = data
            while rest:
                rest = rest[os.write(writing, rest) :]
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    found: list[bytes | None] = []

    def take(line: bytes) -> None:
        found.append(line)
        assert len(source._buffer) <= LINE_MAX + CHUNK

    ended = False
    while not ended:
        try:
            if blocking:
                while line := source.readline():
                    take(line)
            else:
                await source.each(take)
            ended = True
        except LineTooLong:
            assert len(source._buffer) <= LINE_MAX + CHUNK
            found.append(None)
    assert found == [b"first\n", None, b"second\n", b"last"]
    writer.join()
    os.close(reading)
