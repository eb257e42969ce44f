"""Standard input, line by line, mended where JSON would be refused.

A host may escape half of a surrogate pair; the SDK's parser refuses the whole line then, and the request would never be
answered. Such halves become U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    """A stream of bytes as an asynchronous iterator of lines, beginning with those that were read before."""

    def __init__(self, source: BinaryIO, before: Iterable[bytes] = ()) -> None:
        self._source, self._before = source, list(before)

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        if self._before:
            return mended(self._before.pop(0))
        line = await anyio.to_thread.run_sync(self._source.readline)
        if not line:
            raise StopAsyncIteration
        return mended(line)
