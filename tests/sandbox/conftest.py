"""A sandbox, a person who has started the bot, and three kinds of clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import telegram

from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

if TYPE_CHECKING:
    import aiogram


class Raw:
    """A Bot API client without checks of its own: `await raw("getMe")` returns (status, body)."""

    def __init__(self, session: aiohttp.ClientSession, tg: TelegramSandbox) -> None:
        self.session = session
        self.tg = tg

    async def __call__(self, method: str, **params: Any) -> tuple[int, dict[str, Any]]:
        url = f"{self.tg.root}/bot{self.tg.token}/{method}"
        async with self.session.post(url, json=params) as response:
            return response.status, await response.json()

    async def ok(self, method: str, **params: Any) -> Any:
        status, body = await self(method, **params)
        assert status == 200, body
        assert body["ok"] is True
        return body["result"]

    async def refused(self, method: str, **params: Any) -> str:
        status, body = await self(method, **params)
        assert body["ok"] is False, body
        assert body["error_code"] == status
        return str(body["description"])

    async def post(self, path: str, data: Any, **options: Any) -> tuple[int, dict[str, Any]]:
        url = f"{self.tg.root}/bot{self.tg.token}/{path}"
        async with self.session.post(url, data=data, **options) as response:
            return response.status, json.loads(await response.read())

    async def control(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        # Without a JSON content type, as `curl -d` sends it.
        data = json.dumps(body).encode()
        async with self.session.post(
            f"{self.tg.root}/control/{path}", data=data, headers=self.tg.authorization
        ) as response:
            return response.status, json.loads(await response.read())

    async def query(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self.session.get(f"{self.tg.root}/control/{path}", headers=self.tg.authorization) as response:
            return response.status, json.loads(await response.read())


@pytest.fixture
async def tg() -> AsyncIterator[TelegramSandbox]:
    async with TelegramSandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def raw(tg: TelegramSandbox) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        yield Raw(session, tg)


@pytest.fixture
def of_version() -> Callable[[str], AbstractAsyncContextManager[tuple[TelegramSandbox, Raw]]]:
    """Return a sandbox of some version of the Bot API, and a client of it."""

    @asynccontextmanager
    async def started(version: str) -> AsyncIterator[tuple[TelegramSandbox, Raw]]:
        async with TelegramSandbox(version=version) as tg, aiohttp.ClientSession() as session:
            yield tg, Raw(session, tg)

    return started


@pytest.fixture(autouse=True)
def _durations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let python-telegram-bot return durations as timedeltas; otherwise it warns."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def bot(tg: TelegramSandbox) -> AsyncIterator[telegram.Bot]:
    request = telegram.request.HTTPXRequest(connection_pool_size=8)
    polling = telegram.request.HTTPXRequest(connection_pool_size=8)
    made = telegram.Bot(
        tg.token,
        base_url=f"{tg.root}/bot",
        base_file_url=f"{tg.root}/file/bot",
        request=request,
        get_updates_request=polling,
    )
    async with made:
        yield made


@pytest.fixture
async def aio(tg: TelegramSandbox) -> AsyncIterator[aiogram.Bot]:
    # Imported here and in the tests: it takes seconds, and every process of a run reads every file of tests.
    import aiogram
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    session = AiohttpSession(api=TelegramAPIServer.from_base(tg.root))
    async with aiogram.Bot(tg.token, session=session) as made:
        yield made


@pytest.fixture
async def ann(tg: TelegramSandbox, raw: Raw) -> TelegramPerson:
    """Ann has started the bot, and her /start is confirmed."""
    person = tg.person("ann")
    person.start()
    await confirm(raw)
    return person


async def confirm(raw: Raw) -> None:
    updates = await raw.ok("getUpdates")
    if updates:
        await raw.ok("getUpdates", offset=updates[-1]["update_id"] + 1)


@pytest.fixture
def updates(raw: Raw) -> Callable[[], Awaitable[list[dict[str, Any]]]]:
    """Return and confirm all queued updates."""

    async def read() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await raw.ok("getUpdates")
        if found:
            await raw.ok("getUpdates", offset=found[-1]["update_id"] + 1)
        return found

    return read
