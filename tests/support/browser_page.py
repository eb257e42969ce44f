"""The chat page as its user sees it."""

from __future__ import annotations

import re

from playwright.async_api import Locator, expect
from playwright.async_api import Page as Tab

from agent_channels.sandbox.page.run import Page

__all__ = ["PATIENCE_MS", "Screen"]

PATIENCE_MS = 30_000
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
        await self.tab.goto(f"{self.page.url}/#{chat}")
        await self.tab.wait_for_selector("body[data-ready]")

    async def go(self, title: str, platform: str) -> None:
        """Choose another chat in the list."""
        section = self.tab.locator(f"#chats [data-platform={platform}]")
        await section.get_by_role("button", name=re.compile(title)).click()

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
