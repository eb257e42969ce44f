"""Tells the hub which messages this project sent, so that what answers them comes here, wherever it is read."""

from __future__ import annotations

import logging
from typing import Any, cast

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Outgoing, Sent
from agent_channels.core.errors import StoreError
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.sent import SentMessage
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.services import Services

__all__ = ["SentRecorder", "unwatched"]

logger = logging.getLogger(__name__)
# What is told again at the start: a process may have died before it told it.
AGAIN_MAX = 1000
_STEP = 500


class SentRecorder:
    """Records every message that an adapter sent; in the order of sending, and again after a fault of the hub."""

    def __init__(self, hub: ProjectHub) -> None:
        self._hub = hub
        self._waiting: list[SentMessage] = []
        self._any = Wakeup()

    def watch(self, adapter: Adapter) -> Adapter:
        """Return the adapter, of which every message that is sent is recorded from now on."""
        return cast("Adapter", _Watched(adapter, self))

    def add(self, chat_id: str, sent: Sent) -> None:
        """Record a message, or an album."""
        self._waiting += [SentMessage(chat_id, one) for one in (sent.message_id, *sent.others) if one]
        self._any.set()

    async def run(self, services: Services) -> None:
        """Tell the hub, until cancelled: first what this store knows of earlier sends, then what comes."""
        earlier = [SentMessage(*found) for found in services.outbox.sent_messages(AGAIN_MAX)]
        earlier += [SentMessage(*found) for found in services.panels.sent_messages(AGAIN_MAX)]
        backoff = Backoff(cap_s=10.0)
        while True:
            try:
                if earlier:
                    await self._hub.sent.record(self._hub.project, earlier, replace=False)
                    earlier = []
                while self._waiting:
                    some = self._waiting[:_STEP]
                    await self._hub.sent.record(self._hub.project, some)
                    del self._waiting[: len(some)]
            except StoreError as error:
                logger.info("the hub learns later what was sent: %s", error)
                await anyio.sleep(backoff.next())
                continue
            await self._any.wait()


class _Watched:
    """An adapter whose sends are recorded; everything else is the adapter's own."""

    def __init__(self, adapter: Adapter, recorder: SentRecorder) -> None:
        self.bare, self._recorder = adapter, recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)

    async def send(self, outgoing: Outgoing) -> Sent:
        sent = await self.bare.send(outgoing)
        self._recorder.add(outgoing.chat_id, sent)
        return sent


def unwatched(adapter: Adapter) -> Adapter:
    """Return an adapter whose sends are nobody's: what the hub itself says."""
    return adapter.bare if isinstance(adapter, _Watched) else adapter
