"""The head of a chat on the page: who is in it, and how to be heard there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.cold

CUT = "node => node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight"


@pytest.mark.parametrize("width", [1000, 1400])
async def test_a_group_says_in_full_how_to_be_heard(show: Callable, width: int) -> None:
    """The bot's name is there to be copied, and nothing is cut off."""
    screen = await show(width=width)
    await screen.go("Release team", "telegram")
    about = screen.tab.locator("#about")
    await expect(about).to_have_text("Telegram, a group; write @sandbox_bot for the bot to hear you")
    assert not await about.evaluate(CUT)
