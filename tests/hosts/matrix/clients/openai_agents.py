"""An agent of OpenAI's Agents SDK, with its schemas made strict; its model is the scripted one at OPENAI_BASE_URL."""

from __future__ import annotations

import asyncio
import os
import sys

from agents.mcp import MCPServerStdio
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
from openai import AsyncOpenAI

from agents import Agent, Runner, set_tracing_disabled


async def main() -> None:
    """One run, as long as the model goes on."""
    set_tracing_disabled(True)
    params = {"command": sys.argv[1], "args": sys.argv[2:], "env": dict(os.environ)}
    async with MCPServerStdio(name="telegram", params=params) as server:
        model = OpenAIChatCompletionsModel(model="scripted", openai_client=AsyncOpenAI())
        strict = {"convert_schemas_to_strict": True}
        agent = Agent(name="tests", model=model, mcp_servers=[server], mcp_config=strict)
        await Runner.run(agent, "Begin.", max_turns=1000)


asyncio.run(main())
