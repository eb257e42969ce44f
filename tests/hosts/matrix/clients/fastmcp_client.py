"""FastMCP's client."""

from __future__ import annotations

import asyncio

from driver import ARGUMENTS, CALL_S, COMMAND, ENV, drive, text_of
from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main() -> None:
    """One session for all calls."""
    async with Client(StdioTransport(command=COMMAND, args=ARGUMENTS, env=ENV), timeout=CALL_S) as client:

        async def tools() -> list[str]:
            return [tool.name for tool in await client.list_tools()]

        async def call(tool: str, given: dict[str, object]) -> str:
            return text_of(await client.call_tool(tool, given, raise_on_error=False))

        await drive(tools, call)


asyncio.run(main())
