"""The MCP server over stdio, as an agent host's channel.

It keeps to the `initialize` handshake (a server that answers `server/discover` can never be a channel), declares the
channel capabilities, and validates tool arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from mcp import types
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_connection
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage
from pydantic import BaseModel, ValidationError

from agent_channels.core import tracing
from agent_channels.core.errors import ChannelError
from agent_channels.core.host.protocol import CHANNEL, PERMISSION
from agent_channels.core.settings.log_file import log_command
from agent_channels.core.settings.validation import explain_problem, shorten_value

__all__ = ["CallResult", "McpSession", "Tool"]

logger = logging.getLogger(__name__)
Handler = Callable[[Any], Awaitable["str | CallResult"]]


@dataclass(frozen=True, slots=True)
class CallResult:
    """The agent's text. `written` is called once the host's pipe has it, and never if the host is gone by then."""

    text: str
    written: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: the model of its arguments, which gives the schema, and the handler, which returns the agent's text."""

    name: str
    description: str
    model: type[BaseModel]
    handler: Handler
    read_only: bool = False

    def declaration(self) -> types.Tool:
        """Return the tool as `tools/list` shows it."""
        schema = self.model.model_json_schema()
        _drop_titles(schema)
        return types.Tool(
            name=self.name,
            description=self.description,
            input_schema=schema,
            annotations=types.ToolAnnotations(read_only_hint=self.read_only),
        )


class McpSession:
    """One host's connection."""

    def __init__(
        self,
        name: str,
        version: str,
        instructions: str,
        tools: Sequence[Tool],
        prompts: Mapping[str, tuple[str, str]],
        notification_handlers: Mapping[str, tuple[type[BaseModel], Callable[[Any], Awaitable[None]]]],
    ) -> None:
        """`prompts`: name -> (description, text); `notification_handlers`: the host's method -> (model, handler)."""
        self.tools = {tool.name: tool for tool in tools}
        self._listed = types.ListToolsResult(tools=[tool.declaration() for tool in tools])
        self._server: Server[dict[str, Any]] = Server(
            name,
            version=version,
            instructions=instructions,
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
        )
        # It traces every request, and nobody collects the traces here.
        tracing = [one for one in self._server.middleware if type(one).__name__ == "OpenTelemetryMiddleware"]
        for one in tracing:
            self._server.middleware.remove(one)
        self._prompts = dict(prompts)
        for method, (model, handle) in notification_handlers.items():
            self._server.add_notification_handler(method, model, _without_context(handle))
        self._connection: Connection | None = None
        self._written: dict[str | int, Callable[[], None]] = {}

    async def serve(
        self,
        read: ReadStream[SessionMessage | Exception],
        write: WriteStream[SessionMessage],
        started: Callable[[Connection], None],
        answered: set[str | int],
    ) -> None:
        """Serve until the host closes its end; `started` gets the connection, whose `initialized` can be awaited.

        Our responses to the requests in `answered` are dropped: the host has one already.
        """
        dispatcher: JSONRPCDispatcher[Any] = JSONRPCDispatcher(
            read, _Responses(write, answered, self._written), inline_methods=frozenset({"initialize"})
        )
        self._connection = Connection.for_loop(dispatcher)
        options = self._server.create_initialization_options(experimental_capabilities={CHANNEL: {}, PERMISSION: {}})
        started(self._connection)
        await serve_connection(
            self._server, dispatcher, connection=self._connection, lifespan_state={}, init_options=options
        )

    async def push(self, method: str, params: dict[str, object]) -> None:
        """Send a notification and return once its bytes are in the pipe; a host that does not read delays that."""
        if self._connection is not None:
            await self._connection.notify(method, params)

    def client(self) -> str:
        """Return the host's name and version as it gave them, or ""."""
        params = self._connection.client_params if self._connection else None
        return f"{params.client_info.name} {params.client_info.version}".strip() if params else ""

    async def _list(self, _context: object, _params: object) -> types.ListToolsResult:
        return self._listed

    async def _list_prompts(self, _context: object, _params: object) -> types.ListPromptsResult:
        listed = [types.Prompt(name=name, description=description) for name, (description, _) in self._prompts.items()]
        return types.ListPromptsResult(prompts=listed)

    async def _get_prompt(self, _context: object, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        if params.name not in self._prompts:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt {params.name!r}")
        description, text = self._prompts[params.name]
        message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
        return types.GetPromptResult(description=description, messages=[message])

    async def _call(self, context: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        if not tracing.is_on():
            return await self._run(context, params)
        traceparent = (context.meta or {}).get("traceparent")
        with tracing.tool_call(params.name, context.request_id, traceparent) as call:
            result = await self._run(context, params)
            if call is not None and result.is_error:
                call.error = "tool_error"
            return result

    async def _run(self, context: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = self.tools.get(params.name)
        if tool is None:
            return _failed(f"there is no tool {params.name!r}; there are {', '.join(self.tools)}")
        try:
            arguments = tool.model.model_validate(params.arguments or {})
            result = await tool.handler(arguments)
        except ValidationError as error:
            return _failed(f"{params.name} was not run: {_explain(error, tool)}")
        except ChannelError as error:
            return _failed(str(error))
        except Exception as error:
            # The text of an unforeseen error may hold anything: it goes to the log, and the agent gets only its type.
            logger.exception("tool %s failed", params.name)
            more = log_command(self._server.name)
            return _failed(f"{params.name} failed unexpectedly ({type(error).__name__}); `{more}` says more")
        if isinstance(result, str):
            return _text(result)
        if result.written is not None and context.request_id is not None:
            self._written[context.request_id] = result.written
        return _text(result.text)


def _without_context(handle: Callable[[Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[None]]:
    async def handler(_context: object, params: object) -> None:
        await handle(params)

    return handler


def _text(text: str, *, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=failed)


def _failed(text: str) -> types.CallToolResult:
    return _text(text, failed=True)


_BUTTONS_SHAPE = (
    'argument \'buttons\' must be rows of labels, such as [["Yes", "No"], ["Later"]], or of objects with label and '
    "optionally value, style (primary, secondary, success, danger) and url"
)


def _explain_buttons(error: ValidationError) -> str:
    """Return what is wrong with a grid, in a grid's words rather than the model's."""
    problems = [p for p in error.errors(include_url=False) if p["loc"][0] == "buttons"]
    # Every cell is tried as a label and as an object: for an object, the problem with its field says more.
    problem = next((p for p in problems if p["type"] in {"extra_forbidden", "missing"}), problems[0])
    place = [part for part in problem["loc"][1:] if isinstance(part, int)]
    where = f" at row {place[0]}, column {place[1]}" if len(place) > 1 else ""
    field = problem["loc"][-1]
    reasons = {"extra_forbidden": f"{field!r} is not known", "missing": f"{field!r} is missing"}
    return f"{_BUTTONS_SHAPE}; here{where}: {reasons.get(problem['type'], shorten_value(problem.get('input')))}"


def _explain(error: ValidationError, tool: Tool) -> str:
    sentences = []
    for problem in error.errors(include_url=False)[:5]:
        if problem["loc"][:1] == ("buttons",) and "buttons" in tool.model.model_fields:
            sentences.append(_explain_buttons(error))
            break
        sentences.append(explain_problem(problem, "argument", tool.model.model_fields))
    return "; ".join(sentences)


def _drop_titles(schema: object) -> None:
    """Drop the titles that pydantic derives from names: they say nothing and take up the agent's context."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for value in schema.values():
            _drop_titles(value)
    elif isinstance(schema, list):
        for value in schema:
            _drop_titles(value)


class _Responses:
    """A write stream that drops the responses which the host has already, and tells which results were written."""

    def __init__(
        self,
        inner: WriteStream[SessionMessage],
        answered: set[str | int],
        written: dict[str | int, Callable[[], None]],
    ) -> None:
        self._inner, self._answered, self._written = inner, answered, written

    async def send(self, item: SessionMessage) -> None:
        message = item.message
        if self._answered and getattr(message, "method", None) is None:
            request_id = getattr(message, "id", None)
            if request_id in self._answered:
                self._answered.discard(request_id)
                return
        await self._inner.send(item)
        if self._written and getattr(message, "method", None) is None:
            tell = self._written.pop(getattr(message, "id", ""), None)
            if tell is not None:
                tell()

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)
