"""The platform's menu of commands: told once, and again only when it changed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.errors import Ambiguous, PlatformError, RateLimited, StoreError, Unavailable
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Backoff
from agent_channels.core.store.database import Store

__all__ = ["register"]

logger = logging.getLogger(__name__)
# Whoever reads the bot has better to do at its start.
FIRST_AFTER_S = 1.0


async def register(adapter: Adapter, store: Store, bot_id: str, entries: Sequence[MenuEntry]) -> None:
    """Tells the platform of the commands unless it was told of just these. A refusal is logged: chat works without."""
    key = f"menu:{bot_id}"
    digest = hashlib.sha256(json.dumps([asdict(entry) for entry in entries]).encode()).hexdigest()
    pauses = Backoff(first_s=2.0, cap_s=300.0)
    await anyio.sleep(FIRST_AFTER_S)
    while True:
        pause = pauses.next()
        try:
            if store.value("SELECT value FROM settings WHERE key = ?", key) == digest:
                logger.info("the platform knows the menu of commands already")
                return
            await adapter.set_commands(entries)
            with store.transaction() as db:
                db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, digest))
        except RateLimited as error:
            pause = max(pause, error.retry_after)
        except (Unavailable, Ambiguous, StoreError) as error:
            # Telling twice is telling once.
            logger.info("the menu of commands is told later: %s", redact(str(error)))
        except PlatformError as error:
            logger.warning("the platform does not take the menu of commands: %s", redact(str(error)))
            return
        await anyio.sleep(pause)
