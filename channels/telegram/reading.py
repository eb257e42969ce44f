"""Reading Telegram: our own loop over getUpdates, whose offset confirms only what the sink has stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import anyio
import httpx
from telegram import Bot
from telegram.request import HTTPXRequest

from channels.core.adapter import Sink
from channels.core.errors import Ambiguous, Conflict, Unavailable
from channels.core.types import RawEvent
from channels.telegram.errors import translated
from channels.telegram.inbound import ALLOWED_UPDATES

__all__ = ["GRACE_S", "RawUpdates", "Reading"]

# A long poll is answered by its time-out; whatever takes this much longer has lost its connection.
GRACE_S = 10.0
# After a day without an update Telegram may begin anew with random ids; an offset from before would skip them.
FORGET_OFFSET_S = 86_400.0


class RawUpdates(HTTPXRequest):
    """Keeps what getUpdates answered as it came, for the journal, and spares the library parsing it."""

    latest = b""

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        code, payload = await super().do_request(*args, **kwargs)
        if not httpx.codes.is_success(code):
            return code, payload
        self.latest = payload
        return code, b'{"ok":true,"result":[]}'


class Reading:
    """One `listen`: polls until it raises."""

    def __init__(self, bot: Bot, updates: RawUpdates, timeout_s: int, sink: Sink) -> None:
        """`timeout_s`: the length of a long poll."""
        self._bot, self._updates, self._timeout_s, self._sink = bot, updates, timeout_s, sink

    async def run(self, first_s: int) -> None:
        """Reads for ever; the first poll waits at most `first_s`. Raises `PlatformError` or `StoreError`."""
        offset: int | None = None
        timeout_s = first_s
        quiet_since = anyio.current_time()
        while True:
            batch = await self._poll(offset, timeout_s)
            timeout_s = self._timeout_s
            self._sink.round_trip()
            now = anyio.current_time()
            if batch:
                await self._sink.put([RawEvent(str(update["update_id"]), json.dumps(update)) for update in batch])
                offset, quiet_since = max(int(update["update_id"]) for update in batch) + 1, now
            elif now - quiet_since > FORGET_OFFSET_S:
                offset = None

    async def _poll(self, offset: int | None, timeout_s: int) -> Sequence[dict[str, Any]]:
        try:
            with translated():
                await self._bot.get_updates(
                    offset=offset, limit=100, timeout=timeout_s, allowed_updates=ALLOWED_UPDATES
                )
        except Conflict as error:
            if "webhook" in str(error):
                with translated():
                    await self._bot.delete_webhook(drop_pending_updates=False)
                self._sink.note("a webhook was set for this bot and was removed, since it is read by polling")
            raise
        except Ambiguous as error:
            # Reading twice is harmless: whatever was handed out and not stored is handed out again.
            raise Unavailable(str(error)) from error
        try:
            found = cast("list[dict[str, Any]]", json.loads(self._updates.latest)["result"])
            for update in found or ():
                int(update["update_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"Telegram's answer was no list of updates ({type(error).__name__})") from error
        return found
