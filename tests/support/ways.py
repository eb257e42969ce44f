"""The store's services of one process, put together as the server does it, in front of a sandbox's bot."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.files.storage import Files
from agent_channels.core.host.delivery import Delivery, HostLink, Push
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.typing_indicator import TypingIndicator
from agent_channels.core.inbound.commands import Commands, ListeningSession
from agent_channels.core.inbound.pipeline import InboundPipeline
from agent_channels.core.inbound.reader import Reader
from agent_channels.core.inbound.receipts import Receipts
from agent_channels.core.inbound.wait_notices import WaitNotices
from agent_channels.core.outbound.reactions import Reactions
from agent_channels.core.outbound.rich_forms import RichForms
from agent_channels.core.scheduling import FollowUp, Wakeups
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.telegram.adapter import TelegramAdapter
from agent_channels.telegram.settings import TelegramSettings
from updates import ANN, message, update

__all__ = ["CHAT", "SESSION", "Way", "way"]

CHAT, SESSION = str(ANN["id"]), "session"


async def _nowhere(_method: str, _params: dict[str, object]) -> None:
    raise AssertionError("nothing is pushed before `deliver_to`")


class Way:
    """Everything that a message and its answer do to the store, step by step as the server does it."""

    def __init__(self, store: Store, adapter: Adapter, group: TaskGroup, folder: Path, person: TelegramPerson) -> None:
        self.store, self.adapter, self.person = store, adapter, person
        self.services, self.wakeups = Services.of(store), Wakeups()
        self.inbox, self.access, self.history = self.services.inbox, self.services.access, self.services.history
        self.files = Files(folder / "files")
        self.receipts = Receipts(adapter, self.inbox, Reactions(adapter), enabled=True)
        self.wait_notices = WaitNotices(self.inbox, self.services.notices, self.receipts, self.wakeups, 1.0)
        self.number = 0
        self._group = group
        # Not running: whatever is sorted stays ready.
        self.deliver_to(_nowhere, start=False)

    def deliver_to(self, push: Push, group: TaskGroup | None = None, *, mode: str = "auto", start: bool = True) -> None:
        """Has what is sorted go to a host from now on."""
        settings = TelegramSettings.of({"mode": mode})
        self.modes = Modes(settings, SESSION, self.inbox, self.services.sessions, None, None)
        self.delivery = Delivery(
            self.inbox,
            HostLink(SESSION, push, "telegram"),
            self.modes,
            TypingIndicator(self.adapter, group or self._group, 0.0),
            self.wakeups,
            lambda entries, _mode: self.wait_notices.before_offer(entries),
        )
        self.pipeline = InboundPipeline(
            self.adapter,
            self.services,
            Commands(
                self.adapter,
                self.services,
                self.files,
                self.wakeups,
                lambda: ListeningSession("session", "host", "project", "push", "", 0.0),
                "off",
                RichForms(self.services.chats, self.services.health, "auto"),
            ),
            self.delivery,
            self.receipts,
            self.wakeups,
            self.files,
        )
        self.reader = Reader(self.adapter, "1", self.services, self.pipeline, self.wakeups, silence_s=60.0)
        if start:
            (group or self._group).start_soon(self.delivery.run)

    async def take(self, events: Sequence[RawEvent] = ()) -> bool:
        """Journals and sorts in one transaction, and has what follows from it done; False when it was nothing."""
        with self.store.transaction():
            new = bool(self.inbox.put("1", events)) if events else True
            batch = self.pipeline.sort() if new else None
        if batch is None:
            return False
        await self.pipeline.dispatch(batch)
        return True

    @property
    def follow_ups(self) -> list[FollowUp]:
        """The calls to the platform that wait."""
        follow_ups = self.pipeline.follow_ups
        return [*follow_ups._waiting, *follow_ups._courtesies]

    async def message(self, sender: dict[str, Any] = ANN) -> None:
        """From the platform's answer to the host."""
        self.number += 1
        whose = {"from": sender, "chat": {**sender, "type": "private"}}
        said = message(message_id=10_000 + self.number, text=f"message {self.number}", **whose)
        assert await self.take([RawEvent(str(10_000 + self.number), update("message", said))])
        assert self.inbox.any_ready()
        with self.store.transaction():
            ready = self.inbox.ready(64)
            self.wait_notices.before_offer(ready)
            (entry,) = self.inbox.begin_offer(ready, SESSION, "push")
        self.inbox.finish_offer([entry.id])
        assert entry.content == f"message {self.number}"
        assert not await self.take()

    def answer(self) -> None:
        """From the agent's call to its result."""
        outbox = self.services.outbox
        assert self.access.direct_chat(CHAT)[1] == CHAT
        seen = self.inbox.shown_to(CHAT, SESSION)
        assert self.access.current_id(CHAT) == CHAT
        self.access.require_target(CHAT, "telegram")
        shipment = outbox.begin(f"key {self.number}", CHAT, "text", [0])
        with self.store.transaction():
            outbox.record(shipment, [0], "sent", [str(20_000 + self.number)])
            self.history.add_sent(CHAT, str(20_000 + self.number), "answer", user="bot")
            outbox.finish(shipment, "sent")
            assert self.inbox.offered_modes(CHAT, SESSION) == ["push"]
            assert self.inbox.answer(CHAT, SESSION, seen) == 1
            self.receipts.take_waiting(CHAT)

    def look(self) -> None:
        """What is looked at again and again while nothing happens."""
        assert self.inbox.overdue(time.time() - 1.0) == []
        assert self.inbox.fetching() == []
        assert self.inbox.unannounced(SESSION) == 0
        assert self.inbox.escalate(SESSION, "push", 0.0) == 0
        assert self.inbox.open_count(CHAT) == 0
        assert self.services.panels.outcomes_due() == []


@asynccontextmanager
async def way(folder: Path) -> AsyncIterator[Way]:
    """A bot of a sandbox's, which Ann may write to."""
    async with TelegramSandbox() as tg:
        settings = TelegramSettings.of({"api_root": tg.root})
        async with TelegramAdapter(settings, tg.token) as adapter, anyio.create_task_group() as group:
            await adapter.identify()
            with Store.open(folder) as store:
                Services.of(store).access.allow(CHAT, by="test")
                yield Way(store, adapter, group, folder, tg.person("ann"))
            group.cancel_scope.cancel()
