"""What is written arrives whole and in order, whatever stdout is and however slowly it is read."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import anyio
import pytest

from agent_channels.core.server.stdout import Stdout
from streams import Kind, file, pipe, sockets

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="what a pipe takes at once is asked of POSIX")
BIG = b"x" * 300_000 + b"\n"
LINES = [b"short\n", "ü".encode() * 3000 + b"\n", b"", BIG, b"last\n"]


def hurried(folder: Path) -> tuple[int, int]:
    """A pipe whose host shares its settings with us."""
    reading, writing = pipe(folder)
    os.set_blocking(writing, False)
    return reading, writing


def everything(fd: int) -> bytes:
    found = b""
    while more := os.read(fd, 4096):
        found += more
    return found


@pytest.mark.parametrize("kind", [pipe, hurried, sockets, file])
async def test_everything_arrives_in_order(kind: Kind, tmp_path: Path) -> None:
    """A few bytes and more than any pipe holds: with a reader that begins when the pipe is full."""
    reading, writing = kind(tmp_path)
    out, found = Stdout(writing), []
    reader = threading.Thread(target=lambda: found.append(everything(reading)))
    async with anyio.create_task_group() as group:
        group.start_soon(out.run)
        written: list[bytes] = []

        async def write(line: bytes) -> None:
            await out.write(line)
            written.append(line)

        async with anyio.create_task_group() as writers:
            for line in LINES:
                writers.start_soon(write, line)
            while len(written) < 3 and kind is not file:
                await anyio.lowlevel.checkpoint()
            if kind is not file:
                reader.start()
        group.cancel_scope.cancel()
    if kind is file:
        reader.start()
    out.close()
    reader.join(30)
    os.close(reading)
    assert written == LINES
    assert found == [b"".join(LINES)]


@pytest.mark.parametrize("kind", [pipe, sockets])
async def test_a_line_that_was_begun_is_ended(kind: Kind, tmp_path: Path) -> None:
    """Whoever writes may be cancelled while the host does not read: half a line would spoil all that follow."""
    reading, writing = kind(tmp_path)
    out, found = Stdout(writing), []
    reader = threading.Thread(target=lambda: found.append(everything(reading)))
    async with anyio.create_task_group() as group:
        group.start_soon(out.run)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as writers:
                for line in (BIG, b"never begun\n"):
                    writers.start_soon(out.write, line)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        async with anyio.create_task_group() as writers:
            writers.start_soon(out.write, b"after\n")
            reader.start()
        group.cancel_scope.cancel()
    out.close()
    reader.join(30)
    os.close(reading)
    assert found == [BIG + b"after\n"]


@pytest.mark.parametrize("kind", [pipe, sockets])
@pytest.mark.parametrize("size", [1, 1 << 20])
async def test_a_host_that_is_gone_is_an_error(kind: Kind, size: int, tmp_path: Path) -> None:
    """Nothing is taken for written that nobody can read any more."""
    reading, writing = kind(tmp_path)
    out = Stdout(writing)
    os.close(reading)
    with pytest.raises(ConnectionError):
        await out.write(b"x" * size)
    out.close()


@pytest.mark.parametrize("kind", [pipe, sockets])
async def test_a_host_that_goes_while_it_is_written_to_is_an_error(kind: Kind, tmp_path: Path) -> None:
    """The same for the rest of a line, which waits for a reader."""
    reading, writing = kind(tmp_path)
    out = Stdout(writing)

    async def lose_it() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(out.run)
            group.start_soon(out.write, BIG)
            await anyio.wait_all_tasks_blocked()
            os.close(reading)

    with pytest.raises(BaseExceptionGroup) as caught:
        await lose_it()
    assert caught.group_contains(ConnectionError)
    out.close()
