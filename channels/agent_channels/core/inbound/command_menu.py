"""The platform's menu of commands: sent once, and again only if it changed."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict
from typing import get_args

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.errors import Ambiguous, PlatformError, RateLimited, StoreError, Unavailable
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.video_requests import COMMAND as YT2PDF
from agent_channels.core.log import redact
from agent_channels.core.scheduling import Backoff
from agent_channels.core.settings.config import Progress, Rich
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["command_menu", "publish_command_menu"]

logger = logging.getLogger(__name__)
# The bot's reader has more urgent things to do at its start.
FIRST_AFTER_S = 1.0


def command_menu(*, rich: bool, hub: bool = False, videos: bool = False) -> list[MenuEntry]:
    """Return the commands that people can choose from, in the language in force.

    `rich`: the platform has a rich form of messages to choose. `hub`: several projects share the bot. `videos`:
    summaries of videos can be asked for.
    """
    return [
        MenuEntry("status", translate("menu_status")),
        MenuEntry("stop", translate("menu_stop")),
        MenuEntry("progress", translate("menu_progress"), get_args(Progress)),
        *([MenuEntry("rich", translate("menu_rich"), get_args(Rich))] if rich else []),
        MenuEntry("loop", translate("menu_loop"), free=True),
        *([MenuEntry(YT2PDF, translate("menu_yt2pdf"), free=True)] if videos else []),
        MenuEntry("inbox", translate("menu_inbox")),
        *(
            [
                MenuEntry("projects", translate("menu_projects"), free=True, private=True),
                MenuEntry("new", translate("menu_new"), free=True),
                MenuEntry("here", translate("menu_here"), free=True),
            ]
            if hub
            else []
        ),
        MenuEntry("cancel", translate("menu_cancel")),
        MenuEntry("session", translate("menu_session"), ("status", "clear", "export")),
        MenuEntry("help", translate("menu_help")),
        MenuEntry("pair", translate("menu_pair"), private=True),
    ]


async def publish_command_menu(
    adapter: Adapter, key_values: KeyValue, bot_id: str, *, hub: bool = False, videos: bool = False
) -> None:
    """Send the menu unless the platform has exactly this one. A refusal is logged: the chat works without a menu."""
    entries = command_menu(rich=adapter.capabilities.rich, hub=hub, videos=videos)
    key = f"menu:{bot_id}"
    digest = hashlib.sha256(json.dumps([asdict(entry) for entry in entries]).encode()).hexdigest()
    pauses = Backoff(first_s=2.0, cap_s=300.0)
    await anyio.sleep(FIRST_AFTER_S)
    while True:
        pause = pauses.next()
        try:
            if key_values.get(key) == digest:
                logger.info("the platform has the menu of commands already")
                return
            await adapter.set_commands(entries)
            key_values.set(key, digest)
        except RateLimited as error:
            pause = max(pause, error.retry_after)
        except (Unavailable, Ambiguous, StoreError) as error:
            # Sending the menu is idempotent.
            logger.info("the menu of commands is sent later: %s", redact(str(error)))
        except PlatformError as error:
            logger.warning("the platform does not take the menu of commands: %s", redact(str(error)))
            return
        await anyio.sleep(pause)
