"""The faults every sandbox has, in Discord's formats, and those of the gateway."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from agent_channels.sandbox.discord.gateway import INVALID_SESSION, Gateway
from agent_channels.sandbox.faults import Faults

__all__ = ["DiscordFaults"]


class DiscordFaults(Faults):
    """Rules name calls as in "POST /channels/*/messages", "download" or "gateway" (connecting); `chat` is a channel id.

    The methods below act on all gateway connections at once.
    """

    def __init__(self, gateway: Gateway, rate_limited: Callable[[int], web.StreamResponse]) -> None:
        super().__init__(lambda status: {"message": f"{status}: Error", "code": 0}, rate_limited)
        self._gateway = gateway

    def drop_gateway(self) -> None:
        """Cut every connection without a close frame; the sessions can be resumed."""
        for connection in list(self._gateway.connections):
            connection.cut()

    def close_gateway(self, code: int) -> None:
        """Close every connection with a code; after 4004, 4007, 4009 and 4010-4014 its session is over."""
        for connection in list(self._gateway.connections):
            connection.close(code)

    def garble_gateway(self, data: bytes, *, framed: bool = True) -> None:
        """Send bytes that are no payload over every connection; unless `framed`, no frame either, and the end."""
        for connection in list(self._gateway.connections):
            (connection.push_bytes if framed else connection.garble)(data)

    def silence_gateway(self) -> None:
        """Keep connections open and send nothing, over new ones too, until `clear`, which cuts them."""
        self._gateway.silent = True

    def miss_acks(self) -> None:
        """Leave heartbeats unanswered until `clear`; events still arrive."""
        self._gateway.acks = False

    def reconnect_gateway(self) -> None:
        """Ask every connection to reconnect and resume (op 7)."""
        for connection in list(self._gateway.connections):
            connection.reconnect()

    def invalidate_session(self, *, resumable: bool = False) -> None:
        """Tell every connection that its session is invalid (op 9); unless `resumable`, it is over."""
        for connection in list(self._gateway.connections):
            session = connection.session
            if session is not None and not resumable:
                self._gateway.sessions.end(session)
                session.connection = None
                connection.session = None
            connection.push(INVALID_SESSION, resumable)

    def forget_sessions(self) -> None:
        """End the sessions that are not connected now."""
        for session in list(self._gateway.sessions.alive.values()):
            if not session.connected:
                self._gateway.sessions.end(session)

    def refuse_resume(self) -> None:
        """Answer every RESUME with an invalid session until `clear`."""
        self._gateway.resumable = False

    def clear(self) -> None:
        """Forget all rules, end "down" and the gateway's faults, and cut the requests that a `silence` holds."""
        super().clear()
        if self._gateway.silent:
            self.drop_gateway()
        self._gateway.silent, self._gateway.acks, self._gateway.resumable = False, True, True
