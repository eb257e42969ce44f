"""The socket through which a host's session takes messages: the host's own, or the one that our plugin opens in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agent_channels.core.settings.paths import env_value

__all__ = ["SessionSocket", "session_socket"]


class SessionSocket(NamedTuple):
    """Where it is, and what it asks for. `answers`: our plugin holds it, which also tells us what its host does."""

    path: str
    token: str | None
    answers: bool = False


def session_socket(environ: Mapping[str, str] | None = None) -> SessionSocket | None:
    """Return the socket of the session that started this process; None if its host has none.

    A plugin's goes first: its host may have been started from a session of another host, whose variables it inherited.
    """
    if path := env_value("CHANNELS_HOST_SOCKET", environ):
        return SessionSocket(path, env_value("CHANNELS_HOST_TOKEN", environ), answers=True)
    if path := env_value("CLAUDE_CODE_MESSAGING_SOCKET", environ):
        return SessionSocket(path, env_value("CLAUDE_CODE_MESSAGING_TOKEN", environ))
    return None
