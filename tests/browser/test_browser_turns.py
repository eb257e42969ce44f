"""The turns of the agent beside the chat: what runs, that it was steered, asked to stop, and how it ended."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from browser_page import CONTRAST, CONTRAST_MIN, WIDE, Screen

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(("platform", "width", "scheme"), [("telegram", 1280, "light"), ("discord", 390, "dark")])
async def test_a_turn_is_seen_steered_and_stopped(show, platform: str, width: int, scheme: str) -> None:  # type: ignore[no-untyped-def]
    """The step that runs, the plan, what was written in the middle and the stop stand in plain words, on any screen."""
    screen: Screen = await show(f"{platform}/ann", width=width, scheme=scheme)
    await screen.say("Fix the tests")
    turn = screen.tab.locator("#lives > [data-turn]")
    await expect(turn).to_have_attribute("data-turn", "running")
    await expect(turn.locator(".now").first).to_contain_text("npm test")
    await expect(turn.get_by_role("list", name="Plan", include_hidden=True)).to_contain_text("Correct the rounding")
    await screen.say("use tabs")
    await screen.sees("take it up: use tabs")
    await expect(turn.locator("[data-stage=steered]")).to_contain_text("“use tabs”")
    await screen.say("/stop")
    await screen.sees("Stopped by")
    await expect(turn).to_have_attribute("data-turn", "stopped")
    await expect(turn.locator("[data-stage='asked to stop']")).to_contain_text("by ann")
    await expect(turn.locator(".now")).to_have_count(0)
    if width < 700:
        await screen.tab.get_by_role("button", name="Life", exact=True).click()
    await expect(turn).to_be_visible()
    await expect(turn).to_contain_text("stopped, 0:")
    assert [one for one in await screen.tab.evaluate(CONTRAST) if one[0] < CONTRAST_MIN] == []
    assert await screen.tab.evaluate(WIDE) == []


async def test_a_turn_that_ends_says_what_it_did(show) -> None:  # type: ignore[no-untyped-def]
    """At the end the last steps, the number of steps and files stand beside the message that asked for them."""
    screen: Screen = await show()
    await screen.say("At the terminal")
    await screen.sees("Said at the terminal")
    turn = screen.tab.locator("#lives > [data-turn]")
    await expect(turn).to_have_attribute("data-turn", "done")
    await expect(turn).to_contain_text("Bash: npm run build")
    await expect(turn).to_contain_text("1 step")
    await screen.answered("At the terminal")
