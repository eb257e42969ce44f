"""What is written arrives whole and in order, whatever stdout is and however slowly it is read."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from channels.core.stdout import Out

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the SDK writes")
TEXTS = ["short\n", "ü" * 3000 + "\n", "", "x" * 300_000 + "\n", "last\n"]


def pipe(_folder: Path) -> tuple[int, int]:
    reading, writing = os.pipe()
    return reading, writing


def sockets(_folder: Path) -> tuple[int, int]:
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


def file(folder: Path) -> tuple[int, int]:
    path = folder / "out"
    path.touch()
    return os.open(path, os.O_RDONLY), os.open(path, os.O_WRONLY)


def everything(fd: int) -> bytes:
    found = b""
    while more := os.read(fd, 4096):
        found += more
    return found


@pytest.mark.parametrize("kind", [pipe, sockets, file])
async def test_everything_arrives_in_order(kind: Callable[[Path], tuple[int, int]], tmp_path: Path) -> None:
    """A few bytes and more than any pipe holds: with a reader that begins when the pipe is full."""
    reading, writing = kind(tmp_path)
    out, found = Out(writing), []
    reader = threading.Thread(target=lambda: found.append(everything(reading)))
    async with anyio.create_task_group() as group:
        written: list[int] = []

        async def write() -> None:
            for text in TEXTS:
                written.append(await out.write(text))
                await out.flush()

        group.start_soon(write)
        while len(written) < 3:
            await anyio.lowlevel.checkpoint()
        if kind is not file:
            reader.start()
    if kind is file:
        reader.start()
    out.close()
    reader.join(30)
    os.close(reading)
    assert written == [len(text) for text in TEXTS]
    assert found == ["".join(TEXTS).encode()]


@pytest.mark.parametrize("kind", [pipe, sockets])
@pytest.mark.parametrize("size", [1, 1 << 20])
async def test_a_host_that_is_gone_is_an_error(
    kind: Callable[[Path], tuple[int, int]], size: int, tmp_path: Path
) -> None:
    """Nothing is taken for written that nobody can read any more."""
    reading, writing = kind(tmp_path)
    out = Out(writing)
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        await out.write("x" * size)
    out.close()
