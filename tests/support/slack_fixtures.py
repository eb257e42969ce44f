"""Fixtures of the Slack sandbox; a test module uses them with `pytest_plugins = ["slack_fixtures"]`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from agent_channels.sandbox.slack.channels import SlackChannel
from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from slack_wire import Api, Connect, Socket


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    async with SlackSandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def api(slack: SlackSandbox) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(session, slack)


@pytest.fixture
def eve(slack: SlackSandbox) -> SlackPerson:
    """Eve has written to the bot."""
    person = slack.person("eve")
    person.send("hello")
    return person


@pytest.fixture
def room(slack: SlackSandbox, eve: SlackPerson) -> SlackChannel:
    """A channel with Eve and the bot in it."""
    return slack.channel("general", members=[eve])


@pytest.fixture
def connect(slack: SlackSandbox, api: Api) -> Connect:
    """Open sockets, past their hello."""

    @asynccontextmanager
    async def opened(query: str = "") -> AsyncIterator[Socket]:
        url = (await api.ok("apps.connections.open", token=slack.app_token))["url"]
        async with api.session.ws_connect(url + query, autoping=False) as ws:
            socket = Socket(ws)
            socket.hello = await socket.next("hello")
            yield socket

    return opened
