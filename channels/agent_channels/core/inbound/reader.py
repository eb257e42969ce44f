"""Reading the platform for ever: journal first, then acknowledge; every fault has a name, a pause and a next try."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
import anyio.lowlevel

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import (
    ChannelError,
    Conflict,
    PlatformError,
    RateLimited,
    StoreError,
    Unauthorized,
    Unavailable,
)
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact
from agent_channels.core.people.access import Access
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.store.health import Health

__all__ = ["Reader"]

logger = logging.getLogger(__name__)
# More turns of the event loop than lead to the host. They go first: a flush to disk beside them would slow both.
TURNS = 6


class Reader:
    """The one reader of a bot, and the `Sink` its adapter writes into."""

    def __init__(
        self,
        adapter: Adapter,
        bot_id: str,
        inbox: Inbox,
        health: Health,
        arrived: Wakeup,
        take: Callable[[Callable[[], int]], bool],
        silence_s: float,
    ) -> None:
        """`take` journals and sorts at once; where that fails, `arrived` rings for what was journalled alone.

        `silence_s`: how long the platform may stay silent before the connection is taken for dead.
        """
        self._adapter, self._bot_id, self._inbox, self._health = adapter, bot_id, inbox, health
        self._arrived, self._take, self._silence_s = arrived, take, silence_s
        self._access = Access(inbox.store)
        # The watchdog on the last completed round trip: each one moves its deadline.
        self._patience = anyio.CancelScope()
        self._faults = Backoff()
        # Two readers that fight only disturb each other more often when they hurry.
        self._conflicts = Backoff(first_s=1.0, cap_s=8.0)
        # A refused token stays refused until somebody acts; a new one is noticed at once, elsewhere.
        self._refusals = Backoff(first_s=5.0, cap_s=30.0, calm_s=300.0)

    # ---- Sink

    async def put(self, events: Sequence[RawEvent], marks: Mapping[str, str | None] | None = None) -> None:
        """Journals a batch and returns when it is on disk; the host may be told meanwhile."""
        journalled, known = False, self._health.reading
        if events and not known:
            self.mark_alive()

        def journal() -> int:
            nonlocal journalled
            new = self._inbox.put(self._bot_id, events, marks)
            journalled = True
            return new

        try:
            came = self._take(journal)
        except StoreError as error:
            if not journalled:
                raise
            logger.warning("what came is sorted later: %s", error)
            came = bool(journal())
            self._arrived.set()
        for _ in range(TURNS if came else 0):
            await anyio.lowlevel.checkpoint()
        if events and known:
            self.mark_alive()
        await self._inbox.store.sync()

    def cursors(self) -> Mapping[str, str]:
        """The adapter's notes."""
        return self._inbox.cursors(self._bot_id)

    def enabled_since(self) -> Mapping[str, float]:
        """What the gate would let through, by chat."""
        return self._access.heard_from()

    def mark_alive(self) -> None:
        """The platform answered."""
        self._patience.deadline = anyio.current_time() + self._silence_s
        self._health.heard()

    def add_note(self, text: str) -> None:
        """Something the operator should know."""
        logger.warning("%s", text)
        self._health.note(text)

    # ---- the loop

    async def identify(self) -> None:
        """Asks who the bot is until the platform says it: mentions and replies cannot be told without."""
        self._health.state("connecting", "")
        await self._until_done(self._identify)

    async def run(self) -> None:
        """Reads until cancelled."""
        await self._until_done(self._listen)

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except PlatformError as error:
                pause = self._pause(error)
            except StoreError as error:
                pause = self._faults.next()
                self._log("store", error)
            self._health.retry_in(pause)
            await anyio.sleep(pause)

    async def _identify(self) -> None:
        identity = await self._adapter.identify()
        self._health.bot(identity.id, identity.username)

    def _pause(self, error: PlatformError) -> float:
        self._log(_STATES.get(type(error), "unreachable"), error)
        if isinstance(error, RateLimited):
            return max(error.retry_after, self._faults.next())
        if isinstance(error, Conflict):
            return self._conflicts.next()
        if isinstance(error, Unauthorized):
            return self._refusals.next()
        return self._faults.next()

    def _log(self, state: str, error: ChannelError) -> None:
        text = redact(str(error))
        if self._health.state(state, text):
            logger.warning("reading failed (%s): %s", state, text)

    async def _listen(self) -> None:
        with anyio.move_on_after(self._silence_s) as self._patience:
            await self._adapter.listen(self)
        raise Unavailable(f"the platform has been silent for {self._silence_s:.0f} s; connecting anew")


_STATES: dict[type[PlatformError], str] = {
    Unauthorized: "unauthorized",
    Conflict: "conflict",
    RateLimited: "rate limited",
}
