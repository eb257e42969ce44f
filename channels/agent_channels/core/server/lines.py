"""Lines between a host and a server, as far as somebody between the two has to understand them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from agent_channels.core.host.protocol import HOOK_TOOL

__all__ = ["ENDS", "HELD_MAX", "REQUESTS", "HostLine", "Lines", "response_to", "sort", "sort_long"]

# A longer line is passed on in pieces as they come; what hosts and this server really write is far shorter.
HELD_MAX = 1024 * 1024
# How much of both ends of such a line is kept, since that is where its id is: the SDKs write it first or last.
ENDS = 4096
_ID = rb'(-?[0-9]{1,30}|"(?:[^"\\]|\\.){0,1000}")'
# A response as this server writes it, and what is certainly none; if neither fits, the line is parsed.
_RESPONSE = re.compile(rb'\{"jsonrpc": ?"2\.0", ?"id": ?' + _ID + rb', ?"(result|error)"')
_NOTIFICATION = re.compile(rb'\{"jsonrpc": ?"2\.0", ?"method"')
_FIRST_ID = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*' + _ID + rb"\s*,")
# Only the whole message can end so: within another object there would be a second brace.
_LAST_ID = re.compile(rb'"id"\s*:\s*' + _ID + rb"\s*\}\s*$")
Kind = Literal["initialize", "initialized", "call", "hook", "question", "cancelled", "other", "piece"]
REQUESTS = ("initialize", "call", "hook", "question")


class HostLine(NamedTuple):
    """A line of the host's, or a piece of a long one. `id`: of the request that it is, or that it cancels."""

    line: bytes
    kind: Kind = "other"
    id: int | str | None = None


class Lines:
    """A stream cut into lines: those of up to `HELD_MAX` bytes whole, longer ones in pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()
        # Whether a piece was handed out of a line whose end did not come yet.
        self.torn = False

    @property
    def unfinished(self) -> bool:
        """Whether the last line has no end yet."""
        return self.torn or bool(self._rest)

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool, bool]]:
        """Yield what is complete: the bytes, whether a line begins with them, whether it ends with them."""
        searched, begin = len(self._rest), 0
        self._rest += data
        while end := self._rest.find(b"\n", max(begin, searched)) + 1:
            first, self.torn = not self.torn, False
            yield bytes(self._rest[begin:end]), first, True
            begin = end
        del self._rest[:begin]
        if self._rest and (self.torn or len(self._rest) > HELD_MAX):
            first, self.torn = not self.torn, True
            piece = bytes(self._rest)
            self._rest.clear()
            yield piece, first, False

    def drop(self) -> None:
        """Forget the line that was begun, since its end will never come."""
        self._rest.clear()
        self.torn = False


def sort(line: bytes) -> HostLine:
    """Return a line of the host's with what it is."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or not isinstance(method := message.get("method"), str):
        return HostLine(line)
    params = message.get("params")
    given = params if isinstance(params, dict) else {}
    request_id = _id(message.get("id"))
    if request_id is None:
        if method == "notifications/initialized":
            return HostLine(line, "initialized")
        cancelled = _id(given.get("requestId")) if method == "notifications/cancelled" else None
        return HostLine(line, "other" if cancelled is None else "cancelled", cancelled)
    if method == "tools/call":
        return HostLine(line, "hook" if given.get("name") == HOOK_TOOL else "call", request_id)
    return HostLine(line, "initialize" if method == "initialize" else "question", request_id)


def sort_long(head: bytes, tail: bytes) -> HostLine:
    """Return what a long line is by its two ends, without the line."""
    found = _LAST_ID.search(tail) or _FIRST_ID.match(head)
    if found is None:
        return HostLine(b"")
    hook = f'"{HOOK_TOOL}"'.encode() in head
    return HostLine(b"", "hook" if hook else "call", _read_id(found.group(1)))


def response_to(line: bytes) -> tuple[int | str | None, bool]:
    """Return the id of the request that a worker's line answers, or None, and whether with a result."""
    if found := _RESPONSE.match(line):
        return _read_id(found.group(1)), found.group(2) == b"result"
    if _NOTIFICATION.match(line):
        return None, False
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None, False
    if not isinstance(message, dict) or "method" in message:
        return None, False
    return _id(message.get("id")), "result" in message


def _id(value: object) -> int | str | None:
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _read_id(data: bytes) -> int | str | None:
    if not data.startswith(b'"'):
        return int(data)
    try:
        return _id(json.loads(data))
    except ValueError:
        return None
