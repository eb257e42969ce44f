"""Tell people, once, that a message still waits, with the reason if it is known, and that one was handed over late."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from agent_channels.core.errors import StoreError
from agent_channels.core.i18n.messages import translate, translate_count
from agent_channels.core.inbound.receipts import Receipts
from agent_channels.core.journal.entry import Entry
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.scheduling import RARELY_S, Wakeups, wait_for_tick
from agent_channels.core.store.notices import Notices

__all__ = ["WaitNotices"]

logger = logging.getLogger(__name__)


class WaitNotices:
    """Write notices about messages that wait longer than `after_s` seconds; 0: never."""

    def __init__(self, inbox: Inbox, notices: Notices, receipts: Receipts, wakeups: Wakeups, after_s: float) -> None:
        self._inbox, self._notices, self._receipts, self._wakeups = inbox, notices, receipts, wakeups
        self._after_s = after_s

    async def run(self, why: Callable[[], str]) -> None:
        """Look every few seconds until cancelled; `why` returns why nobody picks messages up, or "" if unknown."""
        while self._after_s > 0:
            await wait_for_tick(min(RARELY_S, self._after_s))
            try:
                await self._tell(why)
            except StoreError as error:
                logger.warning("nobody can be told that messages wait: %s", error)

    async def _tell(self, why: Callable[[], str]) -> None:
        with self._inbox.store.transaction():
            overdue = self._inbox.overdue(time.time() - self._after_s)
            for chat in overdue:
                reason = f" ({known})" if (known := why()) else ""
                key = "notice_not_offered" if chat.unoffered else "notice_offered"
                text = translate(key, count=_messages(chat.count), reason=reason)
                self._notices.add(chat.chat_id, text, thread_id=chat.thread_id)
        if overdue:
            self._wakeups.outcome_due.set()
        for chat in overdue:
            await self._receipts.show_waiting(chat.chat_id, chat.newest)

    def before_offer(self, entries: Sequence[Entry]) -> None:
        """Tell the senders of messages that are about to be offered for the first time, and late.

        `entries` are the oldest that are about to be.
        """
        before = time.time() - self._after_s
        if self._after_s <= 0 or not any(not entry.offers and (entry.said_at or before) < before for entry in entries):
            return
        with self._inbox.store.transaction():
            late = self._inbox.offered_late(before)
            for chat in late:
                self._notices.add(
                    chat.chat_id, translate("notice_late", count=_count(chat.count)), thread_id=chat.thread_id
                )
        if late:
            self._wakeups.outcome_due.set()


def _count(count: int) -> str:
    return translate_count("messages", count)


def _messages(count: int) -> str:
    return translate("your_message") if count == 1 else translate("your_messages", count=count)
