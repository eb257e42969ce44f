"""The host's end of a session, as the SDK's streams: a line in is a message, a message out is a line.

The SDK's own hand every message through two queues and two tasks; these read and write where they are asked to.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCMessage, jsonrpc_message_adapter
from pydantic import BaseModel

from agent_channels.core.log import may_contain_secret, redact
from agent_channels.core.server.exit import leave
from agent_channels.core.server.stdin import StdinLines
from agent_channels.core.server.stdout import Stdout
from agent_channels.core.text.sanitize import well_formed

__all__ = ["HostReader", "HostWriter"]


class _Stream:
    async def aclose(self) -> None:
        """Nothing is held: the process ends with its host."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class HostReader(_Stream):
    """What the host says; a line that is no message is the error that says why.

    At its end the process ends at once if what the host was told already waits for it to read: nobody will.
    """

    def __init__(self, lines: StdinLines, out: Stdout) -> None:
        self._lines, self._out = lines, out

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            line = await anext(self._lines)
        except StopAsyncIteration:
            if self._out.stuck:
                leave()
            raise
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError as error:
            return error

    async def receive(self) -> SessionMessage | Exception:
        """The next one. Raises EndOfStream."""
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise anyio.EndOfStream from None


class HostWriter(_Stream):
    """What the host is told: nothing that would end the connection, or names a secret."""

    def __init__(self, out: Stdout) -> None:
        self._out = out

    async def send(self, item: SessionMessage) -> None:
        """Writes a message; ends the process when the host is gone, since nobody reads what we write."""
        try:
            await self._out.write(_line(item.message).encode())
        except ConnectionError:
            leave()


def _line(message: JSONRPCMessage) -> str:
    """A message as a line without a lone surrogate, which UTF-8 cannot carry, and without a secret."""
    try:
        line = _dumped(message)
    except ValueError:
        line = ""
    # Value by value only where it has to be: that costs more than all else that is done to a line.
    if not line or may_contain_secret(line):
        for name in ("params", "result", "error"):
            value = getattr(message, name, None)
            if isinstance(value, BaseModel):
                setattr(message, name, type(value).model_validate(_clean(value.model_dump(exclude_unset=True))))
            elif value is not None:
                setattr(message, name, _clean(value))
        line = _dumped(message)
    return line


def _dumped(message: JSONRPCMessage) -> str:
    return message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(well_formed(value))
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
