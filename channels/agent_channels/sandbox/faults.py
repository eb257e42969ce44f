"""Faults that a fake platform shows on demand. Platform-independent: a rule names a method, a chat and a failure."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from aiohttp import web

__all__ = ["KINDS", "Fault", "FaultKind", "Faults"]

FaultKind: TypeAlias = Literal[
    "error", "html", "flood", "drop_before", "drop_after", "drop_body", "silence", "delay", "slow"
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
# A slow response is sent in this many chunks.
CHUNKS = 64

Execute: TypeAlias = Callable[[], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """One rule. Kinds:

    - `error`: respond with `status` and `body` as JSON, execute nothing
    - `html`: the same with an HTML page, as a gateway in front of the platform would
    - `flood`: respond with the platform's own rate limit error, `retry_after` seconds
    - `drop_before`, `drop_after`: cut the connection before or after executing
    - `drop_body`: execute, then send half of the response
    - `silence`: accept the request and never respond, until the faults are cleared
    - `delay`: wait `seconds`, then execute and respond
    - `slow`: execute, then send the response in small chunks over `seconds`, or at once when the faults are cleared
    """

    kind: FaultKind
    method: str = "*"
    chat: int | str | None = None
    times: int | None = None
    status: int = 500
    body: Mapping[str, Any] | str | None = None
    retry_after: int = 1
    seconds: float = 0.0

    def matches(self, method: str, chat: int | str | None) -> bool:
        """Return True if the rule is not used up and applies to this call; the method is a glob and ignores case."""
        if self.times == 0 or (self.chat is not None and self.chat != chat):
            return False
        return fnmatch.fnmatchcase(method.lower(), self.method.lower())

    @property
    def hides_response(self) -> bool:
        """Whether the bot gets no complete response."""
        return self.kind in {"drop_before", "drop_after", "drop_body", "silence"}


class Faults:
    """The rules of one server, first match wins, plus the state "down"."""

    def __init__(
        self, error_body: Callable[[int], Mapping[str, Any]], rate_limited: Callable[[int], web.StreamResponse]
    ) -> None:
        """Take the platform's own formats.

        `error_body` makes the JSON body of an HTTP status, `rate_limited` the response for a number of seconds.
        """
        self.rules: list[Fault] = []
        self._error_body = error_body
        self._rate_limited = rate_limited
        self._down_until: float | None = None
        self._cleared = asyncio.Event()
        self._open: dict[int, web.Request] = {}

    def add(
        self,
        kind: FaultKind,
        *,
        method: str = "*",
        chat: int | str | None = None,
        times: int | None = None,
        status: int = 500,
        body: Mapping[str, Any] | str | None = None,
        retry_after: int = 1,
        seconds: float = 0.0,
    ) -> Fault:
        """Add a rule for calls whose method matches the glob `method`; it applies `times` times, or until cleared.

        Raises ValueError for an unknown kind.
        """
        if kind not in KINDS:
            raise ValueError(f"no fault kind {kind!r}: use one of {', '.join(KINDS)}")
        fault = Fault(kind, method, chat, times, status, body, retry_after, seconds)
        self.rules.append(fault)
        return fault

    def down(self, seconds: float = math.inf) -> None:
        """Cut every open request and every new one, for this many seconds or until `clear`."""
        self._down_until = time.monotonic() + seconds
        for request in list(self._open.values()):
            _abort(request)

    @property
    def is_down(self) -> bool:
        """Whether new connections are being cut right now."""
        return self._down_until is not None and time.monotonic() < self._down_until

    def clear(self) -> None:
        """Forget all rules, end "down", and cut the requests that a `silence` holds."""
        self.rules.clear()
        self._down_until = None
        self._cleared.set()
        self._cleared = asyncio.Event()

    def take(self, method: str, chat: int | str | None) -> Fault | None:
        """Return the rule for this call and count it as used; None when nothing should fail."""
        for fault in self.rules:
            if fault.matches(method, chat):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    async def guard(self, request: web.Request, respond: Execute) -> web.StreamResponse:
        """Respond to a request unless the server is down; going down cuts the request midway."""
        if self.is_down:
            return _abort(request)
        self._open[id(request)] = request
        try:
            return await respond()
        finally:
            self._open.pop(id(request), None)

    async def apply(self, fault: Fault | None, request: web.Request, execute: Execute) -> web.StreamResponse:
        """Execute a call with its fault, if any, around it."""
        if fault is None:
            return await execute()
        if fault.kind in {"error", "html"}:
            return self._error_response(fault)
        if fault.kind == "flood":
            return self._rate_limited(fault.retry_after)
        if fault.kind == "drop_before":
            return _abort(request)
        if fault.kind == "silence":
            await self._cleared.wait()
            return _abort(request)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            return await execute()
        response = await execute()
        if fault.kind == "slow":
            return await _send_slowly(request, response, fault.seconds, self._cleared)
        if fault.kind == "drop_after":
            return _abort(request)
        return await _send_half(request, response)

    def _error_response(self, fault: Fault) -> web.Response:
        if fault.kind == "html":
            page = fault.body if isinstance(fault.body, str) else f"<html><body><h1>{fault.status}</h1></body></html>"
            return web.Response(status=fault.status, text=page, content_type="text/html")
        body = fault.body if fault.body is not None else self._error_body(fault.status)
        text = body if isinstance(body, str) else json.dumps(body)
        # No charset: discord.py takes "application/json; charset=utf-8" for text.
        return web.Response(status=fault.status, body=text.encode(), headers={"Content-Type": "application/json"})


def _abort(request: web.Request) -> web.Response:
    """Abort the TCP connection; aiohttp needs a response returned, which is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _send_slowly(
    request: web.Request, response: web.StreamResponse, seconds: float, cleared: asyncio.Event
) -> web.StreamResponse:
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes | bytearray):
        return response
    sent = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    sent.content_length = len(body)
    await sent.prepare(request)
    size = max(1, math.ceil(len(body) / CHUNKS))
    for start in range(0, len(body), size):
        await sent.write(bytes(body[start : start + size]))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(cleared.wait(), seconds / CHUNKS)
    await sent.write_eof()
    return sent


async def _send_half(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if not isinstance(response, web.Response):
        # A handler that streams its body has broken it off itself.
        return response
    body = response.body
    whole = bytes(body) if isinstance(body, bytes | bytearray) else b""
    broken = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    broken.content_length = max(len(whole), 2)
    await broken.prepare(request)
    await broken.write(whole[: len(whole) // 2] or b"{")
    if request.transport is not None:
        # close, not abort: abort would discard the half that is still in the buffer.
        request.transport.close()
    return broken
