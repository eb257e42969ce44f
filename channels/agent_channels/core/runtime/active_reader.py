"""The tasks of the one process that reads a bot: read, sort, deliver, show outcomes, tell people, prune."""

from __future__ import annotations

import os
import time

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from agent_channels import __version__
from agent_channels.core.buttons.answers import Errand
from agent_channels.core.buttons.approval_cards import ApprovalCards
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.files.downloads import Downloads
from agent_channels.core.files.storage import Files
from agent_channels.core.files.transcribe import Transcriber
from agent_channels.core.host.delivery import Delivery, Push
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.sessions import Sessions
from agent_channels.core.host.typing_indicator import TypingIndicator
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.command_menu import register
from agent_channels.core.inbound.commands import Listener, menu
from agent_channels.core.inbound.pipeline import InboundPipeline, run_errand
from agent_channels.core.inbound.reader import Reader
from agent_channels.core.inbound.receipts import Receipts
from agent_channels.core.inbound.wait_notices import WaitNotices
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.outbound.outcomes import Outcomes
from agent_channels.core.people.access import Access
from agent_channels.core.people.pairing import Pairing
from agent_channels.core.runtime.retention import Retention
from agent_channels.core.scheduling import Broadcast, Wakeup
from agent_channels.core.settings.config import Settings
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health

__all__ = ["ActiveReader"]

ERRANDS = 256
WORKERS = 4
STALLED_S = 10.0


class ActiveReader:
    """Lives as long as the lock is held."""

    def __init__(
        self,
        adapter: Adapter,
        store: Store,
        settings: Settings,
        files: Files,
        bot_id: str,
        push: Push,
        session: str,
        silence_s: float,
        health: Health,
        modes: Modes,
        changed: Broadcast,
    ) -> None:
        """`silence_s`: how long the platform may be silent; `session`: the host session that entries are offered to."""
        self._adapter, self._store, self._settings = adapter, store, settings
        self._inbox, self._modes = Inbox(store), modes
        self._arrived, self._opened, self._due = Wakeup(), Wakeup(), Wakeup()
        self._group = anyio.create_task_group()
        self._presence = TypingIndicator(adapter, self._group, settings.typing_cap_s)
        self._transcriber = Transcriber(settings.transcribe, settings.transcribe_s, os.environ)
        self._pictures = Downloads(adapter, self._inbox, files, self._opened, self._group, self._transcriber)
        self._marks = Receipts(adapter, store, on=settings.marks)
        self._waiting = WaitNotices(store, self._due, settings.told_after_s, self.why_waiting)
        self.delivery = Delivery(
            self._inbox,
            push,
            self._opened,
            self._presence,
            session,
            self._waiting.late,
            modes,
            adapter.channel,
            changed,
        )
        self._changed, self._files = changed, files
        self._bot_id, self._session, self._since = bot_id, session, time.time()
        self._health, self._silence_s = health, silence_s
        self._cards = ApprovalCards(adapter, store, files, self._due, self._opened, changed)
        self._retention = Retention(store, files, settings.keep_days, settings.keep_rows, settings.history_days)

    async def run(self) -> None:
        """Works until cancelled, or until one of its tasks fails."""
        errands_in, errands_out = anyio.create_memory_object_stream[Errand](ERRANDS)
        arrivals = InboundPipeline(
            self._adapter,
            self._inbox,
            Access(self._store),
            Pairing(self._store),
            (self._arrived, self._opened),
            (self.delivery.claim, self.delivery.hand),
            self._decided,
            self._pictures.start,
            self._marks,
            errands_in,
            self._files,
            self._listener,
            spoken=self._transcriber.enabled,
            overheard=self._settings.group_context,
        )
        reader = Reader(
            self._adapter,
            self._bot_id,
            self._inbox,
            self._health,
            self._arrived,
            arrivals.take,
            self._silence_s,
        )
        async with self._group as group, errands_in, errands_out:
            chores = Outcomes(self._adapter, self._store, self._due)
            tasks = (self.delivery.run, self.delivery.escalate, self._retention.run, chores.run)
            for task in (*tasks, self._cards.run, self._cards.sweep):
                group.start_soon(task)
            for _ in range(WORKERS):
                group.start_soon(_work, errands_out.clone())
            group.start_soon(self._waiting.run, self._marks)
            self._inbox.retry_failed(__version__)
            self._pictures.start()
            await reader.identify()
            group.start_soon(register, self._adapter, self._store, self._bot_id, menu())
            group.start_soon(arrivals.run)
            await reader.run()

    def _listener(self) -> Listener:
        known = Sessions(self._store).get(self._session)
        mode, why = self._modes.current()
        return Listener(known.client if known else "", self._files.roots[0].name, mode, why, self._since)

    def _decided(self) -> None:
        self._due.set()
        self._changed.notify_all()

    def shown_elsewhere(self, event_ids: frozenset[str]) -> None:
        """What another project's agent was shown before this process took over."""
        self._inbox.elsewhere = event_ids

    def foreign_commit(self) -> None:
        """Another process wrote to the store: look at everything it may have changed."""
        self._opened.set()
        self._due.set()
        self._cards.asked.set()
        self._pictures.start()

    def ring_opened(self) -> None:
        """There may be something to offer."""
        self._opened.set()

    def ring_due(self) -> None:
        """There is an outcome to show."""
        self._due.set()

    def ring_asked(self) -> None:
        """There is a card to send."""
        self._cards.asked.set()

    def acting(self, chat_id: str) -> None:
        """Before an answer is counted: write down what went through, and by what."""
        self.delivery.settle()
        self._modes.acted(chat_id)

    def answered(self, chat_id: str) -> None:
        """The agent acted on a chat."""
        self._presence.stop(chat_id)
        # What was held back while too much was unanswered may go now.
        self._opened.set()
        if marked := self._marks.ended(chat_id):
            self._group.start_soon(self._marks.restore, chat_id, marked)

    def mode(self) -> tuple[str, str]:
        """The delivery mode in force, and why."""
        name, why = self._modes.publish()
        stalled = self.delivery.stalled_s()
        if stalled > STALLED_S:
            return name, f"the host has not read for {stalled:.0f} s; messages are kept until it does"
        return name, why

    def why_waiting(self) -> str:
        """Why nobody picks messages up, for a person; empty when unknown."""
        stalled = self.delivery.stalled_s()
        if stalled > STALLED_S:
            return translate("reason_not_reading", seconds=f"{stalled:.0f}")
        return translate("reason_next_turn") if self._modes.current()[0] in {"hook", "pull"} else ""


async def _work(errands: MemoryObjectReceiveStream[Errand]) -> None:
    async with errands:
        async for errand in errands:
            await run_errand(errand)
