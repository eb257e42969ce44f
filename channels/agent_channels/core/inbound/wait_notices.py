"""Tells a person that their message still waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import anyio

from agent_channels.core.errors import StoreError
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.receipts import Receipts, logger
from agent_channels.core.journal.offers import Entry
from agent_channels.core.scheduling import Wakeup
from agent_channels.core.store.database import Row, Store

__all__ = ["LOOK_EVERY_S", "WaitNotices"]

LOOK_EVERY_S = 5.0


class WaitNotices:
    """Tells people, once, that what they wrote is still open; and that it was handed over late."""

    def __init__(self, store: Store, due: Wakeup, told_after_s: float, why: Callable[[], str]) -> None:
        """`why`: the reason why nobody picks messages up, in words for a person; empty when unknown."""
        self._store, self._due, self._after_s, self._why = store, due, told_after_s, why

    async def run(self, marks: Receipts) -> None:
        """Looks every few seconds until cancelled."""
        while self._after_s > 0:
            await anyio.sleep(min(LOOK_EVERY_S, self._after_s))
            try:
                await marks.waiting(self.tell())
            except StoreError as error:
                logger.warning("nobody can be told that messages wait: %s", error)

    def tell(self) -> list[tuple[str, str]]:
        """Writes one notice for each chat whose messages have waited long enough; returns (chat, newest message)."""
        before = time.time() - self._after_s
        if not self._store.value(f"SELECT 1 FROM inbox WHERE {_UNTOLD} LIMIT 1", before):
            return []
        with self._store.transaction() as db:
            # SQLite takes a bare column from the row that gave the maximum.
            rows = self._store.rows(
                "SELECT chat_id, thread_id, count(*) AS n, max(id) AS newest, message_id, "
                f"sum(state = 'ready') AS unoffered FROM inbox WHERE {_UNTOLD} GROUP BY chat_id, thread_id",
                before,
            )
            for row in rows:
                why = self._why()
                reason = f" ({why})" if why else ""
                key = "notice_not_offered" if row["unoffered"] else "notice_offered"
                self._notice(row, translate(key, count=_messages(row["n"]), reason=reason))
            db.execute(f"UPDATE inbox SET told = 1 WHERE {_UNTOLD}", (before,))
        self._due.set()
        return [(row["chat_id"], row["message_id"]) for row in rows]

    def late(self, entries: Sequence[Entry]) -> None:
        """Writes one notice for each chat whose messages are offered for the first time, and late.

        `entries`: the oldest that are about to be.
        """
        before = time.time() - self._after_s
        if self._after_s <= 0 or not any(not entry.offers and (entry.said_at or before) < before for entry in entries):
            return
        where = "state = 'ready' AND offers = 0 AND late = 0 AND said_at < ?"
        with self._store.transaction() as db:
            rows = self._store.rows(
                f"SELECT chat_id, thread_id, count(*) AS n FROM inbox WHERE {where} GROUP BY chat_id, thread_id", before
            )
            for row in rows:
                self._notice(row, translate("notice_late", count=_count(row["n"])))
            db.execute(f"UPDATE inbox SET late = 1 WHERE {where}", (before,))
        if rows:
            self._due.set()

    def _notice(self, place: Row, text: str) -> None:
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO notices (chat_id, thread_id, text, created_at) VALUES (?, ?, ?, ?)",
                (place["chat_id"], place["thread_id"], text, time.time()),
            )


_UNTOLD = "state IN ('ready', 'offering', 'offered') AND told = 0 AND received_at < ?"


def _count(count: int) -> str:
    return translate("messages_one") if count == 1 else translate("messages_many", count=count)


def _messages(count: int) -> str:
    return translate("your_message") if count == 1 else translate("your_messages", count=count)
