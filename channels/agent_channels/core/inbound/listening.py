"""Listening to a source of events until cancelled: every fault has a state, a pause and a next try."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from agent_channels.core.contract.adapter import EventSink
from agent_channels.core.errors import (
    ChannelError,
    Conflict,
    LeaseLost,
    PlatformError,
    RateLimited,
    StoreError,
    Unauthorized,
    Unavailable,
)
from agent_channels.core.i18n.sentences import words_of
from agent_channels.core.scheduling import Backoff

__all__ = ["Listening", "Source"]

Source = Callable[[EventSink], Awaitable[None]]
"""Reads until something fails, handing raw events to the sink: the platform's `listen`, or that of a hub."""


class Listening:
    """The retries of one source, and the watchdog on its silence."""

    def __init__(
        self, silence_s: float, record_fault: Callable[[str, str], None], record_retry: Callable[[float], None]
    ) -> None:
        """`silence_s`: after so much silence the connection counts as dead.

        `record_fault` gets the state and the sentence of each fault, `record_retry` the seconds until the next try.
        """
        self._silence_s, self._record_fault, self._record_retry = silence_s, record_fault, record_retry
        # The watchdog on the last completed round trip: each one moves its deadline.
        self._watchdog = anyio.CancelScope()
        self._faults = Backoff()
        # Two readers that fight disturb each other more often if they hurry.
        self._conflicts = Backoff(first_s=1.0, cap_s=8.0)
        # A refused token stays refused until somebody acts; the server notices a new one elsewhere.
        self._refusals = Backoff(first_s=5.0, cap_s=30.0, calm_s=300.0)

    def mark_alive(self) -> None:
        """Note that the source answered."""
        self._watchdog.deadline = anyio.current_time() + self._silence_s

    async def listen(self, source: Source, sink: EventSink) -> None:
        """Listen until cancelled. Raises `LeaseLost` when somebody else reads instead."""
        await self.retry(lambda: self._listen(source, sink))

    async def retry(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work until it succeeds. Raises `LeaseLost`."""
        while True:
            try:
                return await work()
            except LeaseLost:
                raise
            except PlatformError as error:
                pause = self._pause(error)
            except StoreError as error:
                pause = self._faults.next()
                self._fault("store", error)
            self._record_retry(pause)
            await anyio.sleep(pause)

    async def _listen(self, source: Source, sink: EventSink) -> None:
        with anyio.move_on_after(self._silence_s) as self._watchdog:
            await source(sink)
        raise Unavailable(f"the platform has been silent for {self._silence_s:.0f} s; connecting again")

    def _pause(self, error: PlatformError) -> float:
        self._fault(_STATES.get(type(error), "unreachable"), error)
        if isinstance(error, RateLimited):
            return max(error.retry_after, self._faults.next())
        if isinstance(error, Conflict):
            return self._conflicts.next()
        if isinstance(error, Unauthorized):
            return self._refusals.next()
        return self._faults.next()

    def _fault(self, state: str, error: ChannelError) -> None:
        self._record_fault(state, words_of(error))


_STATES: dict[type[PlatformError], str] = {
    Unauthorized: "unauthorized",
    Conflict: "conflict",
    RateLimited: "rate limited",
}
