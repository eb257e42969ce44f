"""Calls side by side, cancelled, answered and lost; a host that does not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from agent_channels.core.server.protocol import CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_REQUEST, McpConversation
from agent_channels.core.server.session import CallResult, McpSession, Tool
from agent_channels.core.server.stdin import LineTooLong, StdinLines
from agent_channels.core.server.stdio import HostWriter
from agent_channels.core.server.tools.arguments import Arguments


class FakeHost:
    """A host's two pipes: what it says, and what it is told."""

    stuck = False

    def __init__(self) -> None:
        self._said: asyncio.Queue[str | None] = asyncio.Queue()
        self._told: asyncio.Queue[bytes] = asyncio.Queue()
        self.reads = anyio.Event()
        self.reads.set()

    # ---- as the server has it

    async def each(self, take: Callable[[str], None]) -> None:
        """Hands over what it says."""
        while (line := await self._said.get()) is not None:
            if line == "long":
                raise LineTooLong
            take(line)

    async def send(self, line: bytes) -> None:
        """Writes a line once the host reads."""
        await self.reads.wait()
        self._told.put_nowait(line)

    def send_now(self, line: bytes) -> bool:
        """Writes a line if the host reads."""
        if self.reads.is_set():
            self._told.put_nowait(line)
        return self.reads.is_set()

    # ---- as the host

    def say(self, **message: Any) -> None:
        """Sends a message."""
        self._said.put_nowait(json.dumps({"jsonrpc": "2.0", **message}))

    def call(self, request_id: int | str, name: str) -> None:
        """Calls a tool."""
        self.say(id=request_id, method="tools/call", params={"name": name})

    def cancel(self, request_id: int | str) -> None:
        """Cancels a call."""
        self.say(method="notifications/cancelled", params={"requestId": request_id})

    def close(self) -> None:
        """Closes its end."""
        self._said.put_nowait(None)

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        with anyio.fail_after(10):
            found: dict[str, Any] = json.loads(await self._told.get())
        return found


class Tools:
    """`wait` returns once it is let go, `now` at once; what became of the calls."""

    def __init__(self) -> None:
        self.go, self.began = anyio.Event(), anyio.Event()
        self.became: list[str] = []
        self.at_the_end: Callable[[], None] = lambda: None

    async def wait(self, _: Arguments) -> CallResult:
        """Notes its end."""
        self.began.set()
        try:
            await self.go.wait()
        except anyio.get_cancelled_exc_class():
            self.became.append("cancelled")
            raise
        return self._result()

    async def late(self, _: Arguments) -> CallResult:
        """Something else happens while it returns."""
        self.at_the_end()
        return self._result()

    def _result(self) -> CallResult:
        return CallResult("waited", lambda: self.became.append("written"), lambda: self.became.append("lost"))

    async def now(self, _: Arguments) -> str:
        """Returns."""
        return "now"

    def table(self) -> list[Tool]:
        """As the session takes them."""
        return [Tool(name, "", Arguments, getattr(self, name)) for name in ("wait", "late", "now")]


@asynccontextmanager
async def serving(tools: Tools) -> AsyncIterator[tuple[FakeHost, McpSession]]:
    """A session that a host has opened; it ends with the block."""
    host = FakeHost()
    conversation = McpConversation("telegram", "1", "", {})
    conversation.open = True
    session = McpSession(conversation, tools.table(), {}, lambda given: json.dumps({"given": given}))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(session.serve, cast("StdinLines", host), cast("HostWriter", host))
            yield host, session
            host.close()


async def test_everything_else_is_answered_while_a_call_runs() -> None:
    """Pings, other calls and hooks overtake it; it is answered once it is done, and told that this was written."""
    tools = Tools()
    async with serving(tools) as (host, _):
        host.call(1, "wait")
        host.say(id="p", method="ping")
        host.call(2, "now")
        host.say(id=3, method="tools/call", params={"name": "hook", "arguments": {"a": 1}})
        assert {(await host.hear())["id"] for _ in range(3)} == {"p", 2, 3}
        assert tools.became == []
        tools.go.set()
        answer = await host.hear()
    assert (answer["id"], answer["result"]["content"][0]["text"]) == (1, "waited")
    assert tools.became == ["written"]


@pytest.mark.parametrize(("called", "named"), [(1, 1), ("one", "one"), (1, "1"), ("1", 1)])
async def test_a_cancelled_call_is_not_answered(called: int | str, named: int | str) -> None:
    """It ends, also where the host names it by its number as text; later ones with its id are answered."""
    tools = Tools()
    async with serving(tools) as (host, _):
        host.call(called, "wait")
        await tools.began.wait()
        host.cancel(named)
        host.cancel(named)
        host.call(called, "now")
        assert (await host.hear())["result"]["content"][0]["text"] == "now"
        assert tools.became == ["cancelled"]


async def test_a_call_cancelled_just_when_it_is_done_is_lost() -> None:
    """The host drops what comes after it cancelled: what the call was given is taken back, and nothing is written."""
    tools = Tools()
    async with serving(tools) as (host, session):
        tools.at_the_end = lambda: session._cancel(1)
        host.call(1, "late")
        host.call(2, "now")
        assert (await host.hear())["id"] == 2
    assert tools.became == ["lost"]


async def test_a_result_on_its_way_can_still_be_lost() -> None:
    """The host cancels while the pipe is full, or once it has the answer: the call is told, once."""
    tools = Tools()
    async with serving(tools) as (host, _):
        host.reads = anyio.Event()
        host.call(1, "wait")
        tools.go.set()
        await tools.began.wait()
        host.say(id=2, method="ping")
        host.cancel(1)
        host.cancel(1)
        host.reads.set()
        assert {(await host.hear())["id"] for _ in range(2)} == {1, 2}
    assert sorted(tools.became) == ["lost", "written"]


async def test_a_host_that_does_not_read_is_read() -> None:
    """Its messages are taken meanwhile, and all answers follow."""
    tools = Tools()
    async with serving(tools) as (host, _):
        host.reads = anyio.Event()
        for number in range(50):
            host.say(id=number, method="ping")
        host.call("last", "wait")
        await tools.began.wait()
        host.reads.set()
        assert sorted([(await host.hear())["id"] for _ in range(50)]) == list(range(50))


async def test_calls_that_run_at_the_end_are_cancelled_and_told() -> None:
    """A host that only closed its end still reads that there is no answer."""
    tools = Tools()
    async with serving(tools) as (host, _):
        host.call(1, "wait")
        await tools.began.wait()
        host.close()
        assert (await host.hear())["error"]["code"] == CONNECTION_CLOSED
    assert tools.became == ["cancelled"]


async def test_what_fails_outside_a_tool_is_an_error_of_that_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words do not reach the host, and the session goes on."""
    async with serving(Tools()) as (host, session):

        async def fail(*_: object) -> None:
            raise RuntimeError("private")

        monkeypatch.setattr(session, "_traced", fail)
        host.call(1, "now")
        answer = await host.hear()
        assert answer["error"]["code"] == INTERNAL_ERROR
        assert "private" not in json.dumps(answer)
        host.say(id=2, method="ping")
        assert (await host.hear())["id"] == 2


async def test_a_line_that_is_too_long_is_refused() -> None:
    """Without an id, which nobody read; the next one is answered."""
    async with serving(Tools()) as (host, _):
        host._said.put_nowait("long")
        host.say(id=1, method="ping")
        refused = await host.hear()
        assert (refused["id"], refused["error"]["code"]) == (None, INVALID_REQUEST)
        assert (await host.hear())["id"] == 1
