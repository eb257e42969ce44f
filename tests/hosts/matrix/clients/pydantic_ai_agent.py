"""An agent of Pydantic AI; its model is the scripted one at OPENAI_BASE_URL."""

from __future__ import annotations

import asyncio
import os
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.usage import UsageLimits


async def main() -> None:
    """One run, as long as the model goes on."""
    transport = StdioTransport(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    bound = {"read_timeout": float(os.environ["CALL_S"])} if "CALL_S" in os.environ else {}
    server = MCPToolset(transport, **bound)
    agent = Agent(OpenAIChatModel("scripted"), toolsets=[server])
    async with agent:
        await agent.run("Begin.", usage_limits=UsageLimits(request_limit=None))


asyncio.run(main())
