"""Several projects on one bot, played on the page: choose one, work in two topics, one dies, the other goes on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from agent_channels.sandbox.page.run import Page, open_page
from browser_page import CONTRAST, CONTRAST_MIN, WIDE, Screen

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def page(forking: None) -> AsyncIterator[Page]:
    """Two projects, each with a server and an agent."""
    async with open_page(0, scripted=True, projects=2) as up:
        yield up


async def topic(screen: Screen, name: str) -> None:
    """Opens a topic, once it is there."""
    await screen.tab.locator("#topics button", has=screen.tab.get_by_text(name, exact=True)).click()


async def test_one_project_dies_and_the_other_goes_on(show) -> None:  # type: ignore[no-untyped-def]
    """A chosen project and two topics; what waits for the dead one is answered once it is back, in its own topic."""
    screen: Screen = await show()
    for name in ("api", "web"):
        await expect(screen.server(name)).to_contain_text("waits for messages")
    await screen.say("/projects")
    await screen.sees("api")
    await screen.tap("web")
    await screen.sees("✓ web")
    await screen.say("Who is there?")
    await screen.sees("web: You said: Who is there?")
    for name in ("api", "web"):
        await screen.say(f"/new {name}")
        await topic(screen, name)
        await screen.say(f"Hello {name}, are you there?")
        await screen.sees(f"{name}: You said: Hello {name}, are you there?")
        life = await screen.answered(f"Hello {name}")
        await expect(life.locator(".project")).to_have_text(name)
        await topic(screen, "Start")
    await screen.tab.get_by_role("button", name="Kill the server of api").click()
    await expect(screen.server("api")).to_contain_text("not running: killed")
    await topic(screen, "api")
    await screen.say("Said to nobody")
    waiting = screen.life("Said to nobody")
    await expect(waiting).to_have_attribute("data-life", "hub")
    await expect(waiting.locator(".project")).to_have_text("api")
    await topic(screen, "web")
    await screen.say("And you?")
    await screen.sees("web: You said: And you?")
    await expect(waiting).to_have_attribute("data-life", "hub")
    await screen.tab.get_by_role("button", name="Start the server of api").click()
    await topic(screen, "api")
    await screen.sees("api: You said: Said to nobody")
    await screen.answered("Said to nobody")
    await expect(screen.tab.locator("#log .message", has_text=re.compile("^.*web: ", re.DOTALL))).to_have_count(0)


async def test_the_projects_fit_and_can_be_read(show) -> None:  # type: ignore[no-untyped-def]
    """On a phone and on a desktop, in both colours: nothing is cut off, and every text has enough contrast."""
    first: Screen = await show()
    await first.say("/projects")
    await first.sees("web")
    for width, height in ((390, 844), (1280, 840)):
        for scheme in ("light", "dark"):
            screen: Screen = await show(width=width, height=height, scheme=scheme)
            await screen.sees("Your projects on this bot")
            views = ("Chat", "Life") if width < 700 else ()
            for view in views or ("",):
                if view:
                    await screen.tab.get_by_role("button", name=view, exact=True).click()
                assert await screen.tab.evaluate(WIDE) == []
                found = await screen.tab.evaluate(CONTRAST)
                assert [one for one in found if one[0] < CONTRAST_MIN] == []
