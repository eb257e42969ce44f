"""Reading the platform: journal first, then acknowledge; every fault has a state, a pause and a next try."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import StoreError
from agent_channels.core.inbound.listening import Listening, Source
from agent_channels.core.inbound.pipeline import Batch, InboundPipeline, Unsortable
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.services import Services

__all__ = ["Reader"]

logger = logging.getLogger(__name__)


class Reader:
    """The one reader of a bot, and the `EventSink` that its adapter writes into."""

    def __init__(
        self,
        adapter: Adapter,
        bot_id: str,
        services: Services,
        pipeline: InboundPipeline,
        wakeups: Wakeups,
        *,
        silence_s: float,
        source: Source | None = None,
        seen_elsewhere: frozenset[str] = frozenset(),
    ) -> None:
        """`silence_s`: after so much silence of the source the connection counts as dead.

        `source`: where events come from, instead of the platform.
        `seen_elsewhere` are events that another project's agent was shown: shown here, they say that they come again.
        """
        self._adapter, self._bot_id, self._services, self._pipeline = adapter, bot_id, services, pipeline
        self._wakeups, self._seen_elsewhere = wakeups, seen_elsewhere
        self._source = source or adapter.listen
        self._listening = Listening(silence_s, self._record_fault, services.health.set_retry)

    # ---- EventSink

    async def put(self, events: Sequence[RawEvent], cursors: Mapping[str, str | None] | None = None) -> None:
        """Journal a batch, sort it, and return when it is on disk."""
        first = not self._services.health.reading
        if events and first:
            self.mark_alive()
        batch = self._journal_and_sort(events, cursors or {})
        if batch is not None:
            await self._pipeline.dispatch(batch)
        if events and not first:
            self.mark_alive()
        await self._services.store.sync()

    def _journal_and_sort(self, events: Sequence[RawEvent], cursors: Mapping[str, str | None]) -> Batch | None:
        """Do both in one transaction; if the sorting fails, journal alone and leave the sorting to the pipeline."""
        try:
            with self._services.store.transaction():
                new = self._journal(events, cursors)
                if new and self._pipeline.sorts_later:
                    self._pipeline.leave_for_later()
                    return None
                return self._pipeline.sort_new(new) if new else None
        except (StoreError, Unsortable) as error:
            self._journal(events, cursors)
            logger.warning("events are sorted later: %s", error)
            self._pipeline.leave_for_later()
            return None

    def _journal(self, events: Sequence[RawEvent], cursors: Mapping[str, str | None]) -> list[tuple[int, RawEvent]]:
        with self._services.store.transaction():
            new = self._services.inbox.put(self._bot_id, events, seen=self._seen_elsewhere)
            if cursors:
                self._services.cursors.set(self._bot_id, cursors)
            return new

    def cursors(self) -> Mapping[str, str]:
        """Return the adapter's cursors."""
        return self._services.cursors.get(self._bot_id)

    def enabled_since(self) -> Mapping[str, float]:
        """Return what the gate would let through, by chat."""
        return self._services.access.enabled_since()

    def mark_alive(self) -> None:
        """Record that the platform answered."""
        self._listening.mark_alive()
        self._services.health.record_answer()

    def add_note(self, text: str) -> None:
        """Record something that the operator should know."""
        if text:
            logger.warning("%s", text)
        self._services.health.add_note(text)

    # ---- the loop

    async def identify(self) -> None:
        """Ask who the bot is until the platform says it: without, mentions and replies cannot be recognised."""
        self._services.health.set_state("connecting", "")
        await self._listening.retry(self._identify)

    async def run(self) -> None:
        """Read until cancelled."""
        await self._listening.listen(self._source, self)

    async def _identify(self) -> None:
        identity = await self._adapter.identify()
        self._services.health.set_bot(identity.id, identity.username, identity.remark)

    def _record_fault(self, state: str, text: str) -> None:
        if self._services.health.set_state(state, text):
            logger.warning("reading failed (%s): %s", state, text)
