"""The MCP server over stdio, as an agent host's channel: takes the host's messages, runs its tool calls, and pushes.

A host that is answered `server/discover` never takes the server for a channel, so it is not among the methods.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.abc

from agent_channels.core import tracing
from agent_channels.core.errors import ChannelError
from agent_channels.core.host.call_limits import call_limits
from agent_channels.core.host.protocol import HOOK_TOOL
from agent_channels.core.server.exit import leave
from agent_channels.core.server.handshake import INITIALIZED, answer
from agent_channels.core.server.protocol import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    HostMessage,
    McpConversation,
    RequestId,
    RpcError,
    encode,
    error_response,
    parse,
    response,
)
from agent_channels.core.server.stdin import LineTooLong, StdinLines
from agent_channels.core.server.stdio import HostWriter, to_line
from agent_channels.core.settings.declared import Declared, InvalidValues
from agent_channels.core.settings.log_file import log_command
from agent_channels.core.settings.validation import explain_problem, unknown_name

__all__ = ["CallResult", "McpSession", "Tool"]

logger = logging.getLogger(__name__)
CANCELLED = "notifications/cancelled"
# So many of the last results are known by their calls, and so many unknown arguments are named.
LOST_MAX, UNKNOWN_MAX = 16, 5
Handler = Callable[[Any], Awaitable["str | CallResult"]]


@dataclass(frozen=True, slots=True)
class CallResult:
    """The agent's text, and notes that are not part of it.

    `written` is called once the host's pipe has it, and never if the host is gone by then; `lost` if the host cancels
    the call only then, and so drops the result. `question` is the id of the question that it is about.
    """

    text: str
    written: Callable[[], None] | None = None
    lost: Callable[[], None] | None = None
    question: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: the model of its arguments, which gives the schema, and the handler, which returns the agent's text."""

    name: str
    description: str
    model: type[Declared]
    handler: Handler
    read_only: bool = False


class McpSession:
    """One host's connection."""

    def __init__(
        self,
        conversation: McpConversation,
        tools: Sequence[Tool],
        notified: Mapping[str, tuple[type[Declared], Callable[[Any], Awaitable[None]]]],
        answer_hook: Callable[[object], str],
    ) -> None:
        """`notified`: a notification's method -> (model, handler); `answer_hook(arguments)` answers a hook's call."""
        self._conversation = conversation
        self.tools = {tool.name: tool for tool in tools}
        self._notified, self._answer_hook = dict(notified), answer_hook
        # Set once the host awaits notifications.
        self.initialized = anyio.Event()
        self._host: HostWriter | None = None
        self._group: anyio.abc.TaskGroup | None = None
        self._calls: dict[RequestId, anyio.CancelScope] = {}
        # What to do if the host cancels one of the last calls after all: its result is dropped there.
        self._lost: dict[RequestId, Callable[[], None]] = {}

    async def serve(self, lines: StdinLines, host: HostWriter) -> None:
        """Serve until the host closes its end; calls that still run then are cancelled."""
        if self._conversation.initialized:
            self.initialized.set()
        async with anyio.create_task_group() as group:
            self._host, self._group = host, group
            await self._hear(lines)
            if host.stuck:
                # It waits for a host that does not read any more either.
                leave()
            group.cancel_scope.cancel()

    async def push(self, method: str, params: dict[str, object]) -> None:
        """Send a notification and return once its bytes are in the pipe; a host that does not read delays that."""
        if self._host is not None:
            await self._host.send(to_line({"jsonrpc": "2.0", "method": method, "params": params}))

    def client(self) -> str:
        """Return the host's name and version as it gave them, or ""."""
        return self._conversation.client

    # ---- what the host says

    async def _hear(self, lines: StdinLines) -> None:
        """Take every line until the end."""
        while True:
            try:
                return await lines.each(self._take_line)
            except LineTooLong as error:
                logger.warning("the host wrote what cannot be read: %s", error)
                self._reply(to_line(error_response(None, RpcError(INVALID_REQUEST, str(error)))))

    def _take_line(self, line: str) -> None:
        if (message := parse(line)) is not None:
            self._take(message)

    def _take(self, message: HostMessage) -> None:
        """Answer a message, or have that done; in no case does the next one wait for it."""
        if message.id is None:
            self._notice(message)
        elif _is_hook(message):
            # The host waits for such a call at every step of its agent.
            text = self._answer_hook(message.params.get("arguments"))
            self._reply(encode(response(message.id, _result(text))))
        elif (answered := answer(self._conversation, message)) is not None:
            self._reply(to_line(answered))
        else:
            scope = self._calls[_key(message.id)] = anyio.CancelScope()
            self._start(self._answer_call, message.id, message.params, scope)

    def _notice(self, notification: HostMessage) -> None:
        method, params = notification.method, notification.params or {}
        if not isinstance(params, dict):
            return
        if method == INITIALIZED:
            self._conversation.begin()
            self.initialized.set()
        elif method == CANCELLED:
            self._cancel(params.get("requestId"))
        elif method in self._notified and self._conversation.open:
            model, handle = self._notified[method]
            try:
                given = model.of({name: value for name, value in params.items() if name in model.declared()})
            except InvalidValues:
                logger.warning("dropped %r: its parameters are malformed", method)
                return
            self._start(_contained, handle, given)

    def _cancel(self, request_id: object) -> None:
        """Stop a call, or take back what it was given if its result is on its way."""
        if isinstance(request_id, bool) or not isinstance(request_id, int | str):
            return
        key = _key(request_id)
        if (scope := self._calls.get(key)) is not None:
            scope.cancel()
        lost = self._lost.pop(key, None)
        if lost is not None and not call_limits(self.client()).cancels_answered:
            lost()

    # ---- what it is answered

    def _start(self, work: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        assert self._group is not None, "a message came before there was a host"  # noqa: S101 - for the type checker
        self._group.start_soon(work, *args)

    def _reply(self, line: bytes) -> None:
        """Write a response; if the host does not read, what it says is read all the same."""
        if self._host is not None and not self._host.send_now(line):
            self._start(self._host.send, line)

    async def _answer_call(self, request_id: RequestId, params: dict[str, Any], scope: anyio.CancelScope) -> None:
        """Run a tool call and write its result; a call that the host cancels gets no response."""
        key, answered = _key(request_id), None
        try:
            with scope:
                answered = await self._traced(request_id, params)
        except anyio.get_cancelled_exc_class():
            self._reply(to_line(error_response(request_id, RpcError(CONNECTION_CLOSED, "Connection closed"))))
            raise
        except Exception:
            logger.exception("a call of %r failed", params["name"])
            self._reply(to_line(error_response(request_id, RpcError(INTERNAL_ERROR, "Internal error"))))
        finally:
            # A later call may have the same id.
            if self._calls.get(key) is scope:
                del self._calls[key]
        if answered is not None:
            result, told = answered
            if not scope.cancel_called:
                await self._write_result(request_id, result, told)
            elif told.lost is not None:
                told.lost()

    async def _write_result(self, request_id: RequestId, result: dict[str, Any], told: CallResult) -> None:
        if told.lost is not None:
            self._lost[_key(request_id)] = told.lost
            while len(self._lost) > LOST_MAX:
                del self._lost[next(iter(self._lost))]
        if self._host is not None:
            await self._host.send(to_line(response(request_id, result)))
        if told.written is not None:
            told.written()

    async def _traced(self, request_id: RequestId, params: dict[str, Any]) -> tuple[dict[str, Any], CallResult]:
        name, meta = params["name"], params.get("_meta")
        traceparent = meta.get("traceparent") if isinstance(meta, dict) else None
        with tracing.tool_call(name, request_id, traceparent) as call:
            result, told = await self.call(name, params.get("arguments") or {})
            if call is not None and result["isError"]:
                call.error = "tool_error"
            return result, told

    async def call(self, name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], CallResult]:
        """Run a tool; return the result of the call for the host, and what the tool returned."""
        tool = self.tools.get(name)
        if tool is None:
            return _failed(f"there is no tool {name!r}; there are {', '.join(self.tools)}")
        known, ignored = _known_arguments(given, tool.model)
        try:
            result = await tool.handler(tool.model.of(known))
        except InvalidValues as error:
            return _failed(f"{name} was not run: {_explain(error, tool)}", *ignored)
        except ChannelError as error:
            return _failed(str(error), *ignored)
        except Exception as error:
            # The text of an unforeseen error may hold anything: it goes to the log, and the agent gets only its type.
            logger.exception("tool %s failed", name)
            more = log_command(self._conversation.name)
            return _failed(f"{name} failed unexpectedly ({type(error).__name__}); `{more}` says more")
        told = CallResult(result) if isinstance(result, str) else result
        return _result(told.text, *told.notes, *ignored), told


async def _contained(handle: Callable[[Any], Awaitable[None]], given: object) -> None:
    try:
        await handle(given)
    except Exception:
        logger.exception("a notification of the host's was not handled")


def _is_hook(request: HostMessage) -> bool:
    return (
        request.method == "tools/call" and isinstance(request.params, dict) and request.params.get("name") == HOOK_TOOL
    )


def _key(request_id: RequestId) -> RequestId:
    """Return an id as it is compared: some hosts cancel a call by its number as text."""
    return int(request_id) if isinstance(request_id, str) and request_id.isdecimal() else request_id


def _result(*texts: str, failed: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text} for text in texts], "isError": failed}


def _failed(*texts: str) -> tuple[dict[str, Any], CallResult]:
    return _result(*texts, failed=True), CallResult(texts[0])


def _known_arguments(given: Mapping[str, Any], model: type[Declared]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments that a tool takes, and what to say of the others, which are ignored."""
    declared = model.declared()
    known = {name: value for name, value in given.items() if name in declared}
    unknown = [unknown_name("argument", name, declared) for name in given if name not in known][:UNKNOWN_MAX]
    return known, [f"Ignored: {'; '.join(unknown)}"] if unknown else []


def _explain(error: InvalidValues, tool: Tool) -> str:
    declared = tool.model.declared()
    return "; ".join(explain_problem(problem, "argument", declared) for problem in error.problems[:5])
