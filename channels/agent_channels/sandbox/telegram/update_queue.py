"""The queue of updates: kept until the bot confirms them with a higher offset, read by one poller at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent_channels.sandbox.telegram.errors import BotApiError, bad, conflict

__all__ = ["UpdateQueue", "parse_allowed_updates"]

KEPT_S = 24 * 3600
MAX_TIMEOUT_S = 50
FIRST_ID = 870_000_001

# Update kinds; the last four come only when they are named ("getUpdates", allowed_updates).
KIND_NAMES = """
message edited_message channel_post edited_channel_post business_connection business_message
edited_business_message deleted_business_messages inline_query chosen_inline_result callback_query shipping_query
pre_checkout_query purchased_paid_media poll poll_answer my_chat_member chat_join_request chat_boost
removed_chat_boost chat_member message_reaction message_reaction_count stopped_message_generation"""
KINDS = frozenset(KIND_NAMES.split())
DEFAULT_KINDS = KINDS - {"chat_member", "message_reaction", "message_reaction_count", "stopped_message_generation"}

OTHER_POLLER = "terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_ACTIVE = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


@dataclass
class _QueuedUpdate:
    update: dict[str, Any]
    expires: float


class UpdateQueue:
    """Updates that are not confirmed yet, oldest first.

    `now` is the sandbox's clock in seconds; `changed` is called after every change. `poller_slot_s`: how long the slot
    of a poller stays taken after its connection died (0: not at all).
    """

    def __init__(self, now: Callable[[], float], changed: Callable[[], None]) -> None:
        self._now = now
        self._changed = changed
        self._kept: list[_QueuedUpdate] = []
        self._held: list[dict[str, Any]] | None = None
        self._next_id = FIRST_ID
        # The waiting poll: resolved to a refusal, or to None when there is something to read.
        self._poll: asyncio.Future[BotApiError | None] | None = None
        self._slot_until = 0.0
        self.allowed: frozenset[str] = DEFAULT_KINDS
        self.webhook: dict[str, Any] = {}
        self.confirmed = 0
        self.poller_slot_s = 0.0

    @property
    def pending(self) -> int:
        """The number of updates that are not confirmed yet, held ones included."""
        self._expire()
        return len(self._kept) + len(self._held or ())

    @property
    def latest(self) -> int:
        """The id of the newest update; one less than the first id while there was none."""
        return self._next_id - 1

    @property
    def polling(self) -> bool:
        """Whether a long poll is waiting right now."""
        return self._poll is not None

    def add(self, kind: str, payload: dict[str, Any]) -> None:
        """Queue an update, unless the bot did not ask for its kind."""
        if kind not in self.allowed:
            return
        update = {"update_id": self._next_id, kind: payload}
        self._next_id += 1
        if self._held is not None:
            self._held.append(update)
        else:
            self._keep(update)
        self._changed()

    def hold(self) -> None:
        """Hide new updates from the bot until `release`."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        """Let the bot see the held updates, in order."""
        held, self._held = self._held or [], None
        for update in held:
            self._keep(update)
        self._changed()

    def drop_pending(self) -> None:
        """Forget all updates (`drop_pending_updates`)."""
        self._kept.clear()
        self._changed()

    def end_poll(self, refusal: BotApiError | None) -> None:
        """End a waiting poll: with a refusal, or with None to let it read the queue."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(refusal)

    async def get(self, offset: int, limit: int, timeout: int, allowed: list[str] | None) -> list[dict[str, Any]]:
        """Answer getUpdates. Raises BotApiError 409 with a webhook set, or when a newer poll takes this one's place."""
        if self.webhook.get("url"):
            raise conflict(WEBHOOK_ACTIVE)
        if self._now() < self._slot_until:
            raise conflict(OTHER_POLLER)
        if allowed is not None:
            self.allowed = frozenset(allowed) & KINDS or DEFAULT_KINDS
        self._confirm(offset)
        limit = min(max(limit, 1), 100)
        found = self._read(limit)
        if found or timeout <= 0:
            return found
        # Only a call that has to wait ends the waiting one: do_get_updates in the server's source.
        self.end_poll(conflict(OTHER_POLLER))
        return await self._long_poll(limit, min(timeout, MAX_TIMEOUT_S))

    async def _long_poll(self, limit: int, timeout: int) -> list[dict[str, Any]]:
        poll: asyncio.Future[BotApiError | None] = asyncio.get_running_loop().create_future()
        self._poll = poll
        self._changed()
        try:
            async with asyncio.timeout(timeout):
                refusal = await poll
        except TimeoutError:
            return []
        except asyncio.CancelledError:
            self._slot_until = self._now() + self.poller_slot_s
            raise
        finally:
            if self._poll is poll:
                self._poll = None
            self._changed()
        if refusal is not None:
            raise refusal
        return self._read(limit)

    def _keep(self, update: dict[str, Any]) -> None:
        self._kept.append(_QueuedUpdate(update, self._now() + KEPT_S))
        self.end_poll(None)

    def _confirm(self, offset: int) -> None:
        self._expire()
        if offset < 0:
            # "retrieve updates starting from -offset update from the end; all previous updates will be forgotten"
            offset = self._kept[offset:][0].update["update_id"] if self._kept else self._next_id
        before = len(self._kept)
        self._kept = [kept for kept in self._kept if kept.update["update_id"] >= offset]
        if len(self._kept) != before or offset - 1 > self.confirmed:
            self.confirmed = max(self.confirmed, min(offset, self._next_id) - 1)
            self._changed()

    def _read(self, limit: int) -> list[dict[str, Any]]:
        return [kept.update for kept in self._kept[:limit]]

    def _expire(self) -> None:
        now = self._now()
        self._kept = [kept for kept in self._kept if kept.expires > now]


def parse_allowed_updates(value: Any) -> list[str] | None:
    """Return `allowed_updates`, None when absent. Raises BotApiError when it is not a list of strings."""
    if value is None or value == "":
        return None
    if not isinstance(value, list) or not all(isinstance(kind, str) for kind in value):
        raise bad("can't parse allowed updates: expected an Array of String")
    return value
