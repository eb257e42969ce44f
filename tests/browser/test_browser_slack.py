"""Slack on the page: a direct chat, a channel and a thread; buttons, a menu, a form and a command."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from agent_channels.sandbox.page.run import Page, open_page
from browser_page import CONTRAST, CONTRAST_MIN, WIDE, Screen

pytestmark = [
    pytest.mark.long,
    pytest.mark.cold,
    pytest.mark.asyncio(loop_scope="session"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def page() -> AsyncIterator[Page]:
    """The sandbox with Slack alone."""
    async with open_page(0, scripted=True, channels=("slack",)) as up:
        # Slack keeps nothing for a bot that is away: what is tapped before would be lost.
        await up.scene.slack.wait_for(lambda: up.scene.slack.connected)
        yield up


async def test_slack_is_played_like_the_others(show) -> None:  # type: ignore[no-untyped-def]
    """Buttons, a menu, a form and a command in a direct chat; threads in a channel; readable on a phone in the dark."""
    screen: Screen = await show("slack/ann")
    await screen.say("deploy")
    await screen.sees("Every test passes.")
    await screen.answered("deploy")
    # Each message has one life, however the platform's ids are written down.
    await expect(screen.tab.locator("[data-life]")).to_have_count(1)
    await screen.tap("Approve")
    await screen.sees("Deploying 4.2 now.")
    await screen.answered("tap: Approve")
    await expect(await screen.sees("Every test passes.")).to_contain_text("Approve · ann")
    await screen.say("menu of 30")
    menu = screen.tab.get_by_label("Menu 26-30")
    await menu.select_option(label="28 · sync")
    await screen.tab.locator("form.menu", has=menu).get_by_role("button", name="Choose").click()
    await screen.sees("Noted: 28 · sync.")
    await screen.say("name")
    question = await screen.sees("What is the release called?")
    await question.locator(".grid button").last.click()
    form = screen.tab.get_by_role("dialog")
    await expect(form).to_contain_text("What is the release called?")
    await form.get_by_role("textbox").fill("Cassiopeia")
    await form.get_by_role("button", name="Submit").click()
    await screen.sees("It is called Cassiopeia.")
    await screen.say("/agent-status")
    told = await screen.sees("Only you can see this")
    await expect(told).to_contain_text("Every message has been answered")
    await screen.go("#general", "slack")
    await screen.say("hello")
    await screen.sees("scripted agent")
    asked = screen.tab.locator("#log .message").first
    await asked.hover()
    await asked.get_by_role("button", name="Reply to Ann").click()
    await screen.say("in a thread")
    await screen.tab.get_by_role("button", name="Open the thread hello").click()
    await screen.sees("You said: in a thread")
    await expect(screen.tab.locator("#log .message").first).to_contain_text("hello")
    await expect(screen.tab.get_by_label("Message", exact=True)).to_have_attribute("placeholder", "Message in hello")
    phone: Screen = await show("slack/ann", width=360, height=740, scheme="dark")
    await phone.sees("It is called Cassiopeia.")
    assert [one for one in await phone.tab.evaluate(CONTRAST) if one[0] < CONTRAST_MIN] == []
    assert await phone.tab.evaluate(WIDE) == []
