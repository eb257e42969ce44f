"""The chat page in a real browser. Without Chromium the tests are skipped, with the command that installs it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from agent_channels.sandbox.page.run import Page, open_page
from browser_page import Screen
from warm import Warm

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "/usr/bin/chromium"))), None)
FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync""".split()  # noqa: SIM905

Show = Callable[..., Awaitable[Screen]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for every test of a process; each tab has a profile of its own."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: `apt-get install chromium` brings one")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        await found.close()


@pytest.fixture
def forking(request: pytest.FixtureRequest, warm: Warm) -> Iterator[None]:
    """The sandbox's servers and commands are forked, but for tests of their start."""
    with contextlib.nullcontext() if request.node.get_closest_marker("cold") else warm.for_the_sandbox():
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def page(forking: None) -> AsyncIterator[Page]:
    """The sandbox with the channel servers that most tests need."""
    async with open_page(0, scripted=True, channels=("telegram", "discord")) as up:
        yield up


@pytest_asyncio.fixture(loop_scope="session")
async def show(browser: Browser, page: Page) -> AsyncIterator[Show]:
    """Open a chat in a browser of this size, colours and time zone. Any error that the page reports fails the test."""
    screens: list[Screen] = []

    async def opens(
        chat: str = "telegram/ann",
        *,
        width: int = 1280,
        height: int = 840,
        scheme: str = "light",
        zone: str | None = None,
    ) -> Screen:
        size = {"width": width, "height": height}
        context = await browser.new_context(viewport=size, color_scheme=scheme, timezone_id=zone)  # type: ignore[arg-type]
        screen = Screen(await context.new_page(), page)
        screens.append(screen)
        await screen.open(chat)
        return screen

    yield opens
    for screen in screens:
        await screen.tab.context.close()
    assert [screen.complaints for screen in screens] == [[] for _ in screens]
