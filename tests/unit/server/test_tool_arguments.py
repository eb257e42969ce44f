"""What an agent reads when it calls a tool with arguments that the tool does not take."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import types

from agent_channels.core.server.session import McpSession
from agent_channels.core.server.tools.table import tool_table


async def refusal(name: str, **arguments: Any) -> str:
    async def closed() -> Any:
        raise AssertionError("a call with wrong arguments does not run")

    session = McpSession("test", "0", "", tool_table(closed, dict, "text"), {}, {})
    result = await session._call(None, types.CallToolRequestParams(name=name, arguments=arguments))
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text.removeprefix(f"{name} was not run: ")


@pytest.mark.parametrize(
    ("given", "meant"), [("chatid", "chat_id"), ("file", "files"), ("txt", "text"), ("button", "buttons")]
)
async def test_a_near_argument_is_suggested(given: str, meant: str) -> None:
    """A name that is nearly right."""
    said = await refusal("reply", chat_id="1", text="x", **{given: 1})
    assert said == f"unknown argument {given!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("given", ["unknown", "single_use", "parse_mode", "attachments", "message", "x"])
@pytest.mark.parametrize("tool", ["reply", "ask"])
async def test_a_far_argument_gets_the_list(tool: str, given: str) -> None:
    """Any other name gets every name that the tool takes, and no guess."""
    said = await refusal(tool, chat_id="1", text="x", buttons=[["Ok"]], **{given: 1})
    assert said.startswith(f"unknown argument {given!r}; there are chat_id, text, ")


@pytest.mark.parametrize("given", ["x", "chat_id", "verbose"])
async def test_a_tool_without_arguments_says_so(given: str) -> None:
    """No empty list."""
    assert await refusal("channel_status", **{given: 1}) == f"unknown argument {given!r}; it takes none"


async def test_a_long_name_is_cut() -> None:
    """What the agent made up is not repeated at any length."""
    assert len(await refusal("channel_status", **{"x" * 5000: 1})) < 200
