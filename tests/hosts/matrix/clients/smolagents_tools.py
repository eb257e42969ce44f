"""smolagents' tools of an MCP server."""

from __future__ import annotations

import asyncio

from driver import ARGUMENTS, COMMAND, ENV, drive
from mcp import StdioServerParameters
from smolagents import ToolCollection


async def main() -> None:
    """One session for all calls."""
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENV)
    with ToolCollection.from_mcp(server, trust_remote_code=True) as collection:
        found = {tool.name: tool for tool in collection.tools}

        async def tools() -> list[str]:
            return list(found)

        async def call(tool: str, given: dict[str, object]) -> str:
            return str(await asyncio.to_thread(found[tool], **given))

        await drive(tools, call)


asyncio.run(main())
