"""Reads Telegram with getUpdates in a loop of our own, whose offset confirms only what the sink has stored."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, cast

from agent_channels.core.contract.adapter import EventSink
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import Ambiguous, Conflict, Unavailable
from agent_channels.telegram.http import BotApi

__all__ = ["Poller"]

# A long poll is answered when its time-out ends; one that takes this much longer has lost its connection.
GRACE_S = 10.0
# After a day without an update Telegram may start again with random ids, which an older offset would skip.
FORGET_OFFSET_S = 86_400.0


class Poller:
    """One run of `listen`."""

    def __init__(self, api: BotApi, polls: BotApi, timeout_s: int, sink: EventSink, kinds: Sequence[str]) -> None:
        """`polls`: the connection to poll over; `timeout_s`: the length of a long poll; `kinds`: what to ask for."""
        self._kinds = kinds
        self._api, self._polls, self._timeout_s, self._sink = api, polls, timeout_s, sink

    async def run(self, first_s: int) -> None:
        """Poll until something fails; the first poll waits at most `first_s` seconds.

        Raises `PlatformError` or `StoreError`.
        """
        offset: int | None = None
        timeout_s = first_s
        quiet_since = time.monotonic()
        while True:
            updates = await self._poll(offset, timeout_s)
            timeout_s = self._timeout_s
            now = time.monotonic()
            if updates:
                await self._sink.put([RawEvent(str(update["update_id"]), json.dumps(update)) for update in updates])
                offset, quiet_since = max(int(update["update_id"]) for update in updates) + 1, now
                continue
            self._sink.mark_alive()
            if now - quiet_since > FORGET_OFFSET_S:
                offset = None

    async def _poll(self, offset: int | None, timeout_s: int) -> list[dict[str, Any]]:
        try:
            updates = await self._polls.call(
                "getUpdates",
                within_s=timeout_s + GRACE_S,
                offset=offset,
                limit=100,
                timeout=timeout_s,
                allowed_updates=self._kinds,
            )
        except Conflict as error:
            if "webhook" in str(error):
                await self._api.call("deleteWebhook")
                self._sink.add_note("a webhook was set for this bot and was removed, since it is read by polling")
            raise
        except Ambiguous as error:
            # Reading twice is harmless: updates that were handed out and not confirmed are handed out again.
            raise Unavailable(str(error)) from error
        try:
            for update in updates:
                int(update["update_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"Telegram's answer was not a list of updates ({type(error).__name__})") from error
        return cast("list[dict[str, Any]]", updates)
