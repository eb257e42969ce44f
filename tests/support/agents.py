"""An agent that acts on our tools, whoever stands between: a real host with a scripted model, or a client library."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from scripted_model import Asked, Block, say, use

__all__ = ["Agent", "ClientAgent", "HostedAgent", "NoAnswer", "interrupted", "kill_all", "running"]

# How long a host may take from one request of its model to the next, besides what a tool itself takes.
HOST_S = 90.0
# How long a host may take to its model's first request: Kilo waits a minute for the lock of one that was killed.
STARTS_S = 240.0
LINE_LIMIT = 1 << 24
# How long a program may take to end once it was interrupted.
ENDS_S = 20.0
# How a host that defers tools lets its model call one of them.
CALL_DEFERRED = "tool_call"
SEARCH = re.compile(r"tool_?search|select_tools|search_tools", re.IGNORECASE)


class NoAnswer(Exception):
    """The host or the client ended, or nothing came of it in time."""


class Agent(Protocol):
    """What the journeys need of an agent."""

    async def tools(self) -> list[str]:
        """The names of our tools, without what the host puts before them."""

    async def call(self, tool: str, *, within: float = HOST_S, **arguments: Any) -> str:
        """Calls a tool, and returns what the agent reads of its result. Raises `NoAnswer`."""

    async def interrupt(self) -> bool:
        """Interrupts the call that runs, as a person does; returns whether the same session goes on."""


class HostedAgent:
    """The model of a host: its `script` is what a `ScriptedModel` is made with; `begin` comes first."""

    def __init__(self) -> None:
        self._asked: asyncio.Queue[Asked] = asyncio.Queue()
        self._said: asyncio.Queue[list[Block]] = asyncio.Queue()
        self._now: Asked | None = None
        self.process: Process | None = None
        self._deferred: list[str] = []
        self._server = ""

    async def script(self, asked: Asked) -> list[Block]:
        """Hands the request to the journey, and what the journey wants to the host."""
        self._asked.put_nowait(asked)
        return await self._said.get()

    async def tools(self) -> list[str]:
        """The tools that the model is offered, or finds by the host's own search."""
        return [*(await self._request(HOST_S)).tools, *self._deferred]

    async def call(self, tool: str, *, within: float = HOST_S, **arguments: Any) -> str:
        """Uses a tool; what the model is asked next holds its result."""
        asked = await self._request(HOST_S)
        name = named(tool, asked.tools, self._server)
        if name is not None:
            return await self._use(name, arguments, within)
        hidden = named(tool, self._deferred, self._server)
        if hidden is None:
            raise NoAnswer(f"the model is not offered {tool}; it has {', '.join(asked.tools)}")
        return await self._use(CALL_DEFERRED, {"name": hidden, "arguments": arguments}, within)

    async def begin(self, server: str) -> None:
        """Takes up the tools of a server; where the host keeps them behind a search, searches for them."""
        self._server = server
        asked = await self._request(STARTS_S)
        search = next((name for name in asked.tools if SEARCH.search(name)), None)
        if search is not None and not any(server in name for name in asked.tools):
            found = await self._use(search, {"query": server, "max_results": 20}, HOST_S)
            self._deferred = re.findall(rf'"name": ?"(\w*{server}\w*)"', found)

    async def interrupt(self) -> bool:
        """Sends what Ctrl-C sends; a host without a screen ends."""
        assert self.process is not None
        await interrupted(self.process)
        return False

    async def finish(self, text: str = "done") -> None:
        """Ends the turn."""
        await self._request(HOST_S)
        self._now = None
        self._said.put_nowait([say(text)])

    async def _use(self, name: str, arguments: dict[str, Any], within: float) -> str:
        self._now = None
        self._said.put_nowait([use(name, **arguments)])
        return (await self._request(within)).latest

    async def _request(self, within: float) -> Asked:
        if self._now is None:
            asked = asyncio.create_task(self._asked.get())
            ended = asyncio.create_task(self._ended())
            await asyncio.wait((asked, ended), timeout=within, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if not asked.done():
                asked.cancel()
                gone = self.process is not None and self.process.returncode is not None
                raise NoAnswer("the host ended" if gone else f"the host asked its model nothing for {within:.0f} s")
            self._now = asked.result()
        return self._now

    async def _ended(self) -> None:
        if self.process is None:
            await asyncio.Event().wait()
        else:
            await self.process.wait()


def named(tool: str, offered: Sequence[str], server: str) -> str | None:
    """The name that a host gave to a tool of a server: its own one, in most hosts behind a prefix with the server's."""
    ending = re.compile(rf"(?:^|[^a-z]|{re.escape(server)}){re.escape(tool)}$")
    return next((name for name in offered if ending.search(name)), None)


class ClientAgent:
    """A client library, driven by a program of ours: one JSON line for a call, one for its result."""

    def __init__(self, process: Process, *, cancels: bool = False) -> None:
        """`cancels`: the library can cancel a call; else the program is interrupted."""
        self.process, self._cancels = process, cancels
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = 0
        self._reading = asyncio.create_task(self._read())

    async def tools(self) -> list[str]:
        """The tools that the client lists."""
        return list((await self._ask({"do": "tools"}, HOST_S))["tools"])

    async def call(self, tool: str, *, within: float = HOST_S, **arguments: Any) -> str:
        """Calls a tool through the client."""
        return str((await self._ask({"do": "call", "tool": tool, "arguments": arguments}, within))["text"])

    async def interrupt(self) -> bool:
        """Cancels the latest call as the library does it."""
        if self._cancels:
            self._send({"do": "cancel", "id": self._ids})
        else:
            await interrupted(self.process)
        return self._cancels

    def close(self) -> None:
        """Reads no more."""
        self._reading.cancel()

    async def _ask(self, what: dict[str, Any], within: float) -> dict[str, Any]:
        self._ids += 1
        answer = self._answers[self._ids] = asyncio.get_running_loop().create_future()
        self._send({"id": self._ids, **what})
        try:
            return await asyncio.wait_for(answer, within)
        except TimeoutError:
            raise NoAnswer(f"the client answered nothing within {within:.0f} s") from None

    def _send(self, what: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            await self._sort(self.process.stdout)
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(NoAnswer("the client ended"))

    async def _sort(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            with contextlib.suppress(ValueError, KeyError):
                found = json.loads(line)
                answer = self._answers.pop(found["id"])
                if not answer.done():
                    answer.set_result(found)


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str | Path], env: Mapping[str, str], folder: Path, log: Path, *, driven: bool = False
) -> AsyncIterator[Process]:
    """A program with all that it starts, in a session of its own; killed, with these, when the block is left.

    `driven`: it is talked to over pipes; else it has no input, and says what it says into `log`.
    """
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(env),
            cwd=folder,
            stdin=PIPE if driven else DEVNULL,
            stdout=PIPE if driven else said,
            stderr=said,
            limit=LINE_LIMIT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill_all(process)
        await process.wait()


async def interrupted(process: Process) -> None:
    """SIGINT for a program and all that shares its terminal, as Ctrl-C; returns once it ended, or does not."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), ENDS_S)


def kill_all(process: Process) -> None:
    """SIGKILL for a program and everything below it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for below in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                below.send_signal(signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
