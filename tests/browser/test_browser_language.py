"""The page in the reader's language: the browser's, or the one that its address names."""

from __future__ import annotations

import re

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from agent_channels.sandbox.page.run import Page
from browser_page import WIDE, Screen

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Every text that is shown or read out, without what is said in the chats and by the platforms.
LABELS = """() => {
  const found = [];
  const spoken = ".body, .grid, #chips, #lives, #chats b, #chats small, #title, code, h1, .name, .said, option";
  for (const node of document.querySelectorAll("body *")) {
    if (node.closest(spoken)) continue;
    for (const name of ["aria-label", "title", "placeholder"]) found.push(node.getAttribute(name) ?? "");
    for (const child of node.childNodes) if (child.nodeType === 3) found.push(child.textContent);
  }
  return found.map((text) => text.trim()).filter((text) => text);
}"""
# Names, and the marks of files and numbers.
NAMES = re.compile(
    r"Your agent|Agent Channels|Telegram|Discord|Ann|Ben|Sam|Website|General|Projects|Release team|Workshop|"
    r"\d+\S*|[#@]\S+"
)


def english(labels: list[str]) -> list[str]:
    return [text for text in labels if re.search(r"[A-Za-z]{2}", NAMES.sub("", text))]


@pytest.mark.parametrize(("locale", "query"), [("zh-TW", ""), ("en-US", "?lang=zh-TW")])
async def test_a_reader_of_chinese_finds_no_english_label(
    browser: Browser, page: Page, locale: str, query: str
) -> None:
    """In each kind of chat, at a phone's width and a desk's, also where the address asks for it."""
    for width in (390, 1280):
        context = await browser.new_context(viewport={"width": width, "height": 840}, locale=locale)
        screen = Screen(await context.new_page(), page)
        await screen.tab.goto(f"{page.url}{query}#telegram/ann")
        await screen.tab.wait_for_selector("body[data-ready]")
        assert await screen.tab.evaluate("document.documentElement.lang") == "zh-TW"
        box = screen.tab.get_by_label("訊息", exact=True).and_(screen.tab.locator("textarea"))
        await box.fill("Hello")
        await box.press("Enter")
        await screen.sees("scripted agent")
        for key in ("telegram/ann", "telegram/sam", *(chat.key for chat in page.scene.chats if chat.group)):
            await screen.tab.evaluate("key => { location.hash = key; }", key)
            await expect(screen.tab.locator(f'#chats [data-chat="{key}"]')).to_have_attribute("aria-current", "true")
            assert english(await screen.tab.evaluate(LABELS)) == []
            assert await screen.tab.evaluate(WIDE) == []
        assert screen.complaints == []
        await context.close()


async def test_the_address_can_ask_for_english(browser: Browser, page: Page) -> None:
    """In a Chinese browser too; a browser of any other language gets English, where the check above finds labels."""
    context = await browser.new_context(locale="zh-TW")
    screen = Screen(await context.new_page(), page)
    await screen.tab.goto(f"{page.url}?lang=en#telegram/ann")
    await screen.tab.wait_for_selector("body[data-ready]")
    await expect(screen.tab.locator("#life-title")).to_have_text("Life of each message and turn")
    assert len(english(await screen.tab.evaluate(LABELS))) > 10
    await context.close()
    context = await browser.new_context(locale="zh-CN")
    screen = Screen(await context.new_page(), page)
    await screen.open("telegram/ann")
    assert await screen.tab.evaluate("document.documentElement.lang") == "en"
    await context.close()


async def test_whoever_lacks_the_secret_is_told_in_their_language(page: Page) -> None:
    """The page that says what to do comes in the browser's first language."""
    async with aiohttp.ClientSession() as session:
        address = page.url.rsplit("/", 2)[0] + "/wrong/"
        for languages, expected in (("zh-TW,zh;q=0.9", "這個網址不完整"), ("de", "This address"), ("", "This address")):
            async with session.get(address, headers={"Accept-Language": languages}) as answer:
                assert answer.status == 403
                assert expected in await answer.text()
