"""Interactions: answers to taps, and the menu of commands."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import Bot, BotCommand

from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.errors import TooOld
from agent_channels.telegram.errors import translated

__all__ = ["answer_tap", "set_commands"]


async def answer_tap(bot: Bot, tap_id: str, text: str, *, alert: bool) -> None:
    """Answer a callback query. One that has grown too old is not an error: nobody waits for it any more."""
    try:
        with translated():
            await bot.answer_callback_query(tap_id, text or None, show_alert=alert or None)
    except TooOld:
        return


async def set_commands(bot: Bot, entries: Sequence[MenuEntry]) -> None:
    """Replace the commands of the default scope."""
    with translated():
        await bot.set_my_commands([BotCommand(entry.name, entry.description) for entry in entries])
