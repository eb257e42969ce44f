"""The store's services of one process, put together as the server does it, in front of a sandbox's bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from agent_channels.core.buttons.answers import Errand
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.files.storage import Files
from agent_channels.core.host.delivery import Delivery, Push
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.sessions import Sessions
from agent_channels.core.host.typing_indicator import TypingIndicator
from agent_channels.core.inbound.commands import Listener
from agent_channels.core.inbound.pipeline import InboundPipeline
from agent_channels.core.inbound.receipts import Receipts
from agent_channels.core.inbound.wait_notices import WaitNotices
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.offers import Entry
from agent_channels.core.journal.outbox import Outbox
from agent_channels.core.people.access import Access
from agent_channels.core.people.pairing import Pairing
from agent_channels.core.scheduling import Broadcast, Wakeup
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.telegram.adapter import TelegramAdapter
from agent_channels.telegram.settings import TelegramSettings
from updates import ANN, message, update

__all__ = ["CHAT", "SESSION", "Way", "way"]

CHAT, SESSION = str(ANN["id"]), "session"


class Way:
    """Everything that a message and its answer do to the store, step by step as the server does it."""

    def __init__(
        self,
        store: Store,
        adapter: Adapter,
        errands: tuple[MemoryObjectSendStream[Errand], MemoryObjectReceiveStream[Errand]],
        folder: Path,
        person: TelegramPerson,
    ) -> None:
        self.store, self.inbox, self.access = store, Inbox(store), Access(store)
        self.marks, self.outbox, self.history = Receipts(adapter, store, on=True), Outbox(store), History(store)
        self.waiting = WaitNotices(store, Wakeup(), 1.0, str)
        self.delivery: Delivery | None = None
        # How often it was looked for pictures that wait.
        self.looked = 0
        self.number, self.adapter, self.arrived, self.errands = 0, adapter, Wakeup(), errands[1]
        # Somebody who sees what is sent.
        self.person = person
        self.arrivals = InboundPipeline(
            adapter,
            self.inbox,
            self.access,
            Pairing(store),
            (self.arrived, Wakeup()),
            (lambda: self.delivery.claim() if self.delivery else [], self._hand),
            lambda: None,
            self._pictures,
            self.marks,
            errands[0],
            Files(folder / "files"),
            lambda: Listener("host", "project", "push", "", 0.0),
        )

    def _pictures(self) -> None:
        self.looked += 1

    def _hand(self, claimed: list[Entry]) -> None:
        if self.delivery:
            self.delivery.hand(claimed)

    def delivered(self, push: Push, group: TaskGroup, *, mode: str = "auto") -> Delivery:
        """Has what is sorted go to a host from now on."""
        settings = TelegramSettings.model_validate({"mode": mode})
        self.modes = Modes(settings, SESSION, self.inbox, Sessions(self.store), None, None)
        self.delivery = Delivery(
            self.inbox,
            push,
            Wakeup(),
            TypingIndicator(self.adapter, group, 0.0),
            SESSION,
            self.waiting.late,
            self.modes,
            "telegram",
            Broadcast(),
        )
        group.start_soon(self.delivery.run)
        return self.delivery

    def message(self, sender: dict[str, Any] = ANN) -> None:
        """From the platform's answer to the host."""
        self.number += 1
        whose = {"from": sender, "chat": {**sender, "type": "private"}}
        said = message(message_id=10_000 + self.number, text=f"message {self.number}", **whose)
        body = update("message", said)
        assert self.arrivals.take(lambda: self.inbox.put("1", [RawEvent(str(10_000 + self.number), body)]))
        assert self.inbox.any_ready()
        with self.store.transaction():
            ready = self.inbox.ready(64)
            self.waiting.late(ready)
            (entry,) = self.inbox.offering(ready, SESSION, "push")
        self.inbox.offered([entry.id])
        assert entry.content == f"message {self.number}"
        assert not self.arrivals.take()

    def answer(self) -> None:
        """From the agent's call to its result."""
        assert self.access.direct_chat(CHAT)[1] == CHAT
        seen = self.inbox.shown(CHAT, SESSION)
        assert self.access.now_called(CHAT) == CHAT
        self.access.require_target(CHAT, "telegram")
        shipment = self.outbox.begin(f"key {self.number}", CHAT, "text", [0])
        with self.store.transaction():
            self.outbox.parts(shipment, [0], "sent", [str(20_000 + self.number)])
            self.history.sent(CHAT, str(20_000 + self.number), "answer", user="bot")
            self.outbox.done(shipment, "sent")
            assert self.inbox.modes_of(CHAT, SESSION) == ["push"]
            assert self.inbox.answered(CHAT, SESSION, seen) == 1
            self.marks.ended(CHAT)

    def look(self) -> None:
        """What is looked at again and again while nothing happens."""
        assert self.waiting.tell() == []
        assert self.inbox.fetching() == []
        assert self.inbox.unrung(SESSION) == 0
        assert self.inbox.escalate(SESSION, "push", 0.0) == 0
        assert self.inbox.open_in(CHAT) == 0
        assert Panels(self.store).due() == []


@asynccontextmanager
async def way(folder: Path) -> AsyncIterator[Way]:
    """A bot of a sandbox's, which Ann may write to."""
    async with TelegramSandbox() as tg:
        settings = TelegramSettings.model_validate({"api_root": tg.root})
        async with TelegramAdapter(settings, tg.token) as adapter:
            await adapter.identify()
            errands, read = anyio.create_memory_object_stream[Errand](1000)
            with Store.open(folder) as store, errands, read:
                Access(store).allow(CHAT, by="test")
                yield Way(store, adapter, (errands, read), folder, tg.person("ann"))
