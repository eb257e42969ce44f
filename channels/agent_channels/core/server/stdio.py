"""The host's end of a session as the SDK's streams: a line in is a message, a message out is a line.

The SDK's own streams pass every message through two queues and two tasks; these read and write directly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, ErrorData, JSONRPCError, JSONRPCMessage, jsonrpc_message_adapter
from pydantic import BaseModel

from agent_channels.core.log import may_contain_secret, redact_tokens
from agent_channels.core.server.exit import leave
from agent_channels.core.server.stdin import LineTooLong, StdinLines
from agent_channels.core.server.stdout import Stdout
from agent_channels.core.text.sanitize import well_formed

__all__ = ["HostReader", "HostWriter"]

logger = logging.getLogger(__name__)


class _Stream:
    """What the SDK wants of both; nothing is held, since the process ends with its host."""

    async def aclose(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class HostReader(_Stream):
    """The host's messages; a line that is not a message comes as the error that says why, a hook's call is answered.

    At the end of the stream the process ends at once if the host has not read what it was sent: nobody will.
    """

    def __init__(self, lines: StdinLines, stdout: Stdout, answer_hook: Callable[[str], str | None]) -> None:
        """`answer_hook(line)` returns the response to a line that is a hook's call, None for any other."""
        self._lines, self._stdout, self._answer_hook = lines, stdout, answer_hook

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            line = await anext(self._lines)
            while (response := self._answer_hook(line)) is not None:
                await _write(self._stdout, response)
                line = await anext(self._lines)
        except StopAsyncIteration:
            if self._stdout.stuck:
                leave()
            raise
        except LineTooLong as error:
            logger.warning("the host wrote what cannot be read: %s", error)
            await _write(self._stdout, _to_line(_refusal(error)))
            return error
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError as error:
            return error

    async def receive(self) -> SessionMessage | Exception:
        """Return the next one. Raises `EndOfStream`."""
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise anyio.EndOfStream from None


class HostWriter(_Stream):
    """Messages to the host, without anything that would end the connection or names a secret."""

    def __init__(self, stdout: Stdout) -> None:
        self._stdout = stdout

    async def send(self, item: SessionMessage) -> None:
        """Write a message; end the process if the host is gone, since nobody reads what we write."""
        await _write(self._stdout, _to_line(item.message))


async def _write(stdout: Stdout, line: str) -> None:
    try:
        await stdout.write(line.encode())
    except ConnectionError:
        leave()


def _refusal(error: LineTooLong) -> JSONRPCError:
    """Return the answer to what cannot be read, whose id is not known."""
    return JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=INVALID_REQUEST, message=str(error)))


def _to_line(message: JSONRPCMessage) -> str:
    """Return a message as a line without a lone surrogate, which UTF-8 cannot carry, and without a secret."""
    try:
        line = _dump(message)
    except ValueError:
        line = ""
    # Value by value only if it has to be: that costs more than everything else done to a line.
    if not line or may_contain_secret(line):
        for name in ("params", "result", "error"):
            value = getattr(message, name, None)
            if isinstance(value, BaseModel):
                setattr(message, name, type(value).model_validate(_clean(value.model_dump(exclude_unset=True))))
            elif value is not None:
                setattr(message, name, _clean(value))
        line = _dump(message)
    return line


def _dump(message: JSONRPCMessage) -> str:
    return message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact_tokens(well_formed(value))
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
