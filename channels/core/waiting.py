"""What a person is told about a message that waits: kept, with the reason when it is known; picked up late; and marks.

Nothing here claims more than is known: a host never says that it showed a message, so "offered" is the most we say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import anyio

from channels.core.adapter import Adapter
from channels.core.errors import PlatformError, StoreError
from channels.core.log import redact
from channels.core.offers import Entry
from channels.core.store import Row, Store
from channels.core.tasks import Bell
from channels.core.types import Message
from channels.core.wording import say

__all__ = ["Marks", "Waiting", "unmark"]

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
# Above this many new messages at once, only the newest of each chat is marked: marks are requests too.
MARKED_ONE_BY_ONE = 10
# The agent hears of a message before its sender sees the mark: preparing a request takes longer than telling the host.
COURTESY_S = 0.1


class Waiting:
    """Tells people, once, that what they wrote is still open; and that it was handed over late."""

    def __init__(self, store: Store, due: Bell, told_after_s: float, why: Callable[[], str]) -> None:
        """`why`: the reason why nobody picks messages up, in words for a person; empty when unknown."""
        self._store, self._due, self._after_s, self._why = store, due, told_after_s, why

    async def run(self, marks: Marks) -> None:
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
        with self._store.write() as db:
            # SQLite takes a bare column from the row that gave the maximum.
            rows = self._store.rows(
                "SELECT chat_id, thread_id, count(*) AS n, max(id) AS newest, message_id, "
                f"sum(state = 'ready') AS unoffered FROM inbox WHERE {_UNTOLD} GROUP BY chat_id, thread_id",
                before,
            )
            for row in rows:
                why = self._why()
                reason = f" ({why})" if why else ""
                key = "kept_unoffered" if row["unoffered"] else "kept_offered"
                self._notice(row, say(key, count=_messages(row["n"]), reason=reason))
            db.execute(f"UPDATE inbox SET told = 1 WHERE {_UNTOLD}", (before,))
        self._due.ring()
        return [(row["chat_id"], row["message_id"]) for row in rows]

    def late(self, entries: Sequence[Entry]) -> None:
        """Writes one notice for each chat whose messages are offered for the first time, and late.

        `entries`: the oldest that are about to be.
        """
        before = time.time() - self._after_s
        if self._after_s <= 0 or not any(not entry.offers and (entry.said_at or before) < before for entry in entries):
            return
        where = "state = 'ready' AND offers = 0 AND late = 0 AND said_at < ?"
        with self._store.write() as db:
            rows = self._store.rows(
                f"SELECT chat_id, thread_id, count(*) AS n FROM inbox WHERE {where} GROUP BY chat_id, thread_id", before
            )
            for row in rows:
                self._notice(row, say("kept_late", count=_count(row["n"])))
            db.execute(f"UPDATE inbox SET late = 1 WHERE {where}", (before,))
        if rows:
            self._due.ring()

    def _notice(self, place: Row, text: str) -> None:
        with self._store.write() as db:
            db.execute(
                "INSERT INTO notices (chat_id, thread_id, text, created_at) VALUES (?, ?, ?, ?)",
                (place["chat_id"], place["thread_id"], text, time.time()),
            )


_UNTOLD = "state IN ('ready', 'offering', 'offered') AND told = 0 AND received_at < ?"


def _count(count: int) -> str:
    return say("count_one") if count == 1 else say("count_many", count=count)


def _messages(count: int) -> str:
    return say("one_message") if count == 1 else say("messages", count=count)


def unmark(store: Store, chat_id: str, message_id: str) -> None:
    """The agent's own reaction took the place of our mark: nothing is to be put back there."""
    with store.write() as db:
        db.execute(
            "UPDATE inbox SET mark = NULL WHERE chat_id = ? AND message_id = ? AND mark IS NOT NULL",
            (chat_id, message_id),
        )


class Marks:
    """Reactions of ours on what people wrote: received and kept, and another one while nobody picks it up."""

    def __init__(self, adapter: Adapter, store: Store, *, on: bool) -> None:
        self._adapter, self._store = adapter, store
        self._emoji = adapter.capabilities.marks if on else None

    def received(self, messages: list[Message]) -> list[Callable[[], Awaitable[None]]]:
        """The errands that mark messages which were just journalled."""
        if self._emoji is None or not messages:
            return []
        said = [m for m in messages if not (m.edited or m.reaction or m.quiet)]
        chosen = said if len(said) <= MARKED_ONE_BY_ONE else list({m.chat.id: m for m in said}.values())
        due = anyio.current_time() + COURTESY_S
        return [self._mark(m.chat.id, m.message_id, self._emoji[0], not_before=due) for m in chosen]

    async def waiting(self, told: list[tuple[str, str]]) -> None:
        """Marks the newest message of each chat that was told to wait."""
        if self._emoji is None:
            return
        for chat_id, message_id in told:
            with self._store.write() as db:
                db.execute(
                    "UPDATE inbox SET mark = 'waiting' WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
                )
            await self._quietly(self._mark(chat_id, message_id, self._emoji[1]))

    def ended(self, chat_id: str) -> list[str]:
        """The agent acted on a chat, where nothing waits any more; returns the messages whose mark is to be changed."""
        if self._emoji is None:
            return []
        try:
            where = "chat_id = ? AND mark = 'waiting'"
            rows = self._store.rows(f"SELECT message_id FROM inbox WHERE {where}", chat_id)
            if rows:
                with self._store.write() as db:
                    db.execute(f"UPDATE inbox SET mark = NULL WHERE {where}", (chat_id,))
        except StoreError as error:
            logger.warning("marks stay as they are: %s", error)
            return []
        return [row["message_id"] for row in rows]

    async def restore(self, chat_id: str, message_ids: list[str]) -> None:
        """Marks messages as received again."""
        for message_id in message_ids:
            if self._emoji is not None:
                await self._quietly(self._mark(chat_id, message_id, self._emoji[0]))

    def _mark(
        self, chat_id: str, message_id: str, emoji: str, *, not_before: float = 0
    ) -> Callable[[], Awaitable[None]]:
        async def errand() -> None:
            await anyio.sleep_until(not_before)
            await self._adapter.react(chat_id, message_id, emoji)

        return errand

    @staticmethod
    async def _quietly(errand: Callable[[], Awaitable[None]]) -> None:
        try:
            await errand()
        except PlatformError as error:
            logger.info("not marked: %s", redact(str(error)))
