"""The handshake that is answered before the SDK is there."""

from __future__ import annotations

import json
import os
import queue
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import types
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from agent_channels.core.server import handshake as module
from agent_channels.core.server.handshake import VERSIONS, Handshake, initialize_result
from agent_channels.core.server.instructions import instructions
from agent_channels.core.server.session import McpSession
from agent_channels.core.server.stdin import Source


@asynccontextmanager
async def _client(answered: set[str | int]) -> AsyncIterator[tuple[Any, Any]]:
    session = McpSession("telegram", "1.2.3", instructions("telegram"), [], {"listen": ("d", "t")}, {})
    async with create_client_server_memory_streams() as (client, server), anyio.create_task_group() as group:
        group.start_soon(session.serve, *server, lambda _: None, answered)
        yield client
        group.cancel_scope.cancel()


def _request(number: int, method: str, params: dict[str, Any]) -> SessionMessage:
    return SessionMessage(types.JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=params))


def _initialize(version: str) -> dict[str, Any]:
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


@pytest.mark.parametrize("asked", [*VERSIONS, "2026-07-28", "1999-01-01"])
async def test_it_says_what_the_sdk_would_say(asked: str) -> None:
    """Whoever answers `initialize`, the host reads the same: version, capabilities, name and instructions."""
    async with _client(set()) as (read, write):
        await write.send(_request(1, "initialize", _initialize(asked)))
        with anyio.fail_after(5):
            answer = await read.receive()
    assert answer.message.result == initialize_result("telegram", "1.2.3", instructions("telegram"), asked)


def test_it_knows_every_revision_with_a_handshake() -> None:
    """The list of revisions is the SDK's own."""
    assert tuple(HANDSHAKE_PROTOCOL_VERSIONS) == VERSIONS


async def test_the_sdks_answer_to_what_was_answered_is_dropped_once() -> None:
    """The host never reads two answers to one request, and every later request is answered."""
    async with _client({1}) as (read, write):
        await write.send(_request(1, "initialize", _initialize(VERSIONS[-1])))
        initialized = types.JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
        await write.send(SessionMessage(initialized))
        await write.send(_request(2, "ping", {}))
        await write.send(_request(1, "ping", {}))
        with anyio.fail_after(5):
            ids = [(await read.receive()).message.id, (await read.receive()).message.id]
    assert ids == [2, 1]


@pytest.mark.skipif(not hasattr(select, "poll"), reason="there is nothing to wait with for two things at once")
def test_the_list_of_tools_is_answered_while_the_rest_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and behind what only the SDK can answer, with the channel's formats; every line is left for the SDK."""
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    monkeypatch.setattr(module, "_write", answers.put)
    reading, writing = os.pipe()
    lines = [
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n',
        b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"channel_status"}}\n',
        b'{"jsonrpc":"2.0","id":"three","method":"tools/list","params":{}}\n',
    ]
    handshake = Handshake(Source(reading))
    handshake.listen()
    os.write(writing, b"".join(lines))
    handshake.list_tools_with("plain, and no other")
    found = [answers.get(timeout=30), answers.get(timeout=30)]
    assert [answer["id"] for answer in found] == [1, "three"]
    tools = {tool["name"]: tool["description"] for tool in found[0]["result"]["tools"]}
    assert "plain, and no other" in tools["reply"]
    assert "{formats}" not in json.dumps(found)
    os.close(writing)
    handshake.stop_listening()
    assert handshake.replay == lines
    assert handshake.answered == {1, "three"}
    assert handshake.source.readline() == b""
    os.close(reading)
