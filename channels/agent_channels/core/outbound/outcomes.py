"""What must reach the platform whatever happened to the process that decided it: outcomes of panels, and notices."""

from __future__ import annotations

import logging
from dataclasses import replace

import anyio

from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.buttons.panels import Panel, Panels
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import KeyboardButton, Outgoing
from agent_channels.core.errors import Ambiguous, PlatformError, RateLimited, Rejected, StoreError, Unavailable
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.scheduling import Backoff, Wakeups
from agent_channels.core.store.notices import Notice, Notices
from agent_channels.core.text.sanitize import label

__all__ = ["Outcomes"]

logger = logging.getLogger(__name__)


class Outcomes:
    """Show the outcome of answered panels, and send notices."""

    def __init__(self, adapter: Adapter, panels: Panels, notices: Notices, threads: Threads, wakeups: Wakeups) -> None:
        self._adapter, self._panels, self._notices, self._wakeups = adapter, panels, notices, wakeups
        self._threads = threads
        self._faults = Backoff(first_s=0.5, cap_s=10)

    async def run(self) -> None:
        """Work until cancelled; what a dead process left undone comes first."""
        while True:
            try:
                again = await self.do_all_due()
            except StoreError as error:
                logger.warning("outcomes are shown later: %s", error)
                again = True
            if again:
                await anyio.sleep(self._faults.next())
            else:
                await self._wakeups.outcome_due.wait()

    async def do_all_due(self) -> bool:
        """Return True if something has to be tried again later."""
        again = False
        for panel in self._panels.outcomes_due():
            again |= await self._show(panel)
        while not again and (notice := self._notices.claim()) is not None:
            again = await self._send(notice)
        return again

    async def _show(self, panel: Panel) -> bool:
        outcome = panel.sentence or translate(
            "outcome_answered",
            label=label(panel.outcome or "", 200),
            user=label(self._panels.last_tapper(panel.id), 64),
        )
        if panel.message_id is None:
            self._panels.outcome_shown(panel)
            return False
        try:
            await self._adapter.close_panel(
                panel.chat_id,
                panel.message_id,
                panel.snapshot,
                redact(outcome),
                chosen=self._chosen_key(panel),
                thread_id=panel.thread_id,
            )
        except (Unavailable, RateLimited, Ambiguous):
            # The edit is idempotent, so even an ambiguous fault is tried again.
            return True
        except PlatformError as error:
            # Gone, blocked or refused: it will never show, and trying again would only be noise.
            logger.info("the outcome of panel %s is not shown: %s", panel.id, redact(str(error)))
        self._panels.outcome_shown(panel)
        return False

    def _chosen_key(self, panel: Panel) -> KeyboardButton | None:
        """Return the button that was chosen; None if nobody chose one, or several."""
        if panel.state != "answered" or panel.outcome is None:
            return None
        keys = (key for row in lay_out(panel.id, panel.grid, self._adapter.limits) for key in row)
        buttons = (button for _, _, button in panel.cells())
        chosen = (key for key, button in zip(keys, buttons, strict=True) if button.label == panel.outcome)
        return next((key for key in chosen if key.url is None and key.copy is None), None)

    async def _send(self, notice: Notice) -> bool:
        try:
            await self._deliver(notice)
        except (Unavailable, RateLimited):
            self._notices.release(notice)
            return True
        except PlatformError as error:
            logger.info("a notice to %s is not sent: %s", notice.chat_id, redact(str(error)))
        self._notices.delete(notice)
        return False

    async def _deliver(self, notice: Notice) -> None:
        outgoing = Outgoing(notice.chat_id, notice.text, thread_id=notice.thread_id, silent=notice.silent)
        try:
            await self._threads.send(outgoing)
        except Rejected:
            # Of somebody who asked in a group to pair, only their own id is known.
            chat_id = await self._adapter.open_direct_chat(notice.chat_id)
            if chat_id == notice.chat_id:
                raise
            await self._adapter.send(replace(outgoing, chat_id=chat_id))
