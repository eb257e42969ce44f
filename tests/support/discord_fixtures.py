"""Fixtures of the Discord sandbox; a test module uses them with `pytest_plugins = ["discord_fixtures"]`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import yarl

from agent_channels.sandbox.discord.guilds import DiscordChannel
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from discord_wire import Client, Connect, DiscordWebSocket, Gate, Rest, Route, Run, discord


@pytest.fixture
async def dc() -> AsyncIterator[DiscordSandbox]:
    async with DiscordSandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def rest(dc: DiscordSandbox) -> AsyncIterator[Rest]:
    async with aiohttp.ClientSession() as session:
        yield Rest(session, dc)


@pytest.fixture
def eve(dc: DiscordSandbox) -> DiscordPerson:
    """Eve has written to the bot."""
    person = dc.person("eve")
    person.send("hello")
    return person


@pytest.fixture
def room(dc: DiscordSandbox, eve: DiscordPerson) -> DiscordChannel:
    """A channel with Eve and the bot in it."""
    return dc.guild("Team", members=[eve]).channel("general")


@pytest.fixture
def connect(dc: DiscordSandbox, rest: Rest) -> Connect:
    """Open gateway connections."""

    @asynccontextmanager
    async def opened(query: str = "v=10&encoding=json", url: str = "") -> AsyncIterator[Gate]:
        ws = await rest.session.ws_connect(f"{url or dc.gateway_url}?{query}", autoclose=True)
        gate = Gate(ws, dc)
        try:
            yield gate
        finally:
            await ws.close()

    return opened


@pytest.fixture
def run(dc: DiscordSandbox, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run discord.py clients against the sandbox, each until its block ends."""
    monkeypatch.setattr(Route, "BASE", dc.api)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(dc.gateway_url))

    @asynccontextmanager
    async def running(
        intents: discord.Intents | None = None, *, token: str | None = None, **options: Any
    ) -> AsyncIterator[Client]:
        if intents is None:
            intents = discord.Intents.default()
            intents.message_content = True
        client = Client(intents=intents, **options)
        started = asyncio.create_task(client.start(token or dc.token))
        ready = asyncio.create_task(client.next("ready"))
        try:
            await asyncio.wait({started, ready}, return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                started.result()
            yield client
        finally:
            ready.cancel()
            await client.close()
            await asyncio.gather(started, ready, return_exceptions=True)

    return running
