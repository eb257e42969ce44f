"""A small scripted agent as MCP host: it starts the channel server, shakes hands, and acts on what it is told.

It speaks JSON-RPC lines over the server's real standard input and output, as any agent host does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from agent_channels import __version__
from agent_channels.core.errors import ChannelError
from agent_channels.core.host.protocol import CHANNEL, PUSH
from agent_channels.sandbox.demo.script import ChannelEvent, ToolCall

__all__ = ["HandshakeResult", "ScriptedHost", "StepFailed", "ToolResult"]

Message: TypeAlias = dict[str, Any]
Decide: TypeAlias = Callable[[ChannelEvent], ToolCall | None]

LINE_MAX = 1 << 24
LEAVE_S = 2.0
METHOD_NOT_FOUND = -32601


class StepFailed(ChannelError):
    """Something the demo needs did not happen."""


@dataclass(frozen=True, slots=True)
class HandshakeResult:
    """How the handshake went: the answer to the probe, who the server is, and its tools by name."""

    probe_code: int | None
    protocol: str
    server: str
    is_channel: bool
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool call of the agent with its result."""

    act: ToolCall
    result: str
    failed: bool


class ScriptedHost:
    """One server process and the agent in front of it; `events`, `done` and `notices` fill as things happen.

    `notices` holds every other notification of the server as (method, params). None: the server is gone.
    """

    def __init__(self, process: Process, decide: Decide) -> None:
        self.process = process
        self.events: asyncio.Queue[ChannelEvent | None] = asyncio.Queue()
        self.done: asyncio.Queue[ToolResult | None] = asyncio.Queue()
        self.notices: asyncio.Queue[tuple[str, Message] | None] = asyncio.Queue()
        self._decide = decide
        self._todo: asyncio.Queue[ChannelEvent] = asyncio.Queue()
        self._answers: dict[int | str, asyncio.Future[Message]] = {}
        self._last_id = 0
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._act())]

    @classmethod
    async def start(
        cls, command: Sequence[str], env: Mapping[str, str], folder: Path, log: Path, decide: Decide
    ) -> ScriptedHost:
        """Starts the server in `folder`, its standard error appended to `log`."""
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
        """Probe, initialize, initialized, tools/list: what an agent host says first, in its order."""
        meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
        probe = await self._ask("server/discover", meta, id_="server-discover-probe-1")
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "channels-sandbox", "version": __version__},
        }
        hello = _result(await self._ask("initialize", params))
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        listed = _result(await self._ask("tools/list", {}))
        return HandshakeResult(
            probe.get("error", {}).get("code"),
            hello["protocolVersion"],
            f"{hello['serverInfo']['name']} {hello['serverInfo']['version']}",
            CHANNEL in hello["capabilities"].get("experimental", {}),
            tuple(tool["name"] for tool in listed["tools"]),
        )

    async def call(self, act: ToolCall) -> ToolResult:
        """Calls a tool. Raises `StepFailed` when the server ends before it answers."""
        answer = _result(await self._ask("tools/call", {"name": act.tool, "arguments": act.arguments}))
        text = " ".join(part.get("text", "") for part in answer["content"])
        return ToolResult(act, text, bool(answer.get("isError")))

    def notify(self, method: str, params: Message) -> None:
        """Tells the server something."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def kill(self) -> int:
        """Ends the server as a crash would; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        code = await self.process.wait()
        await self._stop_tasks()
        return code

    async def close(self) -> None:
        """Ends the server as a host does that goes away; one that stays longer than it may is killed."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(LEAVE_S):
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

    def _send(self, message: Message) -> None:
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _ask(self, method: str, params: Message, *, id_: str | None = None) -> Message:
        self._last_id += 1
        key = id_ or self._last_id
        waiting = self._answers[key] = asyncio.get_running_loop().create_future()
        self._send({"jsonrpc": "2.0", "id": key, "method": method, "params": params})
        try:
            answer: Message = await waiting
        finally:
            self._answers.pop(key, None)
        return answer

    async def _read(self) -> None:
        """Sorts what the server writes until it closes its end; then nobody is left waiting."""
        if self.process.stdout is None:
            raise ValueError("the server's output is read through a pipe")
        try:
            while line := await self.process.stdout.readline():
                self._sort(json.loads(line))
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(StepFailed("the server ended before it answered"))
            self.events.put_nowait(None)
            self.done.put_nowait(None)
            self.notices.put_nowait(None)

    def _sort(self, message: Message) -> None:
        if "method" not in message:
            waiting = self._answers.get(message["id"])
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        elif message["method"] == PUSH:
            event = ChannelEvent(message["params"]["content"], message["params"]["meta"])
            self.events.put_nowait(event)
            self._todo.put_nowait(event)
        elif "id" in message:
            error = {"code": METHOD_NOT_FOUND, "message": "Method not found"}
            self._send({"jsonrpc": "2.0", "id": message["id"], "error": error})
        else:
            self.notices.put_nowait((message["method"], message.get("params") or {}))

    async def _act(self) -> None:
        """The agent: one event after the other."""
        with contextlib.suppress(StepFailed):
            while True:
                act = self._decide(await self._todo.get())
                if act is not None:
                    self.done.put_nowait(await self.call(act))


def _result(answer: Message) -> Message:
    if "error" in answer:
        raise StepFailed(f"the server refused: {answer['error'].get('message', answer['error'])}")
    result: Message = answer["result"]
    return result
