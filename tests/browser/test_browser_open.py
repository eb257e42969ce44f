"""`channels open` in a real browser, over a state that real servers have written: what it shows, and what it can do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Route, expect
from playwright.async_api import Page as Tab

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from browser_page import CONTRAST, CONTRAST_MIN, PATIENCE_MS, WIDE
from harness import Stage
from real_page import RealPage, Story, both_channels, real_page, told

# Each begins with two platforms, their servers and everything that happens before the page is opened.
pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

Look = Callable[..., Awaitable[Tab]]


@pytest_asyncio.fixture(loop_scope="session")
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with both_channels(tmp_path) as (stage, other):
        yield await Story.play(stage, other)


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser: Browser) -> AsyncIterator[Look]:
    """Open an address in a browser of this size and these colours. Any error that the page reports fails the test."""
    tabs: list[Tab] = []
    complaints: list[str] = []

    async def opens(page: RealPage, *, width: int = 1280, height: int = 840, scheme: str = "light") -> Tab:
        size = {"width": width, "height": height}
        context = await browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        tab = await context.new_page()
        tab.set_default_timeout(PATIENCE_MS)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        tabs.append(tab)
        await tab.goto(page.url)
        await tab.wait_for_selector("body[data-ready]")
        return tab

    yield opens
    for tab in tabs:
        await tab.context.close()
    # What the tests try, and the end of the page before its tab.
    expected = re.compile("status of 400|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_REFUSED")
    assert [one for one in complaints if not expected.search(one)] == []


async def choose(tab: Tab, title: str) -> None:
    """Choose a chat in the list."""
    if not await tab.locator("#chats").is_visible():
        await tab.get_by_role("button", name="Chats", exact=True).click()
    await tab.locator("#chats button", has=tab.get_by_text(title, exact=True)).first.click()


def life(tab: Tab, what: str) -> Locator:
    """Return the newest life of a message."""
    return tab.locator("#lives > li", has_text=what).first


async def test_it_shows_what_the_store_keeps(story: Story, look: Look) -> None:
    """Both channels' chats, the panel with its choice, the life of each message, who waits, and the status's facts."""
    async with real_page(story.stage) as page:
        tab = await look(page)
        assert [await one.inner_text() for one in await tab.locator("#chats h2").all()] == ["Telegram", "Discord"]
        await choose(tab, "Ann")
        await expect(tab.locator("#about")).to_have_text("Telegram, paired, approver")
        log = tab.locator("#log")
        question = log.locator(".message", has_text="Every test passes.")
        await expect(question).to_contain_text("Deploy 4.2 to production?")
        await expect(question.locator(".row")).to_have_count(2)
        await expect(question.locator(".key.chosen")).to_have_text("chosen: Approve")
        await expect(question.locator(".outcome")).to_have_text("Approve, chosen by ann")
        assert await question.locator("button:not(:disabled)").count() == 0
        await expect(log.locator(".service", has_text="ann tapped Approve")).to_be_visible()
        await expect(log.locator(".message.mine", has_text="Is 4.2 ready")).to_have_count(1)
        # The order of the story.
        said = " ".join((await log.inner_text()).split())
        assert said.index("Is 4.2 ready") < said.index("Every test passes") < said.index("Deploying 4.2")
        # The life of each message.
        await expect(life(tab, "Is 4.2 ready")).to_have_attribute("data-life", "answered")
        stages = life(tab, "Is 4.2 ready").locator("[data-stage]")
        assert [await one.get_attribute("data-stage") for one in await stages.all()] == [
            "received", "sorted", "offered", "answered",
        ]  # fmt: skip
        await expect(life(tab, "Is 4.2 ready").locator("[data-stage=offered]")).to_contain_text("by push")
        again = life(tab, "How far is it?")
        await expect(again).to_have_attribute("data-life", "offered")
        await expect(again.locator("[data-stage=redelivered]")).to_contain_text("2 times in all")
        await expect(again).to_contain_text("the agent has not answered yet")
        failed = tab.locator("#lives > [data-life=failed]")
        await expect(failed).to_contain_text("this version could not read it")
        # The facts that `channels status` prints.
        card = tab.locator("[data-channel=telegram]")
        await expect(card.locator(".light")).to_have_text("the bot is read")
        await card.get_by_text("More of the status").click()
        shown = [" ".join((await one.inner_text()).split()) for one in await card.locator("dl > div").all()]
        printed = (await story.stage.cli("status", "telegram")).out
        lines = [" ".join(line.split()) for line in printed.splitlines()[1:]]
        changing = ("last poll", "read by")
        assert sorted(one for one in shown if not one.startswith(changing)) == sorted(
            one for one in lines if not one.startswith(changing)
        )
        assert any(one.startswith("read by process") for one in shown)
        # In another browser's language, at the same time.
        other = await look(page)
        await other.goto(f"{page.url}?lang=zh-TW")
        facts = other.locator("[data-channel=telegram] dl")
        await expect(facts.first).to_contain_text("送達方式")
        await expect(facts.first).not_to_contain_text("delivery")
        await expect(card.locator("dl").first).to_contain_text("delivery")
        # Who waits to be let in, and what they wrote meanwhile.
        await expect(card.locator(".pending")).to_contain_text("‹img src=x")
        await tab.locator("#chats button", has_text="Eve").click()
        await expect(tab.locator("#about")).to_have_text("Telegram, waits to be let in")
        await expect(log.locator(".message")).to_contain_text("May I come in?")
        await expect(life(tab, "May I come in?")).to_have_attribute("data-life", "held")
        # The other channel.
        await choose(tab, "ben")
        await expect(log.locator("strong", has_text="bold")).to_be_visible()
        await expect(log.locator(".message.bot", has_text="Hello, ben.")).to_be_visible()
        await expect(tab.locator("[data-channel=discord] .light")).to_have_text("the bot is read")


async def test_it_changes_by_itself(story: Story, look: Look) -> None:
    """What servers write appears without a reload; when they are gone, the page says so, and why things wait."""
    async with real_page(story.stage, "telegram") as page:
        tab = await look(page)
        await choose(tab, "Ann")
        story.ann.send("still there?")
        await story.host.event()
        await expect(tab.locator("#log .message", has_text="still there?")).to_be_visible()
        await expect(life(tab, "still there?")).to_have_attribute("data-life", "offered")
        await told(story.host, story.ann.id, "Yes.")
        await expect(tab.locator("#log .message.bot", has_text="Yes.")).to_be_visible()
        await expect(life(tab, "still there?")).to_have_attribute("data-life", "answered")
        card = tab.locator("[data-channel=telegram]")
        await story.host.kill()
        await expect(card.locator(".light")).to_have_text("nobody reads the bot")
        await card.get_by_text("More of the status").click()
        await expect(card.locator("dl > div", has_text="read by")).to_contain_text("nobody")
        assert await tab.locator("#chats h2").count() == 1


async def test_what_the_operator_does_is_done(story: Story, look: Look) -> None:
    """Letting in by code, offering again and dropping change the store, and the running server acts on each at once."""
    async with real_page(story.stage) as page:
        tab = await look(page)
        dialog, toast = tab.locator("#modal"), tab.locator("#toast")
        pending = tab.locator("[data-channel=telegram] .pending")
        await pending.get_by_role("button", name="Let in…").click()
        await expect(dialog).to_contain_text("Eve in?")
        await dialog.get_by_label("Code").fill("ABCD2345" if story.code != "ABCD2345" else "ABCD2346")
        await dialog.get_by_role("button", name="Let in").click()
        await expect(toast).to_contain_text("no pending pairing has the code")
        assert (await story.stage.access("--json")).json["pending"] != []

        async def answer_late(route: Route) -> None:
            response = await route.fetch()
            # The page has heard of it before: her chat is now the first, and the one that is open stays open.
            await expect(tab.locator("#chats button").first).to_contain_text("Eve")
            await route.fulfill(response=response)

        await tab.route("**/act/pair", answer_late)
        await dialog.get_by_label("Code").fill(story.code.lower())
        await dialog.get_by_role("button", name="Let in").click()
        await expect(toast).to_contain_text("The running server will tell them.")
        await expect(pending).to_have_count(0)
        await expect(tab.locator("#title")).to_have_text("Ann")
        assert (await story.host.event()).content == "May I come in?"
        assert "Paired" in (await story.eve.next_message())["text"]
        # Again.
        await choose(tab, "Ann")
        answered = life(tab, "Is 4.2 ready")
        await answered.get_by_role("button", name="Offer again…").click()
        await expect(dialog).to_contain_text("ann: Is 4.2 ready to go out?")
        await dialog.get_by_role("button", name="Cancel").click()
        await answered.get_by_role("button", name="Offer again…").click()
        await dialog.get_by_role("button", name="Offer again").click()
        event = await story.host.event()
        assert (event.content, event.meta["redelivered"]) == ("Is 4.2 ready to go out?", "true")
        await expect(answered.locator("[data-stage=redelivered]")).to_be_visible()
        # Drop.
        far = life(tab, "How far is it?")
        await far.get_by_role("button", name="Drop…").click()
        await dialog.get_by_role("button", name="Drop", exact=True).click()
        await expect(far).to_have_attribute("data-life", "dropped")
        await expect(far).to_contain_text("dropped by the operator")
        with Store.open(story.stage.state) as store:
            recorded = [(row["what"], row["detail"]) for row in Services.of(store).audit.latest(9)]
        delivery_id = event.meta["delivery_id"]
        assert ("allow", "pairing") in recorded
        assert ("redeliver", delivery_id) in recorded
        assert [what for what, _ in recorded].count("redeliver") == 1
        assert [what for what, _ in recorded].count("drop") == 1


async def test_an_invitation_is_made_and_works(story: Story, look: Look) -> None:
    """Its link and QR code are shown once; whoever opens the link is in."""
    async with real_page(story.stage) as page:
        tab = await look(page, width=390, height=740)
        await tab.get_by_role("button", name="State", exact=True).click()
        card, dialog = tab.locator("[data-channel=telegram]"), tab.locator("#modal")
        await card.get_by_text("People: 1").click()
        await card.get_by_role("button", name="Invite somebody…").click()
        await dialog.get_by_role("button", name="Make it").click()
        link = await dialog.locator(".invitation").inner_text()
        found = re.fullmatch(r"https://t\.me/sandbox_bot\?start=([A-HJ-NP-Z2-9]{12})", link)
        assert found
        await expect(dialog.get_by_role("img", name="QR code of the link")).to_be_visible()
        assert await tab.evaluate(WIDE) == []
        await dialog.get_by_role("button", name="Done").click()
        await expect(dialog).to_be_hidden()
        assert link not in await tab.content()
        zoe = story.stage.tg.person("zoe", first_name="Zoe")
        zoe.start(found[1])
        assert "Paired" in (await zoe.next_message())["text"]
        await expect(card.locator(".people")).to_contain_text("Zoe")


@pytest.mark.parametrize("width", [390, 1280])
async def test_it_is_readable_and_never_scrolls_sideways(story: Story, look: Look, width: int) -> None:
    """Light and dark have the contrast that WCAG requires; every part fits, also on a phone's width."""
    async with real_page(story.stage) as page:
        for scheme in ("light", "dark"):
            tab = await look(page, width=width, scheme=scheme)
            for title, view in (("Ann", "State"), ("ben", "Chats"), ("Ann", "Chat")):
                await choose(tab, title)
                if width < 700:
                    await tab.get_by_role("group", name="Show").get_by_role("button", name=view, exact=True).click()
                assert [one for one in await tab.evaluate(CONTRAST) if one[0] < CONTRAST_MIN] == []
                assert await tab.evaluate(WIDE) == []
                assert await tab.evaluate("document.documentElement.scrollWidth") == width
            if width < 700:
                await tab.get_by_role("button", name="State", exact=True).click()
            await tab.get_by_role("button", name="Let in…").click()
            inside = "document.querySelector('#modal').scrollWidth <= document.querySelector('#modal').clientWidth"
            assert await tab.evaluate(inside)
            assert [one for one in await tab.evaluate(CONTRAST) if one[0] < CONTRAST_MIN] == []
    said = tab.locator("#link")
    await expect(said).to_contain_text("not connected")
    # Not a word a line.
    assert await said.evaluate("node => node.clientHeight < 2.5 * parseFloat(getComputedStyle(node).lineHeight)")


async def test_nothing_that_people_write_becomes_markup(story: Story, look: Look) -> None:
    """Names and texts that look like HTML stay text, in the list, the chat, the lives, the cards and the dialogs."""
    async with real_page(story.stage) as page:
        tab = await look(page)
        await choose(tab, "Ann")
        await expect(tab.locator("#log .message.bot", has_text="You said: <img src=x")).to_be_visible()
        await tab.locator("[data-channel=telegram] .pending button").click()
        await expect(tab.locator("#modal h2")).to_contain_text("‹img src=x")
        made = "document.querySelectorAll('main img, #modal img, .text b, .what i, #modal b, #log script').length"
        assert await tab.evaluate(made) == 0
        assert await tab.title() == "Agent Channels"


async def test_the_keyboard_is_enough(story: Story, look: Look) -> None:
    """A screen reader gets a name for every control, and the keyboard reaches a dialog and leaves it."""
    async with real_page(story.stage) as page:
        tab = await look(page)
        await choose(tab, "Ann")
        nameless = """() => [...document.querySelectorAll("button, a, summary, input, [role=button], img")].filter(
          (one) => !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.[0]?.innerText.trim()
            || one.getAttribute("alt") !== null)).map((one) => one.outerHTML)"""
        assert await tab.evaluate(nameless) == []
        button = life(tab, "How far is it?").get_by_role("button", name="Drop…")
        await button.focus()
        await tab.keyboard.press("Enter")
        await expect(tab.locator("#modal")).to_be_visible()
        await tab.keyboard.press("Escape")
        await expect(tab.locator("#modal")).to_be_hidden()
        await expect(button).to_be_focused()


async def test_an_empty_project_says_so(tmp_path: Path, look: Look) -> None:
    """Without any state the page is up, says what is missing, and shows the state once it is there."""
    async with both_channels(tmp_path) as (stage, _):
        assert isinstance(stage, Stage)
        async with real_page(stage) as page:
            tab = await look(page)
            await expect(tab.locator("#title")).to_have_text("No chats yet")
            await expect(tab.locator("[data-channel=telegram]")).to_contain_text("nobody is let in yet")
            ann = stage.person("ann")
            host = await stage.reading()
            ann.send("first")
            await host.event()
            await expect(tab.locator("#log .message", has_text="first")).to_be_visible()
