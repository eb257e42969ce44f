"""LangChain's tools of an MCP server, as its documentation makes them: each call starts the server anew."""

from __future__ import annotations

import asyncio

from driver import ARGUMENTS, COMMAND, ENV, drive
from langchain_mcp_adapters.client import MultiServerMCPClient


async def main() -> None:
    """A process for each call."""
    server = {"transport": "stdio", "command": COMMAND, "args": ARGUMENTS, "env": ENV}
    found = {tool.name: tool for tool in await MultiServerMCPClient({"telegram": server}).get_tools()}

    async def tools() -> list[str]:
        return list(found)

    async def call(tool: str, given: dict[str, object]) -> str:
        return str(await found[tool].ainvoke(given))

    await drive(tools, call)


asyncio.run(main())
