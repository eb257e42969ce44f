"""The chat page as its user sees it."""

from __future__ import annotations

import re

from playwright.async_api import Locator, expect
from playwright.async_api import Page as Tab

from agent_channels.sandbox.page.run import Page

__all__ = ["CONTRAST", "CONTRAST_MIN", "PATIENCE_MS", "WIDE", "Screen"]

PATIENCE_MS = 30_000
# WCAG 2.2, 1.4.3: text at ordinary size.
CONTRAST_MIN = 4.5
CONTRAST = """() => {
  const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = color;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data].map((one, at) => at < 3 ? one : one / 255);
  };
  const over = (top, under) => top.slice(0, 3).map((one, at) => one * top[3] + under[at] * (1 - top[3]));
  const ground = (node) => {
    if (!node) return [255, 255, 255];
    const own = rgba(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(node.parentElement));
  };
  const light = (color) => color
    .map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const said = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!said || !node.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (node.disabled || node.closest(".visually-hidden, .skip, option, #toast, .spoiler:not(.open)")) continue;
    const under = ground(node);
    const [a, b] = [light(over(rgba(getComputedStyle(node).color), under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    found.push([Math.round(ratio * 100) / 100, `${node.tagName} ${node.className} ${node.textContent.slice(0, 30)}`]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""
WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5
    && !node.closest("pre, .scroll, #topics ul, .visually-hidden")
    && node.checkVisibility({opacityProperty: true, visibilityProperty: true}))
  .map((node) => `${node.tagName} ${node.id} ${node.className}`)"""
expect.set_options(timeout=PATIENCE_MS)


class Screen:
    """One browser tab with the page."""

    def __init__(self, tab: Tab, page: Page) -> None:
        self.tab, self.page = tab, page
        self.complaints: list[str] = []
        tab.set_default_timeout(PATIENCE_MS)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)

    async def open(self, chat: str) -> None:
        """Open a chat and wait until it is drawn."""
        await self.tab.goto(f"{self.page.url}#{chat}")
        await self.tab.wait_for_selector("body[data-ready]")

    async def go(self, title: str, platform: str) -> None:
        """Choose another chat in the list, which is a view of its own on a narrow screen."""
        if not await self.tab.locator("#chats").is_visible():
            await self.tab.get_by_role("button", name="Chats", exact=True).click()
        named = self.tab.get_by_text(title, exact=True)
        await self.tab.locator(f"#chats [data-platform={platform}] button", has=named).click()

    async def say(self, text: str) -> None:
        """Type a message and send it."""
        await self.tab.get_by_label("Message", exact=True).fill(text)
        await self.tab.get_by_label("Message", exact=True).press("Enter")

    async def tap(self, label: str) -> None:
        """Tap the newest button with this label."""
        await self.tab.locator(".grid").get_by_role("button", name=label, exact=True).last.click()

    async def sees(self, text: str) -> Locator:
        """Wait until a message with this text is in the chat; return it."""
        found = self.tab.locator("#log .message", has_text=text).last
        await expect(found).to_be_visible()
        return found

    def life(self, what: str) -> Locator:
        """Return the newest lifecycle of a message or action."""
        return self.tab.locator("#lives > li", has_text=what).first

    async def answered(self, what: str) -> Locator:
        """Wait until a message or action has been answered; return its lifecycle."""
        found = self.life(what)
        await expect(found).to_have_attribute("data-life", "answered")
        return found

    def server(self, channel: str) -> Locator:
        """Return the card of a channel server."""
        return self.tab.locator(f".server[data-channel={channel}]")

    async def pid(self, channel: str) -> str:
        """Return the id of the running process."""
        await expect(self.server(channel)).to_have_class(re.compile("running"))
        found = re.search(r"process (\d+)", await self.server(channel).inner_text())
        assert found
        return found[1]
