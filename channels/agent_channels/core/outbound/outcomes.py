"""What has to be done in the platform whatever happened to the process that decided it: outcomes and notices."""

from __future__ import annotations

import logging
import time

import anyio

from agent_channels.core.buttons.panels import Panel, Panels
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import Ambiguous, PlatformError, RateLimited, StoreError, Unavailable
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.store.database import Row, Store
from agent_channels.core.text.sanitize import label

__all__ = [
    "Outcomes",
]

logger = logging.getLogger(__name__)
# A notice claimed by a process that died is anybody's again after this.
LEASE_S = 30.0


class Outcomes:
    """Shows the outcome of answered panels, and says what is to be said."""

    def __init__(self, adapter: Adapter, store: Store, due: Wakeup) -> None:
        self._adapter, self._store, self._due = adapter, store, due
        self._panels = Panels(store)
        self._faults = Backoff(first_s=0.5, cap_s=10)

    async def run(self) -> None:
        """Works until cancelled; what a dead process left undone comes first."""
        while True:
            try:
                again = await self.once()
            except StoreError as error:
                logger.warning("chores wait: %s", error)
                again = True
            if again:
                await anyio.sleep(self._faults.next())
            else:
                await self._due.wait()

    async def once(self) -> bool:
        """Does all that is due; True when something has to be tried again later."""
        again = False
        for panel in self._panels.due():
            again |= await self._show(panel)
        while not again and (notice := self._claim()) is not None:
            again = await self._say(notice)
        return again

    async def _show(self, panel: Panel) -> bool:
        outcome = panel.sentence or translate(
            "outcome_answered", label=label(panel.outcome or "", 200), user=label(self._panels.chosen_by(panel.id), 64)
        )
        if panel.message_id is None:
            self._panels.shown(panel.id)
            return False
        try:
            await self._adapter.close_panel(panel.chat_id, panel.message_id, panel.snapshot, outcome)
        except (Unavailable, RateLimited, Ambiguous):
            # Editing twice is editing once, so even an ambiguous cut is tried again.
            return True
        except PlatformError as error:
            # Gone, blocked or refused: it will never show, and asking again would only be noise.
            logger.info("the outcome of panel %s is not shown: %s", panel.id, redact(str(error)))
        self._panels.shown(panel.id)
        return False

    def _claim(self) -> Row | None:
        now = time.time()
        if not self._store.value("SELECT 1 FROM notices WHERE coalesce(claimed_at, 0) < ?", now - LEASE_S):
            return None
        with self._store.transaction() as db:
            row = self._store.row(
                "SELECT * FROM notices WHERE coalesce(claimed_at, 0) < ? ORDER BY id LIMIT 1", now - LEASE_S
            )
            if row is not None:
                db.execute("UPDATE notices SET claimed_at = ? WHERE id = ?", (now, row["id"]))
            return row

    async def _say(self, notice: Row) -> bool:
        try:
            await self._adapter.send(Outgoing(notice["chat_id"], notice["text"], thread_id=notice["thread_id"]))
        except (Unavailable, RateLimited):
            with self._store.transaction() as db:
                db.execute("UPDATE notices SET claimed_at = NULL WHERE id = ?", (notice["id"],))
            return True
        except PlatformError as error:
            logger.info("a notice to %s is not said: %s", notice["chat_id"], redact(str(error)))
        with self._store.transaction() as db:
            db.execute("DELETE FROM notices WHERE id = ?", (notice["id"],))
        return False
