"""Standard input, line by line, mended where JSON would be refused.

A host may escape half of a surrogate pair; the SDK's parser refuses the whole line then, and the request would never be
answered. Such halves become U+FFFD.
"""

from __future__ import annotations

import os
import re
import sys
from typing import BinaryIO

import anyio.to_thread

__all__ = ["Lines", "mended"]

_ESCAPE = re.compile(
    rb"\\(?:u(?P<high>d[89ab][0-9a-f]{2})(?P<low>\\ud[c-f][0-9a-f]{2})?|u(?P<lone>d[c-f][0-9a-f]{2})|.)",
    re.IGNORECASE | re.DOTALL,
)


def mended(line: bytes) -> str:
    """A line of JSON whose lone surrogate escapes are replaced; other escapes, and bytes, stay as they are."""
    if b"\\ud" in line or b"\\uD" in line or b"\\Ud" in line:
        line = _ESCAPE.sub(_mend, line)
    return line.decode("utf-8", "replace")


def _mend(match: re.Match[bytes]) -> bytes:
    lone = match["lone"] or (match["high"] and not match["low"])
    return rb"\ufffd" if lone else match[0]


class Lines:
    """The process's standard input as an asynchronous iterator of lines.

    The descriptor itself is pointed at the null device, so that a child process never reads the host's messages.
    """

    def __init__(self, source: BinaryIO | None = None) -> None:
        self._source = source or _claimed()

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        line = await anyio.to_thread.run_sync(self._source.readline)
        if not line:
            raise StopAsyncIteration
        return mended(line)


def _claimed() -> BinaryIO:
    if sys.platform == "win32":
        return sys.stdin.buffer
    private = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return os.fdopen(private, "rb", closefd=False)
