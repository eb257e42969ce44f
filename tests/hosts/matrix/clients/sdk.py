"""The MCP SDK's own client."""

from __future__ import annotations

import asyncio

from driver import ARGUMENTS, CALL_S, COMMAND, ENV, drive, text_of
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    """One session for all calls."""
    server = StdioServerParameters(command=COMMAND, args=ARGUMENTS, env=ENV)
    async with stdio_client(server) as (read, write), ClientSession(read, write, CALL_S) as session:
        await session.initialize()

        async def tools() -> list[str]:
            return [tool.name for tool in (await session.list_tools()).tools]

        await drive(tools, lambda tool, given: _call(session, tool, given))


async def _call(session: ClientSession, tool: str, given: dict[str, object]) -> str:
    return text_of(await session.call_tool(tool, given))


asyncio.run(main())
