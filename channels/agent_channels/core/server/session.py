"""The MCP server over stdio, as an agent host's channel.

It keeps to the `initialize` handshake (a server that answers `server/discover` can never be a channel), declares the
channel capabilities, and validates tool arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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
from agent_channels.core.host.call_limits import call_limits
from agent_channels.core.host.protocol import CHANNEL, PERMISSION
from agent_channels.core.settings.log_file import log_command
from agent_channels.core.settings.validation import explain_problem, shorten_value, unknown_name

__all__ = ["CallResult", "McpSession", "Tool"]

logger = logging.getLogger(__name__)
# Besides `title`, which pydantic derives from a name: it takes up the agent's context and says nothing.
_NOT_STRICT = {"title", "default", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"}
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
    model: type[BaseModel]
    handler: Handler
    read_only: bool = False

    def declaration(self) -> types.Tool:
        """Return the tool as `tools/list` shows it."""
        schema = _for_strict_clients(self.model.model_json_schema(), getattr(self.model, "empty_means", ()))
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
        # What to do if the host cancels one of the last calls after all: its result is dropped there.
        self._lost: dict[str | int, Callable[[], None]] = {}
        self._server.add_notification_handler(
            "notifications/cancelled", types.CancelledNotificationParams, self._cancel
        )

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
        # Made when it is asked for: most hosts ask before the imports are over, and that is answered from a file.
        return types.ListToolsResult(tools=[tool.declaration() for tool in self.tools.values()])

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

    async def _cancel(self, _context: object, params: types.CancelledNotificationParams) -> None:
        """Take back what a call was given that the host cancelled while its result was on its way."""
        if params.request_id is None or (lost := self._lost.pop(params.request_id, None)) is None:
            return
        if not call_limits(self.client()).cancels_answered:
            lost()

    async def _run(self, context: ServerRequestContext, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = self.tools.get(params.name)
        if tool is None:
            return _failed(f"there is no tool {params.name!r}; there are {', '.join(self.tools)}")
        given, ignored = _known_arguments(params.arguments or {}, tool.model)
        try:
            arguments = tool.model.model_validate(given)
            result = await tool.handler(arguments)
        except ValidationError as error:
            return _failed(f"{params.name} was not run: {_explain(error, tool)}", *ignored)
        except ChannelError as error:
            return _failed(str(error), *ignored)
        except Exception as error:
            # The text of an unforeseen error may hold anything: it goes to the log, and the agent gets only its type.
            logger.exception("tool %s failed", params.name)
            more = log_command(self._server.name)
            return _failed(f"{params.name} failed unexpectedly ({type(error).__name__}); `{more}` says more")
        if isinstance(result, str):
            return _text(result, *ignored)
        if context.request_id is not None:
            if result.written is not None:
                self._written[context.request_id] = result.written
            if result.lost is not None:
                self._lost[context.request_id] = result.lost
                while len(self._lost) > LOST_MAX:
                    del self._lost[next(iter(self._lost))]
        return _text(result.text, *result.notes, *ignored)


def _without_context(handle: Callable[[Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[None]]:
    async def handler(_context: object, params: object) -> None:
        await handle(params)

    return handler


def _text(*texts: str, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text) for text in texts], is_error=failed)


def _failed(*texts: str) -> types.CallToolResult:
    return _text(*texts, failed=True)


def _known_arguments(given: Mapping[str, Any], model: type[BaseModel]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments that a tool takes, and what to say of the others, which are ignored."""
    known = {name: value for name, value in given.items() if name in model.model_fields}
    unknown = [unknown_name("argument", name, model.model_fields) for name in given if name not in known][:UNKNOWN_MAX]
    return known, [f"Ignored: {'; '.join(unknown)}"] if unknown else []


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


def _for_strict_clients(schema: dict[str, Any], empty_means: Collection[str]) -> dict[str, Any]:
    """Return the schema of a tool's arguments in the part of JSON Schema that strict clients take.

    Those make every argument required, so whatever may be left out may be null; for a list, an empty one does, but for
    those in `empty_means`. Limits and defaults are not among what they take: a wrong value is answered by a sentence,
    and a default is told in the description.
    """
    required, properties = schema.get("required", []), {}
    for name, given in schema.get("properties", {}).items():
        never_null = name in required or (given.get("type") == "array" and name not in empty_means)
        properties[name] = _property(given, never_null=never_null)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(given: dict[str, Any], *, never_null: bool) -> dict[str, Any]:
    known = {name: value for name, value in given.items() if name not in _NOT_STRICT}
    described = {"description": known.pop("description")} if "description" in known else {}
    if (default := given.get("default")) not in (None, "", [], False):
        described = {"description": f"{described.get('description', '')}; default {default}".removeprefix("; ")}
    kinds = [{n: v for n, v in kind.items() if n not in _NOT_STRICT} for kind in known.get("anyOf", [known])]
    if not never_null and {"type": "null"} not in kinds:
        kinds.append({"type": "null"})
    return {**(kinds[0] if len(kinds) == 1 else {"anyOf": kinds}), **described}


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
