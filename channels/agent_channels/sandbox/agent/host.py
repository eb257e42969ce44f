"""A small MCP host: it starts the channel server, shakes hands, and lets a scripted agent act on the events.

It speaks JSON-RPC lines over the server's real standard input and output, as any agent host does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from agent_channels import __version__
from agent_channels.core.errors import ChannelError
from agent_channels.core.host.hook_call import hook_entry
from agent_channels.core.host.protocol import CHANNEL, PUSH

__all__ = ["ChannelEvent", "HandshakeResult", "ScriptedHost", "StepFailed", "ToolCall", "ToolResult", "events_in"]

JsonRpc: TypeAlias = dict[str, Any]

LINE_MAX = 1 << 24
EXIT_TIMEOUT_S = 2.0
METHOD_NOT_FOUND = -32601
# A message as the agent reads it where nothing is pushed, and one of its attributes.
BLOCK = re.compile(r'<channel source="[^"]*"((?: [\w-]+="[^"]*")*)>\n(.*?)\n</channel>', re.DOTALL)
ATTRIBUTE = re.compile(r' ([\w-]+)="([^"]*)"')
# A value that the host fills in from a hook event.
FIELD = re.compile(r"\$\{([\w.]+)\}")


class StepFailed(ChannelError):
    """A step that the demo or the page needs did not happen."""


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """A channel notification as the host received it: `content`, and `meta` of strings."""

    content: str
    meta: Mapping[str, str]

    def block(self, source: str) -> str:
        """Return it as the text that a host shows its agent."""
        quoted = {name: value.replace("&", "&amp;").replace('"', "&quot;") for name, value in self.meta.items()}
        attributes = "".join(f' {name}="{value}"' for name, value in quoted.items())
        return f'<channel source="{source}"{attributes}>\n{self.content}\n</channel>'


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the agent calls."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool call of the agent with its result."""

    call: ToolCall
    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class HandshakeResult:
    """The answers of a handshake: the probe's error code, the protocol, the server's name, and its tools' names."""

    probe_code: int | None
    protocol: str
    server: str
    is_channel: bool
    tools: tuple[str, ...]


Decide: TypeAlias = Callable[[ChannelEvent], ToolCall | None]


class ScriptedHost:
    """One server process with a scripted agent; `decide` chooses the tool that the agent calls for an event.

    `events`, `results` and `notifications` fill as things happen. `notifications` holds every other notification of
    the server as (method, params). In all three, None means that the server has ended.
    """

    def __init__(self, process: Process, decide: Decide) -> None:
        self.process = process
        self.events: asyncio.Queue[ChannelEvent | None] = asyncio.Queue()
        self.results: asyncio.Queue[ToolResult | None] = asyncio.Queue()
        self.notifications: asyncio.Queue[tuple[str, JsonRpc] | None] = asyncio.Queue()
        self._decide = decide
        self._undecided: asyncio.Queue[ChannelEvent] = asyncio.Queue()
        self._pending: dict[int | str, asyncio.Future[JsonRpc]] = {}
        # Set once hands were shaken.
        self.ready = asyncio.Event()
        self._last_id = 0
        self.ended = False
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._act())]

    @classmethod
    async def start(
        cls, command: Sequence[str], env: Mapping[str, str], folder: Path, log: Path, decide: Decide
    ) -> ScriptedHost:
        """Start the server in `folder`, with its standard error appended to `log`."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=errors, env=env, cwd=folder, limit=LINE_MAX
            )
        return cls(process, decide)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.process.pid

    async def shake_hands(self) -> HandshakeResult:
        """Send the probe, initialize, initialized and tools/list, in the order of a real agent host.

        Raises `StepFailed` when the server refuses or ends.
        """
        meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
        probe = await self._request("server/discover", meta, id_="server-discover-probe-1")
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "channels-sandbox", "version": __version__},
        }
        initialized = _result(await self._request("initialize", params))
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        listed = _result(await self._request("tools/list", {}))
        server = initialized["serverInfo"]
        self.ready.set()
        return HandshakeResult(
            probe.get("error", {}).get("code"),
            initialized["protocolVersion"],
            f"{server['name']} {server['version']}",
            CHANNEL in initialized["capabilities"].get("experimental", {}),
            tuple(tool["name"] for tool in listed["tools"]),
        )

    async def call(self, call: ToolCall) -> ToolResult:
        """Call a tool. Raises `StepFailed` when the server ends before it answers."""
        answer = _result(await self._request("tools/call", {"name": call.tool, "arguments": call.arguments}))
        # What follows the first part are notes about other things.
        return ToolResult(call, answer["content"][0].get("text", ""), bool(answer.get("isError")))

    async def call_hook(self, server: str, event: str, values: JsonRpc) -> JsonRpc:
        """Call the hook that a host's settings hold for an event, with the event's JSON; return its answer.

        `server` is our name in the host's list. Raises `StepFailed` when the server ends before it answers.
        """
        entry = hook_entry(event, server)
        arguments = {name: FIELD.sub(lambda found: _field(values, found[1]), of) for name, of in entry["input"].items()}
        answer: JsonRpc = json.loads((await self.call(ToolCall(entry["tool"], arguments))).text)
        return answer

    def notify(self, method: str, params: JsonRpc) -> None:
        """Send the server a notification."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def kill(self) -> int:
        """End the server as a crash would; return its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        code = await self.process.wait()
        await self._stop_tasks()
        return code

    async def close(self) -> None:
        """End the server by closing its input, as a host does that exits; kill it if it does not end in time."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(EXIT_TIMEOUT_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        finally:
            await self._stop_tasks()

    # --- inside

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send(self, message: JsonRpc) -> None:
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _request(self, method: str, params: JsonRpc, *, id_: str | None = None) -> JsonRpc:
        self._last_id += 1
        key = id_ or self._last_id
        if self.ended:
            raise StepFailed("the server has ended")
        pending = self._pending[key] = asyncio.get_running_loop().create_future()
        self._send({"jsonrpc": "2.0", "id": key, "method": method, "params": params})
        try:
            answer: JsonRpc = await pending
        finally:
            self._pending.pop(key, None)
        return answer

    async def _read(self) -> None:
        """Handle the server's messages until it closes its output, then end everything that still waits for it."""
        if self.process.stdout is None:
            raise ValueError("the server's output is read through a pipe")
        try:
            while line := await self.process.stdout.readline():
                self._handle(json.loads(line))
        finally:
            self.ended = True
            for pending in self._pending.values():
                if not pending.done():
                    pending.set_exception(StepFailed("the server ended before it answered"))
            self.events.put_nowait(None)
            self.results.put_nowait(None)
            self.notifications.put_nowait(None)

    def _handle(self, message: JsonRpc) -> None:
        if "method" not in message:
            pending = self._pending.get(message["id"])
            if pending is not None and not pending.done():
                pending.set_result(message)
        elif message["method"] == PUSH:
            event = ChannelEvent(message["params"]["content"], message["params"]["meta"])
            self.events.put_nowait(event)
            self._undecided.put_nowait(event)
        elif "id" in message:
            error = {"code": METHOD_NOT_FOUND, "message": "Method not found"}
            self._send({"jsonrpc": "2.0", "id": message["id"], "error": error})
        else:
            self.notifications.put_nowait((message["method"], message.get("params") or {}))

    async def _act(self) -> None:
        """Decide on the events one after the other, and call the chosen tools."""
        with contextlib.suppress(StepFailed):
            while True:
                call = self._decide(await self._undecided.get())
                if call is not None:
                    self.results.put_nowait(await self.call(call))


def events_in(text: str) -> list[ChannelEvent]:
    """Return the messages in a text that the agent reads: a tool's result, or what a hook adds."""
    return [
        ChannelEvent(content, {name: _unquoted(value) for name, value in ATTRIBUTE.findall(attributes)})
        for attributes, content in BLOCK.findall(text)
    ]


def _unquoted(value: str) -> str:
    return value.replace("&#10;", "\n").replace("&quot;", '"').replace("&amp;", "&")


def _field(values: JsonRpc, path: str) -> str:
    """Return a field of an event as a host fills it in: an object as JSON, what is missing as ""."""
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found)


def _result(answer: JsonRpc) -> JsonRpc:
    if "error" in answer:
        raise StepFailed(f"the server refused: {answer['error'].get('message', answer['error'])}")
    result: JsonRpc = answer["result"]
    return result
