"""Interactions: answers to taps, and the menu of commands."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import Bot

from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.errors import TooOld
from agent_channels.telegram.errors import translated
from agent_channels.telegram.http import AiohttpRequest

__all__ = ["answer_tap", "set_commands"]


async def answer_tap(bot: Bot, tap_id: str, text: str, *, alert: bool) -> None:
    """Answer a callback query. One that has grown too old is not an error: nobody waits for it any more."""
    try:
        with translated():
            await bot.answer_callback_query(tap_id, text or None, show_alert=alert or None)
    except TooOld:
        return


async def set_commands(request: AiohttpRequest, entries: Sequence[MenuEntry]) -> None:
    """Replace the commands of the default scope."""
    commands = [
        # Bot API 10.3; older servers ignore it.
        {"command": entry.name, "description": entry.description} | ({"is_ephemeral": True} if entry.private else {})
        for entry in entries
    ]
    with translated():
        await request.api("setMyCommands", commands=commands)
