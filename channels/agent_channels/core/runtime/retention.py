"""What is old and over goes, a little at a time; what is open never does."""

from __future__ import annotations

import logging
import time

import anyio

from agent_channels.core.errors import StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.store.database import Store

__all__ = ["Retention", "prune"]

logger = logging.getLogger(__name__)
FIRST_AFTER_S = 60.0
EVERY_S = 600.0
# Rows deleted in one transaction: the write lock is never held for long.
STEP = 200
DAY_S = 86_400.0

# Each statement deletes at most STEP rows; the first value is the time before which things are old.
_STEPS = (
    (
        "DELETE FROM inbox WHERE id IN "
        "(SELECT id FROM inbox WHERE state IN ('answered', 'dropped', 'joined') AND received_at < ? LIMIT ?)"
    ),
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < ? LIMIT ?)",
    "DELETE FROM panels WHERE id IN (SELECT id FROM panels WHERE expires_at < ? AND outcome_due = 0 LIMIT ?)",
    "DELETE FROM prompts WHERE id IN (SELECT id FROM prompts WHERE expires_at < ? AND state != 'open' LIMIT ?)",
    "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? LIMIT ?)",
)


def prune(store: Store, keep_days: float, keep_rows: int) -> int:
    """One small step; returns how many rows went. Zero: nothing old is left."""
    before = time.time() - keep_days * DAY_S
    gone = 0
    for statement in _STEPS:
        with store.transaction() as db:
            gone += db.execute(statement, (before, STEP)).rowcount
    ended = store.value("SELECT count(*) FROM inbox WHERE state IN ('answered', 'dropped')")
    if ended > keep_rows:
        with store.transaction() as db:
            gone += db.execute(
                "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE state IN ('answered', 'dropped') "
                "ORDER BY id LIMIT ?)",
                (min(STEP, ended - keep_rows),),
            ).rowcount
    return gone


class Retention:
    """Prunes beside the rest, by the reader only."""

    def __init__(self, store: Store, files: Files, keep_days: float, keep_rows: int, history_days: float) -> None:
        self._store, self._files = store, files
        self._keep_days, self._keep_rows = keep_days, keep_rows
        self._history, self._history_days = History(store), history_days

    async def run(self) -> None:
        """Works until cancelled."""
        await anyio.sleep(FIRST_AFTER_S)
        while True:
            try:
                # Everything else goes first, hence the pause.
                while prune(self._store, self._keep_days, self._keep_rows):  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                while self._old_history():  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                self._files.prune(Inbox(self._store).open_files(), self._keep_days)
            except (StoreError, OSError) as error:
                logger.warning("nothing was pruned: %s", error)
            await anyio.sleep(EVERY_S)

    def _old_history(self) -> int:
        """One small step on what was said: what is too old goes, what is new can be searched for."""
        gone = self._history.prune(time.time() - self._history_days * DAY_S, STEP)
        return gone + self._history.index()
