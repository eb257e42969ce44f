"""From the inbox to the agent: in order, a bounded number at a time, each one recorded before and after."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import ExitStack

import anyio

from agent_channels.core import tracing
from agent_channels.core.errors import Ambiguous, StoreError, Unavailable
from agent_channels.core.frozen import frozen
from agent_channels.core.host.agents.agent_host import SessionBell
from agent_channels.core.host.call_limits import CallLimits
from agent_channels.core.host.frames import channel_block, channel_parts, push_params
from agent_channels.core.host.inbox_socket import InboxSocket
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.protocol import PUSH
from agent_channels.core.host.session_bell import Doorbell
from agent_channels.core.host.typing_indicator import TypingIndicator
from agent_channels.core.journal.entry import Entry
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.traces import offer_span
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Backoff, Wakeups, wait_for_tick

__all__ = ["Delivery", "HostLink", "Push", "Taken"]

logger = logging.getLogger(__name__)
# Recorded as "offering" together, then handed over one after the other: the most that a kill can make us repeat.
BATCH_MAX = 64
# While posts to the inbox socket are unanswered, what follows within this time goes as one.
GATHER_S = 0.5
LOOK_EVERY_S = 1.0
# What `redelivered` adds to a block, with the line end between two.
AGAIN_SIZE = 25

# https://github.com/open-telemetry/semantic-conventions-genai/blob/v0.1.0/docs/gen-ai/mcp.md
_NOTIFICATION = {"mcp.method.name": PUSH, "network.transport": "pipe"}

Push = Callable[[str, dict[str, object]], Awaitable[None]]
"""`push(method, params)` sends a notification; it returns when the bytes were handed over, so a host that does not
read holds it up."""


@frozen
class HostLink:
    """The host session that entries are offered to: its id, the way to push, and our name in `<channel>` blocks.

    `bell`: what wakes it, if its host is one that can be woken so.
    """

    session: str
    push: Push
    source: str
    bell: SessionBell | None = None


@frozen
class Taken:
    """What one call that asks for messages is given: blocks, whether more waits, and the entries shown to their end.

    `lost` is to be called where the result did not reach the agent, or perhaps not: the next call is given it again.
    """

    blocks: Sequence[str] = ()
    more: bool = False
    shown: Sequence[int] = ()
    lost: Callable[[], None] = lambda: None


@frozen
class _LongEntry:
    """An entry longer than a page, and the parts of it that are still to be handed out."""

    entry: Entry
    parts: list[str]


class Delivery:
    """Offer what is ready by the mode in force; what the agent or its hooks fetch themselves is left to them."""

    def __init__(
        self,
        inbox: Inbox,
        link: HostLink,
        modes: Modes,
        typing: TypingIndicator,
        wakeups: Wakeups,
        before_offer: Callable[[Sequence[Entry], str], None],
        doorbell: Doorbell | None = None,
    ) -> None:
        """`before_offer` gets the entries that are about to be offered, and the mode, in their transaction.

        `doorbell` wakes the session for what is not ours to carry; None: nothing does.
        """
        self._doorbell = doorbell
        self._inbox, self._link, self._modes, self._typing = inbox, link, modes, typing
        self._wakeups, self._before_offer = wakeups, before_offer
        # Agents that are blocked in wait_for_messages right now: they take what comes.
        self.waiting_calls = 0
        self._faults = Backoff(first_s=1.0, cap_s=30.0)
        # Entries that went through to the host, and are not recorded as offered yet.
        self._through: list[int] = []
        self._push_began: float | None = None
        # What calls were given of which it is not known that the agent has it, and what is handed out in parts.
        self._unheard: set[int] = set()
        self._long: _LongEntry | None = None
        # Whether what earlier sessions left unanswered is offered again.
        self._reopened = False
        self._look_again: asyncio.TimerHandle | None = None
        # Whether nothing is being offered; what was claimed meanwhile.
        self._idle = False
        self._claimed: list[Entry] = []

    async def run(self) -> None:
        """Offer until cancelled; begin with whatever earlier sessions left unanswered."""
        backoff, unsure = Backoff(), False
        self._reopen()
        while True:
            try:
                if unsure:
                    # What was being offered when the store failed: nobody else would take it up in this session.
                    self._claimed = []
                    self._inbox.resume_offers(self._link.session, self._through)
                    unsure = False
                await self._push_claimed()
                self._modes.publish()
                await self._offer_all()
                if self._doorbell is not None and not self.waiting_calls and not await self._doorbell.ring():
                    await anyio.sleep(self._faults.next())
                    continue
            except StoreError as error:
                logger.warning("delivery waits: %s", error)
                await anyio.sleep(backoff.next())
                unsure = True
                continue
            self._wakeups.changed.notify_all()
            self._idle = True
            await self._wakeups.ready.wait()
            self._idle = False

    # ---- pushing in the reader's transaction

    def claim(self) -> list[Entry]:
        """Record what is ready as being offered, in the caller's transaction; `hand_over` it once it is committed.

        Nothing is claimed while something else is being offered, or where it is not ours to push.
        """
        if not self._idle or self._claimed or self.waiting_calls or self._modes.current()[0] != "push":
            return []
        return [] if self._modes.hook_is_waiting() else self._begin_offer("push")

    def hand_over(self, claimed: list[Entry]) -> None:
        """Push what `claim` gave, and then whatever else is ready."""
        self._claimed += claimed
        self._wakeups.ready.set()

    async def _push_claimed(self) -> None:
        claimed, self._claimed = self._claimed, []
        await self._push(claimed)
        if claimed:
            self.record_through()

    # ---- offering

    async def _offer_all(self) -> None:
        while True:
            mode, _ = self._modes.current()
            if self.waiting_calls or mode not in {"push", "wake"} or not self._inbox.any_ready():
                return
            if self._modes.hook_is_waiting():
                # Looked at again soon: the hook may be killed before it takes anything.
                if self._look_again is not None:
                    self._look_again.cancel()
                self._look_again = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._wakeups.ready.set)
                return
            if mode == "push":
                await self._push(self._begin_offer("push"))
                self.record_through()
            elif not await self._wake():
                self._modes.publish()
                if self._modes.current()[0] == "wake":
                    # The operator allows nothing else, so it is tried again, but never in a hot loop.
                    await anyio.sleep(self._faults.next())

    def _begin_offer(self, mode: str) -> list[Entry]:
        """Record what is ready as being offered: in one transaction, since hooks of the session take it too."""
        with self._inbox.store.transaction():
            entries = self._inbox.ready(BATCH_MAX)
            if mode == "wake":
                entries = entries[: InboxSocket.count_fitting(entries)]
            self._before_offer(entries, mode)
            return self._inbox.begin_offer(entries, self._link.session, mode)

    async def _push(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._push_began = time.monotonic()
            with offer_span(self._inbox, entry, "push"), tracing.span(PUSH, "client", _NOTIFICATION):
                await self._link.push(PUSH, push_params(entry))
            self._push_began = None
            self._went_through(entry)

    async def _wake(self) -> bool:
        """Post what is ready to the session's inbox socket; return False if the socket does not take it."""
        socket = self._modes.socket
        if socket is None:
            self._modes.fail("wake", "has no socket")
            return False
        if socket.full:
            self._modes.fail("wake", "is not answered, and its queue is full")
            return False
        if pause_s := max(GATHER_S if socket.queued else 0.0, socket.pause_s()):
            await anyio.sleep(pause_s)
        offered = [] if self.waiting_calls else self._begin_offer("wake")
        if not offered:
            return True
        ids = [entry.id for entry in offered]
        try:
            with ExitStack() as spans:
                for entry in offered:
                    spans.enter_context(offer_span(self._inbox, entry, "wake"))
                await socket.post(self._link.source, offered)
        except (Unavailable, Ambiguous) as error:
            if isinstance(error, Unavailable):
                self._inbox.withdraw_offer(ids)
            # Otherwise it may have been read before the end; `redelivered` on the next offer is the honest mark.
            self._inbox.finish_offer(ids)
            self._inbox.escalate(self._link.session, "wake", self._inbox.now() + 1)
            self._modes.fail("wake", f"failed: {redact(str(error))}")
            return False
        for entry in offered:
            self._went_through(entry)
        self.record_through()
        return True

    async def escalate(self) -> None:
        """Look, until cancelled, whether the mode in force has to be given up."""
        pause_s = LOOK_EVERY_S
        while True:
            await wait_for_tick(pause_s)
            try:
                if self._modes.escalate():
                    self._wakeups.ready.set()
                pause_s = LOOK_EVERY_S if self._modes.may_escalate() else self._modes.look_within_s
            except StoreError as error:
                logger.warning("the delivery mode is checked later: %s", error)

    # ---- what calls of the agent's take

    def _reopen(self) -> None:
        if not self._reopened:
            self._reopened = True
            self._inbox.reopen()

    def go_on_after(self, entry_ids: Collection[int]) -> None:
        """Show no more what the agent has seen in an earlier session, by its word.

        A client that starts a server for each call would never come past the first page.
        """
        self._reopen()
        self._inbox.take_over(self._link.session, entry_ids)

    def take(self, limit: int, again_after_s: float, limits: CallLimits, room: int) -> Taken:
        """Return what an agent that asks for messages is shown now, as fits into the room, recorded as offered by pull.

        What it was offered so many seconds ago and did not answer is shown again. An entry that is longer than a page
        is handed out in parts, call by call, and counts as offered with the last of them.
        """
        before = self._inbox.now() - again_after_s
        self.record_through()
        session, unproven = self._link.session, self._modes.unproven()
        if self._unheard:
            self._inbox.show_again(session, self._unheard)
            self._unheard.clear()
        long = self._long
        if long is not None and not self._inbox.is_being_offered(long.entry.id, session):
            # It was acknowledged or dropped meanwhile, or is shown from its beginning again.
            long = None
        if long is None and not self._inbox.pullable(session, 1, unproven, before):
            self._long = None
            return Taken()
        with self._inbox.store.transaction():
            if long is None:
                waiting = self._inbox.pullable(session, limit, unproven, before)
                # One that fits into no page is begun alone.
                count = self._count_fitting(waiting, limits, room) or 1
                self._before_offer(waiting[:count], "pull")
                taken = self._inbox.begin_offer(waiting[:count], session, "pull")
                blocks = [part for entry in taken for part in channel_parts(self._link.source, entry, limits, room)]
                if len(blocks) > len(taken):
                    long = _LongEntry(taken[0], blocks)
            if long is not None:
                taken, blocks = [long.entry], long.parts[:1]
                long = _LongEntry(long.entry, long.parts[1:]) if long.parts[1:] else None
            shown = [entry.id for entry in taken]
            if long is None:
                self._inbox.finish_offer(shown)
            more = long is not None or bool(self._inbox.pullable(session, 1, unproven, before))
        self._long = long
        for entry in taken:
            with offer_span(self._inbox, entry, "pull"):
                pass
            self._typing.start(entry.chat_id, entry.thread_id)
        return Taken(blocks, more, shown if long is None else (), lambda: self._unheard.update(shown))

    def _count_fitting(self, entries: list[Entry], limits: CallLimits, room: int) -> int:
        """Return how many of the entries, from the first on, fit into the room together."""
        for count, entry in enumerate(entries):
            room -= limits.size(channel_block(self._link.source, entry)) + AGAIN_SIZE
            if room < 0:
                return count
        return len(entries)

    def _went_through(self, entry: Entry) -> None:
        self._through.append(entry.id)
        self._typing.start(entry.chat_id, entry.thread_id)

    def record_through(self) -> None:
        """Record which entries went through to the host, so that an answer counts for exactly those."""
        if self._through:
            self._inbox.finish_offer(self._through)
            # Clear only after commit; if the disk is full we retry, and the update is idempotent.
            if not self._inbox.store.in_transaction:
                self._through = []

    def stalled_s(self) -> float:
        """Return for how long the host has not read, in seconds; 0 while it does."""
        return 0.0 if self._push_began is None else time.monotonic() - self._push_began
