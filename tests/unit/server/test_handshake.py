"""What is answered while the rest is being imported."""

from __future__ import annotations

import json
import os
import queue
import select
from typing import Any

import pytest

from agent_channels.core.server import handshake as module
from agent_channels.core.server.handshake import Handshake
from agent_channels.core.server.instructions import PROMPTS
from agent_channels.core.server.protocol import McpConversation
from agent_channels.core.server.stdin import Source


@pytest.mark.skipif(not hasattr(select, "poll"), reason="there is nothing to wait with for two things at once")
def test_what_needs_no_channel_is_answered_while_the_rest_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and behind what only the session can answer, with the channel's formats; that is left for the session."""
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    monkeypatch.setattr(module, "_write", answers.put)
    reading, writing = os.pipe()
    left = [
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n',
        b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"channel_status"}}\n',
        b'{"jsonrpc":"2.0","id":"ready","method":"ping"}\n',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}\n',
    ]
    lines = [
        left[0],
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n',
        *left[1:],
        b"no JSON\n",
        b'{"jsonrpc":"2.0","id":4,"method":"prompts/get","params":{"name":"listen"}}\n',
        b'{"jsonrpc":"2.0","id":5,"method":"resources/list"}\n',
        b'{"jsonrpc":"2.0","id":"three","method":"tools/list","params":{}}\n',
    ]
    conversation = McpConversation("telegram", "1.2.3", "", PROMPTS)
    conversation.open = True
    handshake = Handshake(conversation, Source(reading))
    handshake.listen()
    os.write(writing, b"".join(lines))
    handshake.list_tools_with("plain, and no other")
    found = {answer["id"]: answer for answer in (answers.get(timeout=30) for _ in range(4))}
    assert list(found) == [1, 4, 5, "three"]
    assert "error" in found[5]
    assert found[1]["result"] == found["three"]["result"]
    tools = {tool["name"]: tool["description"] for tool in found[1]["result"]["tools"]}
    assert "plain, and no other" in tools["reply"]
    assert "{formats}" not in json.dumps(found)
    os.close(writing)
    handshake.stop_listening()
    assert handshake.replay == left
    assert handshake.source.readline() == b""
    os.close(reading)
