"""An agent host's end of one server process: JSON lines over real pipes, every byte kept."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import signal
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import psutil

__all__ = ["LOOK_EVERY_S", "PATIENCE_S", "Event", "Host", "Result", "eventually"]

PUSH = "notifications/claude/channel"
# This is not a promise: a busy machine takes long to start eight servers at once.
PATIENCE_S = 30.0
# How long to wait for news before looking again at what rings no bell here: a status, a file, another process's store.
LOOK_EVERY_S = 0.05


async def eventually(holds: Callable[[], object], what: str, timeout: float = PATIENCE_S) -> None:
    """Waits until something that another process does shows."""
    try:
        async with asyncio.timeout(timeout):
            while not holds():  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise TimeoutError(f"{what} did not come within {timeout} s") from None


@dataclass(frozen=True)
class Event:
    """One pushed message as the host received it."""

    content: str
    meta: dict[str, str]


@dataclass(frozen=True)
class Result:
    """What a tool answered."""

    text: str
    failed: bool


class Host:
    """An agent host's end of one server process: JSON lines in and out, every byte kept."""

    # What it calls itself.
    client = "claude-code"

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[bytes] = []
        self.errors = bytearray()
        self.events: list[Event] = []
        self._taken = 0
        self._answers: dict[int | str, dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._ids = 0
        self.ended = False
        self._gone = asyncio.Event()
        self._watch()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_errors())]

    # ---- the wire

    def send_bytes(self, data: bytes) -> None:
        """Writes bytes as they are; a server that is gone swallows them."""
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(data)

    def send(self, message: dict[str, Any]) -> None:
        """Writes one message; lone surrogates travel as JSON escapes."""
        self.send_bytes(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def ask(self, method: str, params: dict[str, Any] | None = None, *, id_: str | None = None) -> dict[str, Any]:
        """Sends a request and returns the whole answer."""
        request = self.begin(method, params, id_=id_)
        return await self.answer(request)

    def begin(self, method: str, params: dict[str, Any] | None = None, *, id_: str | None = None) -> int | str:
        """Sends a request and returns its id."""
        self._ids += 1
        request = id_ or self._ids
        self.send({"id": request, "method": method, **({} if params is None else {"params": params})})
        return request

    async def answer(self, request: int | str, timeout: float = PATIENCE_S) -> dict[str, Any]:
        """The answer to a request that was sent."""
        await self.until(lambda: request in self._answers, timeout, f"an answer to request {request!r}")
        return self._answers.pop(request)

    def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Sends a notification."""
        self.send({"method": method, **({} if params is None else {"params": params})})

    # ---- what a host does

    async def initialize(self) -> dict[str, Any]:
        """The handshake's first half; returns the server's part."""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"roots": {"listChanged": True}},
            "clientInfo": {"name": self.client, "version": "2.1.328"},
        }
        answer = await self.ask("initialize", params)
        return dict(answer["result"])

    async def attach(self) -> Self:
        """The whole handshake as the host does it: probe, initialize, initialized."""
        await self.ask(
            "server/discover",
            {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}},
            id_="server-discover-probe-1",
        )
        await self.initialize()
        self.notify("notifications/initialized")
        return self

    def calling(self, tool: str, **arguments: Any) -> int | str:
        """Starts a tool call; `answered` waits for it."""
        return self.begin("tools/call", {"name": tool, "arguments": arguments})

    async def answered(self, request: int | str, timeout: float = PATIENCE_S) -> Result:
        """The result of a tool call that was started."""
        result = (await self.answer(request, timeout))["result"]
        return Result("".join(part["text"] for part in result["content"]), bool(result.get("isError")))

    async def call(self, tool: str, *, within: float = PATIENCE_S, **arguments: Any) -> Result:
        """Calls a tool."""
        return await self.answered(self.calling(tool, **arguments), within)

    async def done(self, tool: str, **arguments: Any) -> str:
        """Calls a tool that has to work; returns its text."""
        result = await self.call(tool, **arguments)
        assert not result.failed, result.text
        return result.text

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Calls a tool that has to refuse; returns the reason."""
        result = await self.call(tool, **arguments)
        assert result.failed, result.text
        return result.text

    async def status(self) -> dict[str, Any]:
        """What channel_status says, once the server has started."""
        return await self.status_when(lambda found: found["problem"] != "starting")

    async def status_when(
        self, wanted: Callable[[dict[str, Any]], bool], timeout: float = PATIENCE_S
    ) -> dict[str, Any]:
        """The first status for which `wanted(status)` holds."""
        async with asyncio.timeout(timeout):
            while not wanted(found := json.loads(await self.done("channel_status"))):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LOOK_EVERY_S)
        return dict(found)

    async def event(self, timeout: float = PATIENCE_S) -> Event:
        """The next pushed message that nobody took yet."""
        return (await self.take(1, timeout))[0]

    async def take(self, count: int, timeout: float = PATIENCE_S) -> list[Event]:
        """The next `count` pushed messages."""
        await self.until(lambda: len(self.events) >= self._taken + count, timeout, f"{count} events")
        found = self.events[self._taken : self._taken + count]
        self._taken += count
        return found

    async def until(self, predicate: Callable[[], bool], timeout: float = PATIENCE_S, what: str = "it") -> None:
        """Waits until something that was read makes `predicate` true."""
        try:
            async with asyncio.timeout(timeout):
                while not predicate():
                    assert not self.ended, f"the server ended before {what}: {self.log()[-2000:]}"
                    changed = self._changed
                    await changed.wait()
        except TimeoutError:
            raise TimeoutError(
                f"{what} did not come within {timeout} s; {len(self.events)} events; log: {self.log()[-2000:]}"
            ) from None

    def narrow(self) -> None:
        """Makes the pipe hold one page, where the system can, so that the server never gets far ahead of the host."""
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self._pipe(1).get_extra_info("pipe"), fcntl.F_SETPIPE_SZ, 4096)

    def stop_reading(self) -> None:
        """From now on the host leaves the server's output in the pipe."""
        self._pipe(1).pause_reading()

    def go_on_reading(self) -> None:
        """Takes up reading again."""
        self._pipe(1).resume_reading()

    def drop_output(self) -> None:
        """The host is gone: the server's output has no reader any more, and what is in the pipe is lost."""
        self.process.stdout = None
        self._pipe(1).close()

    # ---- ends

    def log(self) -> str:
        """What the server wrote to stderr."""
        return self.errors.decode(errors="replace")

    def signal(self, number: int) -> None:
        """Sends the server a signal."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def workers(self) -> list[psutil.Process]:
        """The process that serves, below the one that was started; none while it is being started again."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children()
        return []

    @property
    def worker(self) -> psutil.Process:
        """The process that serves."""
        (worker,) = self.workers()
        return worker

    def signal_all(self, number: int) -> None:
        """Sends a signal to the whole server: first to what would start the other one again."""
        workers = self.workers()
        self.signal(number)
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.send_signal(number)

    def close_stdin(self) -> None:
        """The host's end of the pipe is gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def wait(self, timeout: float = PATIENCE_S) -> int:
        """Waits for the process's end; returns its exit code."""
        async with asyncio.timeout(timeout):
            await self._gone.wait()
        assert self.process.returncode is not None
        return self.process.returncode

    async def drained(self) -> None:
        """The process is gone and everything it wrote was read."""
        await self.wait()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self._tasks)

    async def kill(self) -> None:
        """SIGKILL for the whole server; what it wrote before is read to its end."""
        self.signal_all(signal.SIGKILL)
        await self.drained()

    async def close(self) -> None:
        """Ends the process the kind way, and hard when that takes too long."""
        with contextlib.suppress(OSError, RuntimeError):
            self._pipe(1).resume_reading()
        with contextlib.suppress(OSError, RuntimeError):
            self.close_stdin()
        try:
            await self.wait(5)
        except TimeoutError:
            self.signal_all(signal.SIGKILL)
            await self.wait()
        for task in self._tasks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await task
        self.process._transport.close()  # type: ignore[attr-defined]

    # ---- inside

    def _watch(self) -> None:
        # asyncio's own wait() lasts until the pipes are empty too, which a host that does not read never sees.
        protocol = self.process._protocol  # type: ignore[attr-defined]
        exited = protocol.process_exited

        def gone() -> None:
            self._gone.set()
            exited()

        protocol.process_exited = gone
        if self.process.returncode is not None:
            self._gone.set()

    def _pipe(self, number: int) -> Any:
        return self.process._transport.get_pipe_transport(number)  # type: ignore[attr-defined]

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line)
            with contextlib.suppress(ValueError):
                self._sort(json.loads(line))
            self._wake()
        self.ended = True
        self._wake()

    def _sort(self, message: dict[str, Any]) -> None:
        if message.get("method") == PUSH:
            self.events.append(Event(message["params"]["content"], message["params"]["meta"]))
        elif "id" in message and "method" not in message:
            self._answers[message["id"]] = message

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        while chunk := await self.process.stderr.read(1 << 16):
            self.errors += chunk
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
