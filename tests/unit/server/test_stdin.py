"""What a host writes is read line by line, whatever stdin is and in whatever pieces it comes."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.server.stdin import CHUNK, Source, StdinLines
from agent_channels.core.text.sanitize import decode_json_line
from streams import Kind, file, pipe, sockets


def write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


@pytest.mark.parametrize("kind", [pipe, sockets, file])
async def test_lines_come_in_order_after_those_read_before(kind: Kind, tmp_path: Path) -> None:
    """What the greeting read too far is not lost, nor is a long line, nor the last one without its end."""
    reading, writing = kind(tmp_path)
    long = b"x" * (3 * CHUNK)
    write(writing, b"first\nsecond\n")
    source = Source(reading)
    assert source.readline() == b"first\n"
    # Now there is a line in memory, and later there will be more in the pipe.
    writer = threading.Thread(target=lambda: (write(writing, b"third\n" + long + b"\nlast"), os.close(writing)))
    if kind is file:
        writer.start()
        writer.join()
    found: list[str] = []

    def take(line: str) -> None:
        found.append(line)
        if line == "second\n" and kind is not file:
            writer.start()

    await StdinLines(source, [b"a\n", b"b\n"]).each(take)
    assert found == ["a\n", "b\n", "second\n", "third\n", long.decode() + "\n", "last"]
    writer.join()
    os.close(reading)


@pytest.mark.parametrize("kind", [pipe, sockets])
async def test_a_host_that_says_nothing_holds_up_nobody(kind: Kind, tmp_path: Path) -> None:
    """Waiting for a line leaves the event loop to others, and half a line is none."""
    reading, writing = kind(tmp_path)
    found: list[bytes] = []
    came = anyio.Event()

    def take(line: bytes) -> None:
        found.append(line)
        came.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(Source(reading).each, take)
            for half in (b"ha", b"lf"):
                write(writing, half)
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
                assert found == []
            write(writing, b"\nnext")
            await came.wait()
            assert found == [b"half\n"]
            os.close(writing)
    assert found == [b"half\n", b"next"]
    os.close(reading)


@pytest.mark.parametrize("kind", [pipe, sockets, file])
async def test_what_a_line_leads_to_is_raised_and_the_next_line_comes_all_the_same(kind: Kind, tmp_path: Path) -> None:
    """A line is taken once, whatever became of it."""
    reading, writing = kind(tmp_path)
    write(writing, b"a\nb\nc\n")
    os.close(writing)
    source = Source(reading)
    found: list[bytes] = []

    def take(line: bytes) -> None:
        found.append(line)
        if line == b"b\n":
            raise ValueError(line)

    with pytest.raises(ValueError, match="b"):
        await source.each(take)
    await source.each(take)
    assert found == [b"a\n", b"b\n", b"c\n"]
    os.close(reading)


async def test_the_null_device_ends_at_once() -> None:
    """No event loop waits for it."""
    reading = os.open(os.devnull, os.O_RDONLY)
    found: list[bytes] = []
    with anyio.fail_after(20):
        await Source(reading).each(found.append)
    assert found == []
    os.close(reading)


async def test_reading_that_is_cancelled_leaves_the_rest(tmp_path: Path) -> None:
    """Whoever reads on afterwards has what came meanwhile."""
    reading, writing = pipe(tmp_path)
    source, came = Source(reading), anyio.Event()
    found: list[bytes] = []

    def take(line: bytes) -> None:
        found.append(line)
        came.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(source.each, take)
            write(writing, b"a\nb")
            await came.wait()
            group.cancel_scope.cancel()
        write(writing, b"c\n")
        os.close(writing)
        await source.each(take)
    assert found == [b"a\n", b"bc\n"]
    os.close(reading)


def test_a_descriptor_that_was_made_non_blocking_is_waited_for(tmp_path: Path) -> None:
    """A host may share its end's settings with ours."""
    reading, writing = pipe(tmp_path)
    os.set_blocking(reading, False)
    ready = threading.Event()
    found: list[bytes] = []

    def read() -> None:
        ready.set()
        found.append(Source(reading).readline())

    reader = threading.Thread(target=read)
    reader.start()
    ready.wait(30)
    write(writing, b"line\n")
    reader.join(30)
    assert found == [b"line\n"]
    os.close(reading)
    os.close(writing)


@pytest.mark.skipif(sys.platform == "win32", reason="asked only where descriptors can be polled")
@pytest.mark.parametrize("kind", [pipe, sockets])
def test_reading_can_be_stopped_and_loses_nothing(kind: Kind, tmp_path: Path) -> None:
    """Whole lines come; half a line is kept for whoever reads on; the end of the stream is an empty line."""
    reading, writing = kind(tmp_path)
    stop, stopping = os.pipe()
    source = Source(reading)
    write(writing, b"a\nb")
    assert source.readline_until(stop) == b"a\n"
    os.close(stopping)
    assert source.readline_until(stop) is None
    write(writing, b"c\nd\n")
    assert source.readline() == b"bc\n"
    again, never = os.pipe()
    assert source.readline_until(again) == b"d\n"
    os.close(writing)
    assert source.readline_until(again) == b""
    for fd in (reading, stop, again, never):
        os.close(fd)


@given(st.lists(st.binary(max_size=9)), st.data())
def test_no_cut_changes_a_line(lines: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut up on their way."""
    wanted = [line.replace(b"\n", b"") + b"\n" for line in lines]
    whole = b"".join(wanted)
    reading, writing = os.pipe()
    source = Source(reading)
    found: list[bytes] = []
    left = whole
    while left:
        size = data.draw(st.integers(1, len(left)))
        write(writing, left[:size])
        left = left[size:]
        given = whole[: len(whole) - len(left)]
        if data.draw(st.booleans()) and given.endswith(b"\n") and given != b"".join(found):
            found.append(source.readline())
    os.close(writing)
    while line := source.readline():
        found.append(line)
    os.close(reading)
    assert found == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (r'"\ud83d\ude00"', r'"\ud83d\ude00"'),
        (r'"\ud83d"', r'"\ufffd"'),
        (r'"\ude00x"', r'"\ufffdx"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\ud83d"', r'"\\ud83d"'),
        (r'"\uD83D \u00e9"', r'"\ufffd \u00e9"'),
    ],
)
def test_lone_surrogate_escapes_are_replaced_and_nothing_else(given: str, wanted: str) -> None:
    """A request with half a surrogate pair is still answered; pairs and escaped backslashes stay as they are."""
    assert decode_json_line(given.encode()) == wanted
    json.loads(decode_json_line(given.encode())).encode()
