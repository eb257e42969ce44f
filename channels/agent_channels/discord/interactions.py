"""Interactions: taps and commands are acknowledged at once, since Discord gives three seconds, and answered later.

Those of a person who makes very many are only answered, if at all, so that a flood of them holds up nobody.

The id that the core hands back is `ID:TOKEN` for a tap and `/ID:TOKEN` for a command from the menu.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from discord.http import HTTPClient

from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.contract.recent import Recent
from agent_channels.core.errors import PlatformError, TooOld
from agent_channels.core.i18n.messages import translate
from agent_channels.core.scheduling import Budget
from agent_channels.discord import markup, outbound
from agent_channels.discord.inbound import COMMAND, COMMAND_MARK

__all__ = ["Interactions", "command_menu"]

# Discord refuses an acknowledgement that comes later.
ACK_S = 3.0
_KEPT = 2000
# How many are acknowledged at once, of everybody and of each person; one more each second.
ALL_MAX, EACH_MAX = 200, 20
# "Interaction Callback Type"
_REPLY, _DEFER, _DEFER_UPDATE, _MODAL = 4, 5, 6, 9
_EPHEMERAL = 1 << 6


class Interactions:
    """The interactions of one bot, from the gateway's event to the answer."""

    def __init__(self, http: Callable[[], Awaitable[HTTPClient]], application: Callable[[], str]) -> None:
        """`application` returns the id under which later answers are sent."""
        self._http, self._application = http, application
        self._acks: Recent[str, asyncio.Task[bool]] = Recent(_KEPT)
        self._budget = Budget(ALL_MAX, EACH_MAX)

    def close(self) -> None:
        """Cancel the acknowledgements that are on their way."""
        for task in self._acks.values():
            task.cancel()

    def begin(self, raw: dict[str, Any]) -> bool:
        """Start to acknowledge an interaction; return False for one that only opens a form.

        Raises LookupError, TypeError, ValueError or AttributeError for one that cannot be read.
        """
        data = raw.get("data") or {}
        custom_id = str((data.get("values") or [""])[0] or data.get("custom_id") or "")
        opens = raw.get("type") == 3 and custom_id.endswith(markup.FORM)
        person = raw.get("user") or (raw.get("member") or {}).get("user") or {}
        if not self._budget.take(str(person.get("id"))):
            return not opens
        body: dict[str, Any] = {"type": _DEFER_UPDATE}
        if opens:
            body = {"type": _MODAL, "data": markup.form(custom_id, translate("form_title"))}
        elif raw.get("type") == COMMAND:
            # Only the person who typed it sees the answer: the bot's status does not concern a whole room.
            body = {"type": _DEFER, "data": {"flags": _EPHEMERAL}}
        callback = f"/interactions/{raw['id']}/{raw['token']}/callback"
        self._acks[str(raw["id"])] = asyncio.create_task(self._acknowledge(callback, body))
        return not opens

    async def _acknowledge(self, callback: str, body: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(ACK_S):
                await self._call("POST", callback, body)
        except (PlatformError, TimeoutError):
            return False
        return True

    async def answer(self, answer_id: str, text: str, *, counted: bool) -> None:
        """Answer a tap or command with a message that only that person sees.

        `counted`: a tap whose outcome the message itself will show gets no answer. One that is too old for any answer
        is not an error: nobody waits for it any more.
        """
        command = answer_id.startswith(COMMAND_MARK)
        interaction, _, token = answer_id.removeprefix(COMMAND_MARK).partition(":")
        ack = self._acks.pop(interaction, None)
        acknowledged = await ack if ack is not None else False
        callback = f"/interactions/{outbound.checked_id(interaction, 'tap')}/{quote(token, safe='')}/callback"
        with suppress(TooOld):
            if command:
                await self._answer_command(callback, token, text, acknowledged=acknowledged)
            else:
                await self._answer_tap(callback, token, "" if counted else text, acknowledged=acknowledged)

    async def _answer_tap(self, callback: str, token: str, text: str, *, acknowledged: bool) -> None:
        data = _data(text) | {"flags": _EPHEMERAL}
        if not acknowledged:
            body = {"type": _REPLY, "data": data} if text else {"type": _DEFER_UPDATE}
            if await self._called_back(callback, body):
                return
        if text:
            await self._call("POST", self._webhook(token), data)

    async def _answer_command(self, callback: str, token: str, text: str, *, acknowledged: bool) -> None:
        """Replace "is thinking" by the text; without a text, remove it."""
        original = f"{self._webhook(token)}/messages/@original"
        if not text:
            await self._call("DELETE", original)
            return
        data = _data(text)
        if not acknowledged:
            body = {"type": _REPLY, "data": data | {"flags": _EPHEMERAL}}
            if await self._called_back(callback, body):
                return
        await self._call("PATCH", original, data)

    async def _called_back(self, callback: str, body: dict[str, Any]) -> bool:
        """Return False when a process that is gone has acknowledged it already, or nobody did in time."""
        try:
            await self._call("POST", callback, body)
        except TooOld:
            return False
        return True

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        await outbound.call(await self._http(), method, path, body)

    def _webhook(self, token: str) -> str:
        return f"/webhooks/{self._application()}/{quote(token, safe='')}"


def _data(text: str) -> dict[str, Any]:
    return {"content": text, "allowed_mentions": outbound.NO_PINGS}


def command_menu(entries: Sequence[MenuEntry]) -> list[dict[str, Any]]:
    """Return application commands of the kind CHAT_INPUT, for servers and for direct chats with the bot."""
    return [
        {
            "type": 1,
            "name": entry.name,
            "description": entry.description,
            "integration_types": [0],
            "contexts": [0, 1],
            "options": [
                {
                    "type": 3,
                    "name": "what",
                    "description": entry.description,
                    "required": False,
                }
                | ({"choices": [{"name": one, "value": one} for one in entry.choices]} if entry.choices else {})
            ]
            if entry.choices or entry.free
            else [],
        }
        for entry in entries
    ]
