"""From the inbox to the host: in order, a bounded number at a time, each one written down before and after."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from channels.core.adapter import Adapter
from channels.core.errors import ChannelError, StoreError
from channels.core.events import push_params
from channels.core.files import Files
from channels.core.inbox import Entry, Inbox
from channels.core.log import redact
from channels.core.presence import Presence
from channels.core.sanitize import label
from channels.core.tasks import Backoff, Bell
from channels.core.wire import PUSH
from channels.core.wording import say

__all__ = ["Delivery"]

logger = logging.getLogger(__name__)
# Written down as "offering" together, then pushed one after the other: the most that a kill can make us repeat.
BATCH = 64
DOWNLOADS = 4

Push = Callable[[str, dict[str, object]], Awaitable[None]]


class Delivery:
    """Offers what is ready to the attached host, as long as pushing is the mode in force."""

    def __init__(
        self,
        inbox: Inbox,
        push: Push,
        opened: Bell,
        presence: Presence,
        session: str,
        late: Callable[[], None],
        *,
        pushing: bool,
    ) -> None:
        """`push(method, params)` returns when the bytes were handed over; a host that does not read holds it up.

        `late` is called before new entries are offered, to have people told who waited long.
        """
        self._pushing, self._session, self._late = pushing, session, late
        self._push_began: float | None = None
        self._inbox, self._push, self._opened, self._presence = inbox, push, opened, presence
        self._through: list[int] = []

    async def run(self) -> None:
        """Offers until cancelled; starts with whatever earlier sessions left unanswered."""
        backoff = Backoff()
        self._inbox.reopen()
        while True:
            try:
                await self._drain()
            except StoreError as error:
                logger.warning("delivery waits: %s", error)
                await anyio.sleep(backoff.next())
                continue
            await self._opened.wait()

    async def _drain(self) -> None:
        while self._pushing and (entries := self._inbox.ready(BATCH)):
            self._late()
            for entry in self._inbox.offering(entries, self._session):
                self._push_began = anyio.current_time()
                await self._push(PUSH, push_params(entry))
                self._push_began = None
                self._through.append(entry.id)
                self._presence.start(entry.chat_id, entry.thread_id)
            self.settle()

    def settle(self) -> None:
        """Writes down which entries went through, so that an answer counts for just those."""
        if self._through:
            through, self._through = self._through, []
            self._inbox.offered(through)

    def stalled_s(self) -> float:
        """For how long the host has not read, in seconds; 0 while it does."""
        return 0.0 if self._push_began is None else anyio.current_time() - self._push_began


class Pictures:
    """Downloads the pictures of arriving messages beside the delivery: a slow one holds nothing else up."""

    def __init__(self, adapter: Adapter, inbox: Inbox, files: Files, opened: Bell, group: TaskGroup) -> None:
        self._adapter, self._inbox, self._files, self._opened, self._group = adapter, inbox, files, opened, group
        self._running: set[int] = set()
        self._slots = anyio.Semaphore(DOWNLOADS)

    def start(self) -> None:
        """Starts the download of every picture that is not being downloaded yet."""
        for entry in self._inbox.fetching():
            if entry.id not in self._running:
                self._running.add(entry.id)
                self._group.start_soon(self._fetch, entry)

    async def _fetch(self, entry: Entry) -> None:
        content, meta = entry.content, dict(entry.meta)
        try:
            async with self._slots:
                meta["image_path"] = str(await self._download(entry))
        except (ChannelError, OSError) as error:
            reason = label(redact(str(error)), 200)
            logger.warning("the picture of entry %s is missing: %s", entry.delivery_id, reason)
            content = f"{content}\n{say('image_failed', reason=reason)}".strip()
        finally:
            self._running.discard(entry.id)
        self._inbox.fetched(entry, content, meta)
        self._opened.ring()

    async def _download(self, entry: Entry) -> Path:
        if entry.image is None:
            raise ValueError("an entry without a picture is never fetched")
        target = self._files.target(entry.image)
        await self._adapter.download(entry.image, target, self._adapter.limits.download)
        self._files.prune()
        return target
