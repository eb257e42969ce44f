"""The faults every sandbox has, with Discord's error bodies, and those of the gateway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from agent_channels.sandbox.discord.gateway import Gateway
from agent_channels.sandbox.faults import Answer, Fault, Faults

__all__ = ["DiscordFaults"]


class DiscordFaults(Faults):
    """Rules name calls as in "POST /channels/*/messages", "download" or "gateway" (connecting); `chat` is a channel id.

    The verbs below act on all gateway connections at once.
    """

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._gateway = gateway

    def drop_gateway(self) -> None:
        """Cuts every connection without a word; the sessions can be resumed."""
        for connection in list(self._gateway.connections):
            connection.cut()

    def close_gateway(self, code: int) -> None:
        """Closes every connection with a code; after 4004, 4007, 4009 and 4010-4014 its session is over."""
        for connection in list(self._gateway.connections):
            connection.close(code)

    def silence_gateway(self) -> None:
        """Connections stay open and hear nothing any more, new ones too, until `clear`, which cuts them."""
        self._gateway.silent = True

    def miss_acks(self) -> None:
        """Heartbeats are not answered until `clear`; events still arrive."""
        self._gateway.acks = False

    def reconnect_gateway(self) -> None:
        """Asks every connection to reconnect and resume (op 7)."""
        for connection in list(self._gateway.connections):
            connection.reconnect()

    def invalidate_session(self, *, resumable: bool = False) -> None:
        """Tells every connection that its session is invalid (op 9); unless `resumable`, it is over."""
        for connection in list(self._gateway.connections):
            session = connection.session
            if session is not None and not resumable:
                self._gateway.sessions.end(session)
                session.connection = None
                connection.session = None
            connection.push(9, resumable)

    def forget_sessions(self) -> None:
        """What was connected before cannot be resumed; connections stay."""
        for session in list(self._gateway.sessions.alive.values()):
            if not session.connected:
                self._gateway.sessions.end(session)

    def refuse_resume(self) -> None:
        """Every RESUME is answered with an invalid session until `clear`."""
        self._gateway.resumable = False

    def clear(self) -> None:
        """Forgets all rules, ends "down" and the gateway's faults, and cuts what was kept in silence."""
        super().clear()
        if self._gateway.silent:
            self.drop_gateway()
        self._gateway.silent, self._gateway.acks, self._gateway.resumable = False, True, True

    async def run(
        self, fault: Fault | None, request: web.Request, execute: Answer, flood: Answer
    ) -> web.StreamResponse:
        """As for every sandbox, with an error's body and content type as Discord has them."""
        if fault is not None and fault.kind == "error":
            body: Mapping[str, Any] | str = fault.body or {"message": f"{fault.status}: Error", "code": 0}
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=fault.status, body=text.encode(), headers={"Content-Type": "application/json"})
        return await super().run(fault, request, execute, flood)
