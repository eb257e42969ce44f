"""The faults every sandbox has, in Slack's formats, and those of the sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from agent_channels.sandbox.faults import Faults
from agent_channels.sandbox.slack.socket_mode import SocketMode

__all__ = ["SlackFaults"]


class SlackFaults(Faults):
    """Rules name methods, "upload", "download", "response_url" or "socket" (connecting); `chat` is a conversation's id.

    The methods below act on all sockets at once.
    """

    def __init__(self, socket: SocketMode, rate_limited: Callable[[int], web.StreamResponse]) -> None:
        super().__init__(lambda _status: {"ok": False, "error": "internal_error"}, rate_limited)
        self._socket = socket

    def drop_sockets(self) -> None:
        """Cut every socket without a close frame."""
        for connection in list(self._socket.connections):
            connection.cut()

    def close_sockets(self, code: int = 1000) -> None:
        """Close every socket."""
        for connection in list(self._socket.connections):
            connection.close(code)

    def garble_sockets(self, text: str) -> None:
        """Send a text that is no envelope over every socket."""
        for connection in list(self._socket.connections):
            connection.push(text)

    def warn_sockets(self) -> None:
        """Announce to every socket that it will be closed soon."""
        for connection in list(self._socket.connections):
            connection.disconnect("warning")

    def refresh_sockets(self) -> None:
        """Ask every socket to be replaced; those that still are there after a while are closed."""
        loop = asyncio.get_running_loop()
        for connection in list(self._socket.connections):
            connection.disconnect("refresh_requested")
            loop.call_later(self._socket.refresh_grace_s, connection.close)

    def disable_socket_mode(self) -> None:
        """Switch Socket Mode off in the app's settings, which ends every socket."""
        self._socket.state.app.socket_mode = False
        for connection in list(self._socket.connections):
            connection.disconnect("link_disabled")
            connection.close()

    def enable_socket_mode(self) -> None:
        """Switch Socket Mode on again."""
        self._socket.state.app.socket_mode = True

    def silence_sockets(self) -> None:
        """Keep sockets open and send nothing, over new ones too, until `clear`, which cuts them."""
        self._socket.silent = True

    def clear(self) -> None:
        """Forget all rules, end "down" and the sockets' faults, and cut the requests that a `silence` holds."""
        super().clear()
        if self._socket.silent:
            self.drop_sockets()
        self._socket.silent = False
