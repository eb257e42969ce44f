"""Interactions: answers to taps, and the menu of commands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.errors import TooOld
from agent_channels.telegram.http import BotApi

__all__ = ["answer_tap", "set_commands"]


async def answer_tap(api: BotApi, tap_id: str, text: str, *, alert: bool) -> None:
    """Answer a callback query. One that has grown too old is not an error: nobody waits for it any more."""
    with suppress(TooOld):
        await api.call("answerCallbackQuery", callback_query_id=tap_id, text=text or None, show_alert=alert or None)


async def set_commands(api: BotApi, entries: Sequence[MenuEntry]) -> None:
    """Replace the commands of the default scope."""
    commands = [
        # Bot API 10.3; older servers ignore it.
        {"command": entry.name, "description": entry.description} | ({"is_ephemeral": True} if entry.private else {})
        for entry in entries
    ]
    await api.call("setMyCommands", commands=commands)
