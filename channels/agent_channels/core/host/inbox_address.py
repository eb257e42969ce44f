"""Where a host takes messages for its session, as it tells the programs that it starts, and how it wants them written.

Imports next to nothing: hooks ask, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agent_channels.core.settings.paths import env_value

__all__ = ["INBOX_VARIABLES", "InboxAddress", "inbox_address"]

# What the names of a host's two variables begin with, and what each of its lines has besides. A plugin of ours goes
# first: its host may have been started from a session of another host, whose variables it inherited.
PLUGIN = "CHANNELS_HOST"
_HOSTS: Mapping[str, Mapping[str, object]] = {PLUGIN: {}, "CLAUDE_CODE": {}, "QWEN_CODE": {"msgV": 1}}
INBOX_VARIABLES = {
    PLUGIN: ("CHANNELS_HOST_SOCKET", "CHANNELS_HOST_TOKEN"),
    **{name: (f"{name}_MESSAGING_SOCKET", f"{name}_MESSAGING_TOKEN") for name in ("CLAUDE_CODE", "QWEN_CODE")},
}


class InboxAddress(NamedTuple):
    """The socket of a session's inbox, the token for it, and what the host's variables begin with."""

    path: str
    token: str | None
    prefix: str = "CLAUDE_CODE"

    @property
    def answers(self) -> bool:
        """Whether a plugin of ours holds the socket, which also tells what its host does."""
        return self.prefix == PLUGIN

    def auth(self) -> dict[str, object] | None:
        """Return the line that comes first on a connection; None if the host asks for none."""
        return {**_HOSTS[self.prefix], "type": "auth", "token": self.token} if self.token else None

    def message(self, text: str) -> dict[str, object]:
        """Return the line of one message."""
        # Hooks ask for the address at every step, and seldom write to it.
        import uuid

        name = "msgId" if self.prefix == "QWEN_CODE" else "msg_id"
        message = {"role": "user", "content": text}
        return {**_HOSTS[self.prefix], "type": "user", name: str(uuid.uuid4()), "message": message}


def inbox_address(environ: Mapping[str, str] | None = None) -> InboxAddress | None:
    """Return the address that the environment names; None if it names none."""
    for prefix, (path, token) in INBOX_VARIABLES.items():
        if found := env_value(path, environ):
            return InboxAddress(found, env_value(token, environ), prefix)
    return None
