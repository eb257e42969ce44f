"""Interactions: acknowledged at once, since Discord gives three seconds; what comes of them is said afterwards.

An id that the core hands back is `ID:TOKEN` for a tap and `/ID:TOKEN` for a command from the menu.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

from discord.http import HTTPClient

from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.errors import PlatformError, TooOld
from agent_channels.core.i18n.messages import translate
from agent_channels.discord import markup, outbound
from agent_channels.discord.inbound import COMMAND, COMMAND_MARK

__all__ = ["Interactions", "menu_body"]

# An interaction has to be acknowledged within three seconds; what takes longer is of no use any more.
ACK_S = 3.0
_KEPT = 2000
# "Interaction Callback Type"
_REPLY, _DEFER, _DEFER_UPDATE, _MODAL = 4, 5, 6, 9
_EPHEMERAL = outbound.EPHEMERAL


class Interactions:
    """The interactions of one bot, from the gateway's event to the answer."""

    def __init__(self, http: Callable[[], Awaitable[HTTPClient]], application: Callable[[], str]) -> None:
        """`application`: the id under which follow-ups are sent."""
        self._http, self._application = http, application
        self._acks: OrderedDict[str, asyncio.Task[bool]] = OrderedDict()

    def close(self) -> None:
        """Gives up what is on its way."""
        for task in self._acks.values():
            task.cancel()

    def begin(self, raw: dict[str, Any]) -> bool:
        """Acknowledges an interaction before anything else; False for one that only opens a form."""
        data = raw.get("data") or {}
        custom_id = str((data.get("values") or [""])[0] or data.get("custom_id") or "")
        opens = raw.get("type") == 3 and custom_id.endswith(markup.FORM)
        body: dict[str, Any] = {"type": _DEFER_UPDATE}
        if opens:
            body = {"type": _MODAL, "data": markup.form(custom_id, translate("form_title"))}
        elif raw.get("type") == COMMAND:
            # Only whoever typed it sees the answer: what a bot says of itself is no matter for a whole room.
            body = {"type": _DEFER, "data": {"flags": _EPHEMERAL}}
        self._acks[str(raw["id"])] = asyncio.create_task(self._acknowledge(raw, body))
        while len(self._acks) > _KEPT:
            self._acks.popitem(last=False)
        return not opens

    async def _acknowledge(self, raw: dict[str, Any], body: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(ACK_S):
                http = await self._http()
                await outbound.call(http, "POST", f"/interactions/{raw['id']}/{raw['token']}/callback", body)
        except (PlatformError, TimeoutError):
            return False
        return True

    async def answer(self, tap_id: str, text: str, *, counted: bool) -> None:
        """A message that only whoever tapped sees; what counted shows in the message itself."""
        command = tap_id.startswith(COMMAND_MARK)
        plain = tap_id.removeprefix(COMMAND_MARK)
        ack = self._acks.pop(plain.partition(":")[0], None)
        acknowledged = await ack if ack is not None else False
        if acknowledged and not command and (counted or not text):
            return
        try:
            if command:
                await self._answer_command(plain, text, acknowledged=acknowledged)
            else:
                said = "" if counted else text
                await outbound.answer(await self._http(), self._application(), plain, said, acknowledged=acknowledged)
        except TooOld:
            return

    async def _answer_command(self, tap_id: str, text: str, *, acknowledged: bool) -> None:
        """Takes the place of "is thinking"; without a text that goes away."""
        http = await self._http()
        interaction, _, token = tap_id.partition(":")
        token = quote(token, safe="")
        original = f"/webhooks/{self._application()}/{token}/messages/@original"
        if not text:
            await outbound.call(http, "DELETE", original)
            return
        content = {"content": text[: markup.LIMITS.text], "allowed_mentions": outbound.NO_PINGS}
        if not acknowledged:
            path = f"/interactions/{outbound.ident(interaction, 'command')}/{token}/callback"
            try:
                await outbound.call(http, "POST", path, {"type": _REPLY, "data": {**content, "flags": _EPHEMERAL}})
            except TooOld:
                # Acknowledged by a process that is gone; if it is too late for that too, nobody looks any more.
                pass
            else:
                return
        await outbound.call(http, "PATCH", original, content)


def menu_body(entries: Sequence[MenuEntry]) -> list[dict[str, Any]]:
    """Application commands of the kind CHAT_INPUT, for servers and for direct chats with the bot."""
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
                    "required": True,
                    "choices": [{"name": choice, "value": choice} for choice in entry.choices],
                }
            ]
            if entry.choices
            else [],
        }
        for entry in entries
    ]
