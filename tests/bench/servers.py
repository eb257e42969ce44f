"""The servers that are measured: a program beside a sandbox of its own, and the bare host that started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tests.bench.places import PATIENCE_S, PLACES, Place

__all__ = ["Host", "Side", "Usage"]

# What follows a message or a reply, such as a receipt, is done by then.
SETTLE_S = 0.5

Timed = tuple[float, dict[str, Any]]
"""A line from the server and when it came, on the monotonic clock."""


@dataclass(frozen=True)
class Usage:
    """What the processes of a server took until now, and what they hold: seconds, counts, bytes.

    `switches`: the context switches of each thread that lives, by its id.
    """

    cpu_s: float
    switches: dict[str, int]
    written: int
    resident: int
    private: int
    connections: int
    processes: int


class Host:
    """A bare MCP host that reads line by line, and the server that it started."""

    def __init__(self, place: Place, home: Path, process: asyncio.subprocess.Process, begun: float) -> None:
        """`begun`: when the process was started, on the monotonic clock."""
        self.place, self.home, self.process, self.begun = place, home, process, begun
        self._events: asyncio.Queue[Timed] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[Timed]] = {}
        self._last_id = 0
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            at, message = time.monotonic(), json.loads(line)
            if "id" in message and (waiting := self._waiting.pop(message["id"], None)):
                waiting.set_result((at, message))
            elif message.get("method") == "notifications/claude/channel":
                self._events.put_nowait((at, message["params"]))

    def _send(self, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def request(self, method: str, **params: Any) -> Timed:
        """Send a request; return its answer. Raises RuntimeError for a refusal, TimeoutError without an answer."""
        self._last_id += 1
        self._waiting[self._last_id] = answered = asyncio.get_running_loop().create_future()
        self._send(id=self._last_id, method=method, params=params)
        at, message = await asyncio.wait_for(answered, PATIENCE_S)
        if "result" not in message or message["result"].get("isError"):
            raise RuntimeError(f"{method} was refused: {message}")
        return at, message["result"]

    async def initialize(self) -> float:
        """Open the connection; return when the server answered."""
        client = {"name": "bench", "version": "1"}
        at, _ = await self.request("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
        self._send(method="notifications/initialized")
        return at

    async def reply(self, chat_id: str, text: str) -> float:
        """Let the agent answer in a chat; return when the result came."""
        at, _ = await self.request("tools/call", name="reply", arguments={"chat_id": chat_id, "text": text})
        return at

    async def event(self) -> Timed:
        """Return the params of the next message that the server pushes."""
        return await asyncio.wait_for(self._events.get(), PATIENCE_S)

    async def settle(self) -> None:
        """Open the connection and get over what happens once: the first message, and the first reply."""
        await self.initialize()
        await self.place.connected()
        self.place.people[0].send("Good morning!")
        _, event = await self.event()
        await self.reply(event["meta"]["chat_id"], "Good morning.")
        await asyncio.sleep(SETTLE_S)

    def processes(self) -> list[psutil.Process]:
        """Return the process that was started and all below it."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def usage(self) -> Usage:
        """Return what all of them took and hold; what they share is resident in each."""
        found = self.processes()
        memory = [one.memory_full_info() for one in found]
        return Usage(
            cpu_s=sum(time.clock_gettime(_cpu_clock(one.pid)) for one in found),
            switches={name: count for one in found for name, count in _switches(one.pid).items()},
            written=sum(one.io_counters().write_bytes for one in found),
            resident=sum(one.rss for one in memory),
            private=sum(one.uss for one in memory),
            connections=sum(len(one.net_connections()) for one in found),
            processes=len(found),
        )

    async def end(self) -> None:
        """Kill what is left of it."""
        if self.process.returncode is None:
            for one in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        await self.process.wait()
        self._reading.cancel()


def _cpu_clock(pid: int) -> int:
    """Return the clock of a process's own time, as clock_getcpuclockid(3) does: /proc counts hundredths of a second."""
    return ~pid << 3 | 2


def _switches(pid: int) -> dict[str, int]:
    """Return the context switches of each thread of a process."""
    found = {}
    for path in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):
            # It may have ended just now.
            lines = [line for line in path.read_text().splitlines() if "voluntary_ctxt_switches" in line]
            found[path.parent.name] = sum(int(line.split()[1]) for line in lines)
    return found


@dataclass(frozen=True)
class Side:
    """A program that is measured on a channel. `ours`: its state folder is a store, else it holds an access.json."""

    channel: str
    command: tuple[str, ...]
    ours: bool

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[Place, Path]]:
        """A fresh bot, and a home whose state folder lets its people in."""
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            async with PLACES[self.channel](home) as place:
                (place.allow if self.ours else place.list_people)(home / "state")
                yield place, home

    @asynccontextmanager
    async def started(self, place: Place, home: Path) -> AsyncIterator[Host]:
        """The server, just started; it is killed at the end."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "CHANNELS_DATA_DIR": os.environ["CHANNELS_DATA_DIR"],
            f"{self.channel.upper()}_STATE_DIR": str(home / "state"),
            "CHANNELS_CLAIM": "always",
            **place.environ,
        }
        with (home / "stderr").open("w+", encoding="utf-8") as errors:
            begun = time.monotonic()
            pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": errors}
            process = await asyncio.create_subprocess_exec(*self.command, **pipes, env=environ, cwd=home, limit=1 << 24)
            host = Host(place, home, process, begun)
            try:
                yield host
            except Exception as error:
                errors.seek(0)
                error.add_note(f"{self.command[0]} said: {errors.read()[-2000:] or 'nothing'}")
                raise
            finally:
                await host.end()

    @asynccontextmanager
    async def settled(self) -> AsyncIterator[Host]:
        """The server beside a fresh bot, once it has delivered and answered a first message."""
        async with self.place() as (place, home), self.started(place, home) as host:
            await host.settle()
            yield host
