"""Messages to the host as lines, without anything that would end the connection or names a secret."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.core.log import redact_tokens
from agent_channels.core.server.exit import leave
from agent_channels.core.server.stdout import Stdout
from agent_channels.core.text.sanitize import well_formed

__all__ = ["HostWriter", "to_line"]

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class HostWriter:
    """Lines to the host; the process ends if that is gone, since nobody reads what we write."""

    def __init__(self, stdout: Stdout) -> None:
        self._stdout = stdout

    @property
    def stuck(self) -> bool:
        """Whether something waits for a host that does not read."""
        return self._stdout.stuck

    async def send(self, line: bytes) -> None:
        """Write a line, and return once all of it is in the pipe."""
        try:
            await self._stdout.write(line)
        except ConnectionError:
            leave()

    def send_now(self, line: bytes) -> bool:
        """Write a line without waiting for the host; return False if other lines go first, and nothing was done."""
        try:
            return self._stdout.write_now(line)
        except ConnectionError:
            leave()


def to_line(message: dict[str, Any]) -> bytes:
    """Return a message as a line without a lone surrogate, which UTF-8 cannot carry, and without a secret."""
    cleaned = {name: _clean(message[name]) for name in ("params", "result", "error") if name in message}
    return _dump(message | cleaned).encode() + b"\n"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact_tokens(well_formed(value))
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
