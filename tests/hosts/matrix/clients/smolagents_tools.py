"""smolagents' tools of an MCP server."""

from __future__ import annotations

import asyncio

from driver import ARGUMENTS, CALL_S, COMMAND, ENV, drive
from mcp import StdioServerParameters
from smolagents import MCPClient


async def main() -> None:
    """One session for all calls."""
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENV)
    bound = {"client_session_timeout_seconds": CALL_S} if CALL_S else None
    with MCPClient(server, adapter_kwargs=bound, structured_output=False) as listed:
        found = {tool.name: tool for tool in listed}

        async def tools() -> list[str]:
            return list(found)

        async def call(tool: str, given: dict[str, object]) -> str:
            return str(await asyncio.to_thread(found[tool], **given))

        await drive(tools, call)


asyncio.run(main())
