"""fast-agent's aggregator, which its agents call their tools by."""

from __future__ import annotations

import asyncio

from driver import ARGUMENTS, CALL_S, COMMAND, ENV, drive, text_of
from fast_agent.config import LoggerSettings, MCPServerSettings, MCPSettings, Settings
from fast_agent.core.core_app import Core
from fast_agent.mcp.mcp_aggregator import MCPAggregator


async def main() -> None:
    """One session for all calls."""
    bound = int(CALL_S) if CALL_S else None
    server = MCPServerSettings(transport="stdio", command=COMMAND, args=ARGUMENTS, env=ENV, read_timeout_seconds=bound)
    logger = LoggerSettings(type="none", progress_display=False, show_chat=False, show_tools=False)
    core = Core(name="tests", settings=Settings(mcp=MCPSettings(servers={"telegram": server}), logger=logger))
    async with (
        core.run() as running,
        MCPAggregator(["telegram"], connection_persistence=True, context=running.context) as aggregator,
    ):

        async def tools() -> list[str]:
            return [tool.name for tool in (await aggregator.list_tools()).tools]

        async def call(tool: str, given: dict[str, object]) -> str:
            name = next(name for name in await tools() if name.endswith(tool))
            return text_of(await aggregator.call_tool(name, given))

        await drive(tools, call)


asyncio.run(main())
