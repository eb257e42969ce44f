"""What a host is answered without the channel, and which lines are messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import types
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from agent_channels.core.server.instructions import PROMPTS, instructions
from agent_channels.core.server.protocol import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    VERSIONS,
    HostMessage,
    McpConversation,
    RpcError,
    parse,
)

INITIALIZE: dict[str, Any] = {
    "protocolVersion": VERSIONS[-1],
    "capabilities": {"roots": {"listChanged": True}},
    "clientInfo": {"name": "claude-code", "version": "2.1.328"},
}


@pytest.fixture
def begun() -> McpConversation:
    """A conversation with a host that sent `initialize`."""
    conversation = McpConversation("telegram", "1.2.3", instructions("telegram"), PROMPTS)
    conversation.formats = "plain"
    conversation.answer(HostMessage("initialize", INITIALIZE, 1))
    return conversation


def refused(conversation: McpConversation, method: str, params: Any = None) -> int:
    """The code of the error that a request is answered by."""
    with pytest.raises(RpcError) as caught:
        conversation.answer(HostMessage(method, params, 1))
    return caught.value.code


def test_it_knows_every_revision_with_a_handshake() -> None:
    """The list of revisions is the SDK's own."""
    assert tuple(HANDSHAKE_PROTOCOL_VERSIONS) == VERSIONS


@pytest.mark.parametrize("asked", [*VERSIONS, "2026-07-28", "1999-01-01"])
def test_the_revision_is_the_hosts_or_the_latest(asked: str) -> None:
    """A host that asks for one without a handshake, or for one that there never was, is offered the latest."""
    conversation = McpConversation("telegram", "1.2.3", "", {})
    answer = conversation.answer(HostMessage("initialize", {**INITIALIZE, "protocolVersion": asked}, 1))
    assert answer is not None
    assert answer["protocolVersion"] == (asked if asked in VERSIONS else VERSIONS[-1])
    assert conversation.client == "claude-code 2.1.328"


@pytest.mark.parametrize(
    ("method", "params", "model"),
    [
        ("initialize", INITIALIZE, types.InitializeResult),
        ("ping", None, types.EmptyResult),
        ("tools/list", None, types.ListToolsResult),
        ("prompts/list", {}, types.ListPromptsResult),
        ("prompts/get", {"name": "listen"}, types.GetPromptResult),
    ],
)
def test_the_sdk_reads_every_result_whole(begun: McpConversation, method: str, params: Any, model: Any) -> None:
    """The SDK's client takes each, and what it makes of it has all that was said."""
    result = begun.answer(HostMessage(method, params, 1))
    read = model.model_validate(result, by_name=False)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == result


@pytest.mark.parametrize("method", ["tools/list", "tools/call", "prompts/list", "prompts/get"])
def test_nothing_but_a_ping_is_answered_before_initialize(method: str) -> None:
    """Whatever else there is gets an error; so does an `initialize` that does not say who is there."""
    conversation = McpConversation("telegram", "1.2.3", "", PROMPTS)
    assert conversation.answer(HostMessage("ping", None, 1)) == {}
    assert refused(conversation, method, {"name": "listen"}) == INVALID_PARAMS
    for missing in INITIALIZE:
        params = {name: value for name, value in INITIALIZE.items() if name != missing}
        assert refused(conversation, "initialize", params) == INVALID_PARAMS
    assert not conversation.open
    assert conversation.client == ""
    # Some hosts say only that they are there.
    conversation.begin()
    assert conversation.answer(HostMessage("prompts/list", None, 2)) is not None


@pytest.mark.parametrize("method", ["server/discover", "resources/list", "logging/setLevel", "", "tools/List"])
def test_other_methods_are_not_there(begun: McpConversation, method: str) -> None:
    """A host that is answered `server/discover` would not take the server for a channel."""
    assert refused(begun, method) == METHOD_NOT_FOUND
    assert refused(McpConversation("telegram", "1", "", {}), method) == METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", [1]),
        ("tools/call", None),
        ("tools/call", {"name": 3}),
        ("tools/call", {"name": "reply", "arguments": ["x"]}),
        ("prompts/get", {}),
        ("prompts/get", {"name": "no such"}),
    ],
)
def test_malformed_parameters_are_refused(begun: McpConversation, method: str, params: Any) -> None:
    """Whatever is wrong with them, the request is answered."""
    assert refused(begun, method, params) == INVALID_PARAMS


def test_a_tool_call_is_the_channels(begun: McpConversation) -> None:
    """With arguments, with null, and without."""
    for params in ({"name": "x", "arguments": {}}, {"name": "x", "arguments": None}, {"name": "x"}):
        assert begun.answer(HostMessage("tools/call", params, 1)) is None


@pytest.mark.parametrize("request_id", [0, -1, 2**70, "", "7"])
def test_a_request_has_a_number_or_a_text_as_id(request_id: Any) -> None:
    """Both come back as they are."""
    line = json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "ping"})
    assert parse(line) == HostMessage("ping", None, request_id)


@pytest.mark.parametrize("request_id", [None, True, 1.5, [1], {}])
def test_any_other_id_is_none(request_id: Any) -> None:
    """Nobody could be answered by it: it is a notification."""
    found = parse(json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "ping"}))
    assert found == HostMessage("ping", None, None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello?",
        "{}",
        "[]",
        '"x"',
        "[" * 100_000,
        '{"jsonrpc":"2.0","id":' + "1" * 10_000 + ',"method":"ping"}',
        '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        '{"id":1,"method":"ping"}',
        '{"jsonrpc":"1.0","id":1,"method":"ping"}',
        '{"jsonrpc":"2.0","id":1,"method":4}',
        '{"jsonrpc":"2.0","id":1,"result":{}}',
        '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
    ],
)
def test_anything_else_is_no_message(line: str) -> None:
    """What is not JSON-RPC, a batch, or a response to something that nobody asked is passed over."""
    assert parse(line) is None
