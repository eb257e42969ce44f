"""mcp-agent's aggregator, which its agents call their tools by."""

from __future__ import annotations

import asyncio

from driver import ARGUMENTS, CALL_S, COMMAND, ENV, drive, text_of
from mcp_agent.app import MCPApp
from mcp_agent.config import LoggerSettings, MCPServerSettings, MCPSettings, Settings
from mcp_agent.mcp.mcp_aggregator import MCPAggregator


async def main() -> None:
    """One session for all calls."""
    bound = int(CALL_S) if CALL_S else None
    server = MCPServerSettings(transport="stdio", command=COMMAND, args=ARGUMENTS, env=ENV, read_timeout_seconds=bound)
    settings = Settings(mcp=MCPSettings(servers={"telegram": server}), logger=LoggerSettings(type="none"))
    app = MCPApp(name="tests", settings=settings)
    async with (
        app.run() as running,
        MCPAggregator(["telegram"], connection_persistence=True, context=running.context) as aggregator,
    ):

        async def tools() -> list[str]:
            return [tool.name for tool in (await aggregator.list_tools()).tools]

        async def call(tool: str, given: dict[str, object]) -> str:
            return text_of(await aggregator.call_tool(tool, given, server_name="telegram"))

        await drive(tools, call)


asyncio.run(main())
