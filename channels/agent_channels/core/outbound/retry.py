"""Calling the platform until it works: rate limits are waited for inside a bound, faults tried again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from agent_channels.core.errors import Migrated, RateLimited, Unavailable

__all__ = ["Retrier", "SendReport"]

T = TypeVar("T")
TRIES = 4


@dataclass(slots=True)
class SendReport:
    """How long the platform made one send wait, where its chat went, and what the result has to say of it."""

    seconds: float = 0.0
    chat_id: str | None = None
    notes: list[str] = field(default_factory=list)


class Retrier:
    """The calls under way, and the longest wait for rate limits in one of them."""

    def __init__(self, rate_wait_s: float) -> None:
        self._rate_wait_s = rate_wait_s
        self.calls = 0

    async def call(self, call: Callable[[], Awaitable[T]], waiting: SendReport) -> T:
        """Calls until it works; `waiting` learns what happened on the way.

        Raises the platform's error when it is none to wait for, or was waited for long enough.
        """
        self.calls += 1
        try:
            return await self._tried(call, waiting)
        finally:
            self.calls -= 1

    async def _tried(self, call: Callable[[], Awaitable[T]], waiting: SendReport) -> T:
        failures = 0
        while True:
            try:
                return await call()
            except RateLimited as error:
                if waiting.seconds + error.retry_after > self._rate_wait_s:
                    msg = f"{error}; the platform asks for {error.retry_after:.0f} s, more than is waited for here"
                    raise RateLimited(msg, error.retry_after) from error
                waiting.seconds += error.retry_after
                await anyio.sleep(error.retry_after)
            except Migrated as error:
                if waiting.chat_id is not None:
                    raise
                waiting.chat_id = error.new_chat_id
                waiting.notes.append(f"the chat now has the id {error.new_chat_id}; use it from now on")
            except Unavailable:
                failures += 1
                if failures >= TRIES:
                    raise
                await anyio.sleep(0.25 * 2**failures * random.uniform(0.75, 1.25))  # noqa: S311
