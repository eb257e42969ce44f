"""Delete what is old and over, a little at a time; what is open is never deleted."""

from __future__ import annotations

import logging
import time

import anyio

from agent_channels.core.errors import StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.people.chats import UNNAMED
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Settings

__all__ = ["Retention"]

logger = logging.getLogger(__name__)
FIRST_AFTER_S = 60.0
# Often enough that a flood leaves no more than a minute of it.
EVERY_S = 60.0
# Rows deleted in one transaction: the write lock is never held for long.
STEP = 200
DAY_S = 86_400.0
PAUSE_S = 0.05


class Retention:
    """Prune the tables and the files; only the bot's reader does."""

    def __init__(self, services: Services, files: Files, settings: Settings) -> None:
        self._services, self._files, self._settings = services, files, settings
        self._emptied_at = 0.0

    async def run(self) -> None:
        """Prune now and then, until cancelled."""
        await anyio.sleep(FIRST_AFTER_S)
        while True:
            try:
                # Everything else goes first, hence the pauses.
                while self.prune_step() or self.history_step():  # noqa: ASYNC110
                    await anyio.sleep(PAUSE_S)
                if self._services.inbox.any_masked_since(self._emptied_at):
                    self._emptied_at = time.time()
                    self._services.store.empty_journal()
                self._files.prune(self._services.inbox.open_files(), self._settings.keep_days)
            except (StoreError, OSError) as error:
                logger.warning("nothing was pruned: %s", error)
            await anyio.sleep(EVERY_S)

    def prune_step(self) -> int:
        """Delete some rows that are too old; return how many. 0: nothing old is left."""
        before, keep_rows = time.time() - self._settings.keep_days * DAY_S, self._settings.keep_rows
        services = self._services
        services.key_values.delete_before(UNNAMED, before)
        return (
            services.inbox.mask_answered()
            + services.inbox.prune(before, keep_rows, STEP)
            + services.outbox.prune(before, STEP)
            + services.panels.prune(before, STEP)
            + services.prompts.prune(before, STEP)
            + services.audit.prune(before, keep_rows, STEP)
            + services.notices.prune(before, STEP)
            + services.turns.prune(before, STEP)
            + services.final_answers.prune(before, STEP)
            + services.progress_messages.prune(before, STEP)
            + services.loops.prune(before, STEP)
            + services.chats.prune(before, STEP)
            + services.pairing.prune()
            + services.invites.prune()
            + services.group_context.prune()
            + services.sessions.prune(services.health.get("session") or "")
        )

    def history_step(self) -> int:
        """Delete some lines of history that are too old and index some new ones; return how many."""
        before = time.time() - self._settings.history_days * DAY_S
        services = self._services
        return (
            services.history.prune(before, STEP) + services.chats.prune_joins(before, STEP) + services.history.index()
        )
