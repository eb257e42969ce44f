"""The one process that reads a shared bot: holds its lease, decides whose each event is, and stores it in the hub.

Nothing is acknowledged to the platform that the hub has not committed, and what this process writes after somebody else
took the lease is refused.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import anyio

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import ConfigError, HubUnavailable, LeaseLost, StoreError
from agent_channels.core.hub.events import RoutedEvent
from agent_channels.core.hub.lease import Lease
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.inbound.listening import Listening
from agent_channels.core.process import server_pid
from agent_channels.core.runtime.context import OpenBot
from agent_channels.core.runtime.hub.router import Router
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import is_trusted
from agent_channels.core.store.database import Store

__all__ = ["HubReader"]

logger = logging.getLogger(__name__)
TAKE_OVER_EVERY_S = 1.0
RELEASE_WITHIN_S = 0.1
# A process that the platform refuses, or that cannot reach it, lets others try after so many leases, for a moment.
YIELD_AFTER_LEASES = 2
YIELD_FOR_S = 5.0
MAY_BE_READ_ELSEWHERE = frozenset({"unauthorized", "unreachable"})
PRUNE_EVERY_S = 600.0
PRUNE_STEP = 500
PAUSE_S = 0.1
# For so long the text of a message stays after its project has it: what comes next may be a part of the same one.
TEXT_KEPT_S = 60.0
FORGET_EVERY_S = 30.0
# What a message takes from here to the host on a machine with nothing else to do.
HEAD_START_S = 0.005


class HubReader:
    """Reads the platform for all projects of a bot while this process holds its lease."""

    def __init__(
        self, context: OpenBot, hub: ProjectHub, router: Router, domain: str, lock: ReaderLock, folder: str
    ) -> None:
        """`domain`: see `lock_domain`. `lock`: the bot's on this machine. `folder`: where this process works."""
        settings = context.settings
        self._context, self._hub, self._router = context, hub, router
        self._lock, self._folder = lock, folder
        self._lease = Lease(hub.db, hub.bot, domain, settings.hub_lease_s)
        self._listening = Listening(context.channel.silence_s(settings), self._record_fault, lambda _: None)
        self._state, self._error, self._since = "connecting", "", time.time()
        self._shown: tuple[str, str] | None = None
        self._changed = Wakeup()
        self._cannot_since: float | None = None

    @property
    def reads(self) -> bool:
        """Whether this process reads the bot now."""
        return self._lease.held

    async def run(self) -> None:
        """Read whenever nobody else does, until cancelled. Raises `ConfigError` if there can be no lock."""
        while True:
            try:
                await self._take()
                await self._read()
            finally:
                await self._let_go()
            if self._cannot_since is not None:
                self._cannot_since = None
                await anyio.sleep(YIELD_FOR_S)

    # ---- the right to read

    async def _take(self) -> None:
        """Return once this process holds the lock on this machine, and the lease everywhere."""
        backoff = Backoff(first_s=TAKE_OVER_EVERY_S, cap_s=5.0)
        while not self._lock.claim():  # noqa: ASYNC110 - another process holds it
            await anyio.sleep(TAKE_OVER_EVERY_S)
        self._since = time.time()
        while True:
            pause_s = TAKE_OVER_EVERY_S
            try:
                if await self._lease.take(self._describe()):
                    self._hub.status_changed.set()
                    return
            except StoreError as error:
                logger.warning("the bot is not read: %s", error)
                pause_s = backoff.next()
            await anyio.sleep(pause_s)

    async def _read(self) -> None:
        """Read until the lease is lost."""
        logger.info("this process reads the bot for all projects of the hub %s", self._hub.address)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_lease)
                group.start_soon(self._prune)
                group.start_soon(self._forget)
                group.start_soon(self._follow_members)
                group.start_soon(self._router.run)
                sink = HubSink(self._hub, self._lease, self._router, self._mark_alive, self._add_note)
                await self._listening.listen(partial(self._listen, sink), sink)
        except* LeaseLost as errors:
            logger.warning("this process no longer reads the bot: %s", errors.exceptions[0])

    async def _listen(self, sink: HubSink, _: object) -> None:
        await sink.load(self._first_cursors)
        await self._context.adapter.listen(sink)

    async def _keep_lease(self) -> None:
        """Renew the lease. Raises `LeaseLost` once it is not this process's any more, or is to be another's."""
        every_s = self._context.settings.hub_lease_s / 3
        while True:
            since = self._cannot_since
            if since is not None and time.monotonic() - since > every_s * 3 * YIELD_AFTER_LEASES:
                raise LeaseLost("it could not for a while, and lets others try")
            with anyio.move_on_after(min(every_s, max(0.0, self._lease.left_s))):
                await self._changed.wait()
            with anyio.move_on_after(max(0.0, self._lease.left_s)):
                try:
                    await self._lease.renew(self._describe())
                    if self._shown != (self._state, self._error):
                        self._shown = (self._state, self._error)
                        self._hub.status_changed.set()
                except LeaseLost:
                    raise
                except StoreError as error:
                    logger.warning("the lease on reading the bot is not renewed: %s", error)
                    await anyio.sleep(TAKE_OVER_EVERY_S)
            if not self._lease.held:
                raise LeaseLost("the lease could not be renewed in time")

    async def _let_go(self) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(RELEASE_WITHIN_S):
            try:
                if self._lease.held:
                    await self._lease.release()
            except StoreError as error:
                logger.info("the lease ends by itself: %s", error)
        self._lock.release()

    async def _follow_members(self) -> None:
        """Know whom the projects let in as it changes: the adapter fetches and keeps only what they read."""
        while True:
            await self._hub.wakeups.members.wait()
            try:
                await self._hub.members.read()
            except StoreError as error:
                logger.warning("whom the projects of the hub let in is not known anew: %s", error)

    # ---- what people see of it

    def _describe(self) -> dict[str, Any]:
        return {
            "machine": socket.gethostname(),
            "pid": server_pid(),
            "folder": self._folder,
            "project": self._hub.project,
            "since": self._since,
            "state": self._state,
            "error": self._error,
        }

    def _mark_alive(self) -> None:
        self._cannot_since = None
        self._listening.mark_alive()
        self._record("reading", "")

    def _record_fault(self, state: str, text: str) -> None:
        if state not in MAY_BE_READ_ELSEWHERE:
            self._cannot_since = None
        elif self._cannot_since is None:
            self._cannot_since = time.monotonic()
        if self._record(state, text):
            logger.warning("reading for the hub failed (%s): %s", state, text)

    def _record(self, state: str, error: str) -> bool:
        changed = (self._state, self._error) != (state, error)
        if changed:
            self._state, self._error = state, error
            self._changed.set()
        return changed

    def _add_note(self, text: str) -> None:
        if text:
            logger.warning("%s", text)
        self._context.services.health.add_note(text)

    # ---- beginning and cleaning up

    def _first_cursors(self) -> dict[str, str]:
        """Return how far the bot was read before it was shared, by this project or by the last one that read it."""
        bot_id, services = self._context.bot_id, self._context.services
        readers = [folder for folder in self._lock.readers() if folder != self._context.env.state_dir][-1:]
        for folder in readers:
            try:
                if is_trusted(folder):
                    # Its schema is its own program's business, which may be older.
                    with Store(folder / "channel.db", migrations=None) as store:
                        return Services.of(store).cursors.get(bot_id)
            except (ConfigError, StoreError) as error:
                logger.warning("how far %s had read is unknown: %s", folder, error)
        return services.cursors.get(bot_id)

    async def _forget(self) -> None:
        """Delete texts that nobody needs here any more: what a project deletes of its own must not stay here."""
        events, since = self._hub.events, time.monotonic() - self._context.settings.hub_keep_h * 3600
        while True:
            begun = time.monotonic()
            try:
                left = PRUNE_STEP
                while left:
                    left = await events.forget(TEXT_KEPT_S, TEXT_KEPT_S + begun - since + FORGET_EVERY_S, PRUNE_STEP)
                    await anyio.sleep(PAUSE_S)
                since = begun
            except StoreError as error:
                logger.warning("texts stay in the hub for now: %s", error)
            await anyio.sleep(FORGET_EVERY_S)

    async def _prune(self) -> None:
        """Delete what is old and done, a little at a time."""
        hub, settings = self._hub, self._context.settings
        while True:
            await anyio.sleep(PRUNE_EVERY_S)
            try:
                await hub.questions.prune(settings.keep_days)
                left = PRUNE_STEP
                while left:
                    left = await hub.events.prune(settings.hub_keep_h, PRUNE_STEP)
                    left += await hub.sent.prune(settings.keep_days, PRUNE_STEP)
                    # Everything else goes first.
                    await anyio.sleep(PAUSE_S)
            except StoreError as error:
                logger.warning("nothing was pruned in the hub: %s", error)


class HubSink:
    """The `EventSink` of a shared bot."""

    def __init__(
        self,
        hub: ProjectHub,
        lease: Lease,
        router: Router,
        mark_alive: Callable[[], None],
        add_note: Callable[[str], None],
    ) -> None:
        self._hub, self._lease, self._router = hub, lease, router
        self._mark_alive, self._add_note = mark_alive, add_note
        self._cursors: dict[str, str] = {}

    async def load(self, first: Callable[[], Mapping[str, str]]) -> None:
        """Learn how far the bot was read; `first` says it if it was never read for the hub. Raises `StoreError`."""
        self._cursors = await self._hub.events.cursors()
        if not self._cursors and (known := first()):
            await self._hub.events.put([], known, self._lease)
            self._cursors = dict(known)
        await self._hub.members.read()
        await self._router.load()

    async def put(self, events: Sequence[RawEvent], cursors: Mapping[str, str | None] | None = None) -> None:
        """Decide whose the events are and store them; return once they are on disk. Raises `StoreError`."""
        self._require_lease()
        routed: Sequence[RoutedEvent] = []
        if events:
            async with self._router.deciding():
                routed = await self._store(events)
        if len(events) == 1:
            # Nobody waits for what follows, and the project's process and its host need the machine now.
            await anyio.sleep(HEAD_START_S)
        await self._hub.events.settle(routed, cursors or {}, self._lease)
        await self._hub.db.sync()
        for name, value in (cursors or {}).items():
            if value is None:
                self._cursors.pop(name, None)
            else:
                self._cursors[name] = value
        if events:
            self._mark_alive()
            await self._router.stored(routed)

    async def _store(self, events: Sequence[RawEvent]) -> Sequence[RoutedEvent]:
        """Decide whose the events are and store them."""
        hub = self._hub
        # A message that comes alone is stored on the condition that nothing changed: one round trip instead of two.
        guess = self._router.guess(events[0]) if len(events) == 1 else None
        if guess and await hub.events.store([guess.routed], self._lease, provided=guess.condition):
            self._router.confirm(guess)
            return [guess.routed]
        routed = await self._router.route(events)
        if not hub.members.known:
            # It was made anew a moment ago: nobody lets anybody in before the projects have said that they are there.
            raise HubUnavailable(sentence("the hub {address} knows no project yet", address=hub.address))
        await hub.events.store(routed, self._lease)
        return routed

    def cursors(self) -> Mapping[str, str]:
        """Return how far the bot was read, from whichever machine."""
        return self._cursors

    def enabled_since(self) -> Mapping[str, float]:
        """Return what any project's gate would let through, by chat."""
        return self._hub.members.enabled_since()

    def mark_alive(self) -> None:
        """Record that the platform answered. Raises `LeaseLost` if this process must not ask it again."""
        self._require_lease()
        self._mark_alive()

    def add_note(self, text: str) -> None:
        """Record something that the operator should know."""
        self._add_note(text)

    def _require_lease(self) -> None:
        if not self._lease.held:
            raise LeaseLost("the lease on reading the bot is over")
