"""LangChain's tools of an MCP server, as its documentation makes them: each call starts the server anew."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from driver import ARGUMENTS, CALL_S, COMMAND, ENV, drive
from langchain_mcp_adapters.client import MultiServerMCPClient


async def main() -> None:
    """A process for each call."""
    bound = {"session_kwargs": {"read_timeout_seconds": timedelta(seconds=CALL_S)}} if CALL_S else {}
    server = {"transport": "stdio", "command": COMMAND, "args": ARGUMENTS, "env": ENV, **bound}
    found = {tool.name: tool for tool in await MultiServerMCPClient({"telegram": server}).get_tools()}

    async def tools() -> list[str]:
        return list(found)

    async def call(tool: str, given: dict[str, object]) -> str:
        return str(await found[tool].ainvoke(given))

    await drive(tools, call)


asyncio.run(main())
