"""From the inbox to the agent: in order, a bounded number at a time, each one written down before and after."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import anyio

from agent_channels.core.errors import Ambiguous, StoreError, Unavailable
from agent_channels.core.host.frames import push_params
from agent_channels.core.host.inbox_socket import InboxSocket
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.protocol import PUSH
from agent_channels.core.host.typing_indicator import TypingIndicator
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.offers import Entry
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Backoff, Broadcast, Wakeup, wait_for_tick

__all__ = ["Delivery", "Push"]

logger = logging.getLogger(__name__)
# Written down as "offering" together, then handed over one after the other: the most that a kill can make us repeat.
BATCH = 64
# While posts are unanswered, what follows within this time goes as one.
GATHER_S = 0.5
LOOK_EVERY_S = 1.0
# Hosts turn a result of 120,000 characters into an error.
RESULT_MAX = 90_000

Push = Callable[[str, dict[str, object]], Awaitable[None]]


class Delivery:
    """Offers what is ready, by the mode in force; what the agent or its hooks fetch themselves is left to them."""

    def __init__(
        self,
        inbox: Inbox,
        push: Push,
        opened: Wakeup,
        presence: TypingIndicator,
        session: str,
        late: Callable[[Sequence[Entry]], None],
        modes: Modes,
        source: str,
        changed: Broadcast,
    ) -> None:
        """`push(method, params)` returns when the bytes were handed over; a host that does not read holds it up.

        `late` is called with entries before they are offered, to have people told who waited long. `source` names us in
        blocks. `changed` rings for whoever waits for messages.
        """
        self._inbox, self._push, self._opened, self._presence = inbox, push, opened, presence
        self._session, self._late, self._modes, self._source = session, late, modes, source
        self._through: list[int] = []
        self._push_began: float | None = None
        # Agents that are blocked in wait_for_messages right now: they take what comes.
        self.takers = 0
        self._changed = changed
        self._faults = Backoff(first_s=1.0, cap_s=30.0)
        self._left = False
        # Whether nothing is on its way; what was claimed meanwhile.
        self._idle = False
        self._claimed: list[Entry] = []

    async def run(self) -> None:
        """Offers until cancelled; starts with whatever earlier sessions left unanswered."""
        backoff, unsure = Backoff(), False
        self._inbox.reopen()
        while True:
            try:
                if unsure:
                    # What was being offered when the store failed: nobody else would take it up in this session.
                    self._claimed = []
                    self._inbox.resume(self._session, self._through)
                    unsure = False
                claimed, self._claimed = self._claimed, []
                await self._push_all(claimed)
                self._modes.publish()
                await self._drain()
            except StoreError as error:
                logger.warning("delivery waits: %s", error)
                await anyio.sleep(backoff.next())
                unsure = True
                continue
            self._changed.notify_all()
            self._idle = True
            await self._opened.wait()
            self._idle = False

    def claim(self) -> list[Entry]:
        """What is ready, written down as being offered in the transaction that made it so; `hand` it over after that.

        Nothing while something else is on its way, or where it is not ours to push.
        """
        if not self._idle or self._claimed or self.takers or self._modes.current()[0] != "push":
            return []
        return [] if self._modes.left_to_hook() else self._offering("push")

    def hand(self, claimed: list[Entry]) -> None:
        """What `claim` gave is committed: it goes to the host, and then whatever else is ready."""
        self._claimed += claimed
        self._opened.set()

    async def escalate(self) -> None:
        """Looks, until cancelled, whether the mode in force has to be given up."""
        while True:
            await wait_for_tick(LOOK_EVERY_S)
            try:
                left, self._left = self._left, False
                if self._modes.escalate() or left:
                    self._opened.set()
            except StoreError as error:
                logger.warning("nothing is escalated: %s", error)

    async def _drain(self) -> None:
        while True:
            mode, _ = self._modes.current()
            if self.takers or mode not in {"push", "wake"} or not self._inbox.any_ready():
                return
            if self._modes.left_to_hook():
                # Looked at again soon: the hook may be killed before it takes anything.
                self._left = True
                return
            if mode == "push":
                await self._push_all(self._offering("push"))
            elif not await self._wake():
                self._modes.publish()
                if self._modes.current()[0] == "wake":
                    # Fixed by hand: nothing else may carry it, so it is tried again, and never in a hot loop.
                    await anyio.sleep(self._faults.next())

    def _offering(self, mode: str) -> list[Entry]:
        """What is ready, written down as being offered: in one transaction, since hooks of the session take it too."""
        with self._inbox.store.transaction():
            entries = self._inbox.ready(BATCH)
            self._late(entries)
            if mode == "wake":
                entries = entries[: InboxSocket.fitting(entries)]
            return self._inbox.offering(entries, self._session, mode)

    async def _push_all(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._push_began = time.monotonic()
            await self._push(PUSH, push_params(entry))
            self._push_began = None
            self._went(entry)
        self.settle()

    async def _wake(self) -> bool:
        """Posts what is ready; False when the socket does not take it."""
        wake = self._modes.wake
        if wake is None:
            self._modes.fail("wake", "has no socket")
            return False
        if wake.full:
            self._modes.fail("wake", "is not answered, and its queue is full")
            return False
        if wake.queued:
            await anyio.sleep(GATHER_S)
        offered = [] if self.takers else self._offering("wake")
        if not offered:
            return True
        try:
            await wake.post(self._source, offered)
        except (Unavailable, Ambiguous) as error:
            if isinstance(error, Unavailable):
                self._inbox.withdraw(offered)
            # Else it may have been read before the end; `redelivered` on the next offer is the honest mark.
            self._inbox.offered([entry.id for entry in offered])
            self._inbox.escalate(self._session, "wake", time.time() + 1)
            self._modes.fail("wake", f"failed: {redact(str(error))}")
            return False
        for entry in offered:
            self._went(entry)
        self.settle()
        return True

    def _went(self, entry: Entry) -> None:
        self._through.append(entry.id)
        self._presence.start(entry.chat_id, entry.thread_id)

    def take(self, limit: int, before: float) -> list[Entry]:
        """What an agent that asks is shown now, written down as offered by pull."""
        self.settle()
        if not self._inbox.pullable(self._session, 1, self._modes.unproven(), before):
            return []
        with self._inbox.store.transaction():
            found = _readable(self._inbox.pullable(self._session, limit, self._modes.unproven(), before))
            self._late(found)
            taken = self._inbox.offering(found, self._session, "pull")
            self._inbox.offered([entry.id for entry in taken])
        for entry in taken:
            self._presence.start(entry.chat_id, entry.thread_id)
        return taken

    def settle(self) -> None:
        """Writes down which entries went through, so that an answer counts for just those."""
        if self._through:
            self._inbox.offered(self._through)
            # Forgotten only once it is written down: a disk that is full now takes it later, and twice is once.
            if not self._inbox.store.in_transaction:
                self._through = []

    def stalled_s(self) -> float:
        """For how long the host has not read, in seconds; 0 while it does."""
        return 0.0 if self._push_began is None else time.monotonic() - self._push_began


def _readable(entries: list[Entry]) -> list[Entry]:
    """As many of the entries, from the first on, as a host takes for one result; at least one."""
    size = 0
    for count, entry in enumerate(entries):
        size += len(entry.content) + sum(len(key) + len(value) + 8 for key, value in entry.meta.items()) + 80
        if count and size > RESULT_MAX:
            return entries[:count]
    return entries
