"""The head of a chat on the page: who is in it, and how to be heard there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import expect

pytestmark = [pytest.mark.long, pytest.mark.cold, pytest.mark.asyncio(loop_scope="session")]

CUT = "node => node.scrollWidth > node.clientWidth || node.scrollHeight > node.clientHeight"


@pytest.mark.parametrize("width", [1000, 1400])
async def test_a_group_says_in_full_how_to_be_heard(show: Callable, width: int) -> None:
    """The bot's name is there to be copied, and nothing is cut off."""
    screen = await show(width=width)
    await screen.go("Release team", "telegram")
    about = screen.tab.locator("#about")
    await expect(about).to_have_text("Telegram, a group; write @sandbox_bot for the bot to hear you")
    assert not await about.evaluate(CUT)


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_list_of_chats_is_read_in_full(show: Callable, width: int) -> None:
    """What each chat is stands there whole, the state that only the sandbox has included."""
    screen = await show(width=width)
    if width < 600:
        await screen.tab.get_by_role("button", name="Chats", exact=True).click()
    channel = screen.tab.locator("#chats small", has_text="a channel; in this sandbox the bot hears all of it")
    await expect(channel).to_be_visible()
    for line in await screen.tab.locator("#chats small").all():
        assert not await line.evaluate(CUT), await line.inner_text()


async def test_code_that_goes_on_says_so(show: Callable) -> None:
    """A block that is wider than the phone has a shadow at its right end."""
    screen = await show("discord/ann", width=390)
    await screen.say("long answer")
    await screen.sees("async def answer")
    block = screen.tab.locator("#log pre").last
    assert await block.evaluate("node => node.scrollWidth > node.clientWidth")
    drawn = [await block.screenshot()]
    await block.evaluate("node => { node.style.background = getComputedStyle(node).backgroundColor; }")
    drawn.append(await block.screenshot())
    assert drawn[0] != drawn[1]
