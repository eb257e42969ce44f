"""Call the platform until it works: rate limits are waited for up to a bound, faults are tried again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from agent_channels.core.contract.messages import Place
from agent_channels.core.errors import Migrated, RateLimited, Unavailable

__all__ = ["Retrier", "SendReport"]

T = TypeVar("T")
TRIES = 4


@dataclass(slots=True)
class SendReport:
    """What happened to one send: seconds waited for rate limits, the chat's new id, notes for the tool's result.

    `moved`: the thread that was gone, and where its messages went instead.
    """

    waited_s: float = 0.0
    chat_id: str | None = None
    notes: list[str] = field(default_factory=list)
    moved: tuple[Place, Place] | None = None


class Retrier:
    """Call the platform again after passing faults; `rate_wait_s` is the longest wait for rate limits in one send."""

    def __init__(self, rate_wait_s: float) -> None:
        self._rate_wait_s = rate_wait_s
        self.calls_running = 0

    async def call(self, call: Callable[[], Awaitable[T]], report: SendReport) -> T:
        """Return what `call` returns once it works; `report` learns what happened on the way.

        Raises the platform's error if waiting does not help, or did not help for long enough.
        """
        self.calls_running += 1
        try:
            return await self._try(call, report)
        finally:
            self.calls_running -= 1

    async def _try(self, call: Callable[[], Awaitable[T]], report: SendReport) -> T:
        failures = 0
        while True:
            try:
                return await call()
            except RateLimited as error:
                if report.waited_s + error.retry_after > self._rate_wait_s:
                    msg = f"{error}; the platform asks for {error.retry_after:.0f} s, more than is waited for here"
                    raise RateLimited(msg, error.retry_after) from error
                report.waited_s += error.retry_after
                await anyio.sleep(error.retry_after)
            except Migrated as error:
                if report.chat_id is not None:
                    raise
                report.chat_id = error.new_chat_id
                report.notes.append(f"the chat now has the id {error.new_chat_id}; use it from now on")
            except Unavailable:
                failures += 1
                if failures >= TRIES:
                    raise
                await anyio.sleep(0.25 * 2**failures * random.uniform(0.75, 1.25))  # noqa: S311
