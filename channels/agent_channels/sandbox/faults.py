"""Faults a sandbox server can be told to have. Knows no platform: a rule names a method, a chat and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aiohttp import web

__all__ = ["KINDS", "Fault", "FaultKind", "Faults"]

FaultKind: TypeAlias = Literal[
    "error", "html", "flood", "drop_before", "drop_after", "drop_body", "silence", "delay", "slow"
]
KINDS: tuple[FaultKind, ...] = (
    "error",
    "html",
    "flood",
    "drop_before",
    "drop_after",
    "drop_body",
    "silence",
    "delay",
    "slow",
)
PIECES = 64

Answer: TypeAlias = Callable[[], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """One rule. Kinds:

    `error` answers `status` with `body` as JSON and executes nothing; `html` the same with a web page, as a gateway
    does; `flood` answers through the platform's own "slow down" with `retry_after` seconds; `drop_before` and
    `drop_after` cut the connection before or after executing; `drop_body` executes, then sends half of the answer;
    `silence` accepts and never answers; `delay` waits `seconds`, then executes and answers; `slow` executes and sends
    the answer in small pieces, for so many seconds or until cleared.
    """

    kind: FaultKind
    method: str = "*"
    chat: int | None = None
    times: int | None = None
    status: int = 500
    body: Mapping[str, Any] | str | None = None
    retry_after: int = 1
    seconds: float = 0.0

    def matches(self, method: str, chat: int | None) -> bool:
        """Whether the rule is still live and names this call; the glob ignores case."""
        if self.times == 0 or (self.chat is not None and self.chat != chat):
            return False
        return fnmatch.fnmatchcase(method.lower(), self.method.lower())


class Faults:
    """The rules of one server, first match wins, plus the state "down"."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._down_until: float | None = None
        self._cleared = asyncio.Event()
        self._open: dict[int, web.Request] = {}

    def add(
        self,
        kind: FaultKind,
        *,
        method: str = "*",
        chat: int | None = None,
        times: int | None = None,
        status: int = 500,
        body: Mapping[str, Any] | str | None = None,
        retry_after: int = 1,
        seconds: float = 0.0,
    ) -> Fault:
        """Adds a rule for calls whose name matches the glob `method`; `times` None means until cleared.

        Raises ValueError for an unknown kind.
        """
        if kind not in KINDS:
            raise ValueError(f"no fault kind {kind!r}: use one of {', '.join(KINDS)}")
        fault = Fault(kind, method, chat, times, status, body, retry_after, seconds)
        self.rules.append(fault)
        return fault

    def down(self, seconds: float = math.inf) -> None:
        """Cuts every open request and every new one, for so many seconds or until `clear`."""
        self._down_until = time.monotonic() + seconds
        for request in list(self._open.values()):
            cut(request)

    @property
    def is_down(self) -> bool:
        """Whether new connections are being cut right now."""
        return self._down_until is not None and time.monotonic() < self._down_until

    def clear(self) -> None:
        """Forgets all rules, ends "down", and cuts what was kept in silence."""
        self.rules.clear()
        self._down_until = None
        self._cleared.set()
        self._cleared = asyncio.Event()

    def take(self, method: str, chat: int | None) -> Fault | None:
        """The rule for this call, counted as used once; None when nothing is to go wrong."""
        for fault in self.rules:
            if fault.matches(method, chat):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    async def guard(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Answers a request unless the server is down; going down cuts it half way."""
        if self.is_down:
            return cut(request)
        self._open[id(request)] = request
        try:
            return await answer()
        finally:
            self._open.pop(id(request), None)

    async def run(
        self, fault: Fault | None, request: web.Request, execute: Answer, flood: Answer
    ) -> web.StreamResponse:
        """Carries a rule out around `execute`; `flood` makes the platform's own 429."""
        if fault is None:
            return await execute()
        if fault.kind in {"error", "html"}:
            return _refusal(fault)
        if fault.kind == "flood":
            return await flood()
        if fault.kind == "drop_before":
            return cut(request)
        if fault.kind == "silence":
            await self._cleared.wait()
            return cut(request)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            return await execute()
        response = await execute()
        if fault.kind == "slow":
            return await _trickled(request, response, fault.seconds, self._cleared)
        if fault.kind == "drop_after":
            return cut(request)
        return await _half(request, response)


def cut(request: web.Request) -> web.Response:
    """Aborts the TCP connection; the returned response is what aiohttp wants and never arrives."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _refusal(fault: Fault) -> web.Response:
    if fault.kind == "html":
        page = fault.body if isinstance(fault.body, str) else f"<html><body><h1>{fault.status}</h1></body></html>"
        return web.Response(status=fault.status, text=page, content_type="text/html")
    body = fault.body
    if body is None:
        body = {"ok": False, "error_code": fault.status, "description": "Internal Server Error"}
    text = body if isinstance(body, str) else json.dumps(body)
    return web.Response(status=fault.status, text=text, content_type="application/json")


async def _trickled(
    request: web.Request, response: web.StreamResponse, seconds: float, cleared: asyncio.Event
) -> web.StreamResponse:
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes | bytearray):
        return response
    sent = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    sent.content_length = len(body)
    await sent.prepare(request)
    size = max(1, -(-len(body) // PIECES))
    for start in range(0, len(body), size):
        await sent.write(bytes(body[start : start + size]))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(cleared.wait(), seconds / PIECES)
    await sent.write_eof()
    return sent


async def _half(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if not isinstance(response, web.Response):
        # streamed by the server itself, which broke it off already
        return response
    body = response.body
    whole = bytes(body) if isinstance(body, bytes | bytearray) else b""
    broken = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    broken.content_length = max(len(whole), 2)
    await broken.prepare(request)
    await broken.write(whole[: len(whole) // 2] or b"{")
    if request.transport is not None:
        # close, not abort: abort would throw away the half that is still in the buffer
        request.transport.close()
    return broken
