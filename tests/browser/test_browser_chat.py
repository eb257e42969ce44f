"""What the chat shows while it goes on: it follows, buttons stay in view, every message has its sender and its text."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from agent_channels.page.serving import opener
from agent_channels.sandbox.page.run import Page
from agent_channels.sandbox.telegram.images import sample_png
from browser_page import CONTRAST, CONTRAST_MIN, WIDE, Screen

pytestmark = [pytest.mark.long, pytest.mark.cold, pytest.mark.asyncio(loop_scope="session")]

LOOKS = [(1280, "light"), (360, "dark"), (360, "light")]
FROM_END = (
    "() => { const log = document.getElementById('log'); return log.scrollHeight - log.scrollTop - log.clientHeight; }"
)
AT_END = f"() => Math.abs(({FROM_END})()) < 2"
looks = pytest.mark.parametrize(("width", "scheme"), LOOKS)
platforms = pytest.mark.parametrize("platform", ["telegram", "discord"])


def fill(screen: Screen, platform: str) -> None:
    """Put more into Ann's chat than the screen holds."""
    scene = screen.page.scene
    people = scene.tg.people if platform == "telegram" else scene.dc.people
    for number in range(12):
        people["ann"].send(f"line {number}")


def type_as_bot(screen: Screen, platform: str) -> None:
    """Let the bot type in Ann's chat."""
    scene = screen.page.scene
    if platform == "telegram":
        scene.tg.state.chats[scene.tg.people["ann"].id].actions.append((scene.tg.state.now() + 1, "typing", None))
        scene.tg.state.changed()
    else:
        scene.dc.people["ann"].dm.typing.append((scene.dc.state.now(), scene.dc.bot_id))
        scene.dc.state.changed()


@looks
@platforms
async def test_the_chat_follows_after_pictures(show, tmp_path: Path, platform: str, width: int, scheme: str) -> None:  # type: ignore[no-untyped-def]
    """Pictures that load late, of either side, leave the newest message in view, and so does all that follows them."""
    screen: Screen = await show(f"{platform}/ann", width=width, scheme=scheme)
    fill(screen, platform)
    await screen.sees("line 11")
    picture = tmp_path / "tall.png"
    picture.write_bytes(sample_png(300, 900))
    loaded = asyncio.Event()

    async def wait(route) -> None:  # type: ignore[no-untyped-def]
        await loaded.wait()
        await route.continue_()

    await screen.tab.route("**/file/**", wait)
    await screen.tab.set_input_files("#file", picture)
    await screen.say("Look at this")
    await screen.sees("I see it")
    await screen.tab.wait_for_function(AT_END)
    loaded.set()
    await screen.tab.wait_for_function(
        "() => [...document.querySelectorAll('#log img')].filter((one) => one.naturalWidth === 300).length === 2"
    )
    await screen.tab.wait_for_function(AT_END)
    await screen.say("hello")
    await screen.sees("scripted agent")
    await screen.tab.wait_for_function(AT_END)


@platforms
async def test_who_reads_further_up_is_left_there_until_they_come_back_or_write(show, platform: str) -> None:  # type: ignore[no-untyped-def]
    """New messages do not move the chat under somebody who has scrolled up; writing goes back to the end."""
    screen: Screen = await show(f"{platform}/ann")
    fill(screen, platform)
    await screen.sees("You said: line 11")
    await screen.tab.locator("#log").hover()
    await screen.tab.mouse.wheel(0, -100)
    await screen.tab.wait_for_function(f"() => ({FROM_END})() >= 99")
    before = await screen.tab.evaluate("document.getElementById('log').scrollTop")
    (screen.page.scene.tg if platform == "telegram" else screen.page.scene.dc).people["ben"].send("elsewhere")
    await screen.tab.locator("#chats .unread").first.wait_for()
    type_as_bot(screen, platform)
    await expect(screen.tab.locator("#typing")).to_contain_text("is typing")
    assert await screen.tab.evaluate("document.getElementById('log').scrollTop") == before
    await screen.say("hello")
    await screen.sees("hello")
    await screen.tab.wait_for_function(AT_END)


@looks
@platforms
async def test_typing_hides_no_buttons(show, platform: str, width: int, scheme: str) -> None:  # type: ignore[no-untyped-def]
    """Buttons stay where they are while the agent types, and in view while the message box grows."""
    screen: Screen = await show(f"{platform}/ann", width=width, scheme=scheme)
    fill(screen, platform)
    await screen.say("deploy")
    await screen.sees("Every test passes.")
    await screen.answered("deploy")
    await expect(screen.tab.locator("#typing")).not_to_contain_text("typing", use_inner_text=True)
    button = screen.tab.locator(".grid button").last
    before = await button.bounding_box()
    type_as_bot(screen, platform)
    await expect(screen.tab.get_by_text("Your agent is typing")).to_be_visible()
    after = await button.bounding_box()
    # A scroll position is rounded to the screen's pixels.
    assert before is not None
    assert after == pytest.approx(before, abs=1)
    await screen.tab.get_by_label("Message", exact=True).fill("\n".join("some more lines of text"))
    inside = """(one) => one.getBoundingClientRect().bottom <= one.closest("#log").getBoundingClientRect().bottom"""
    handle = await button.element_handle()
    await screen.tab.wait_for_function(inside, arg=handle)
    await button.click()
    await expect(button).to_be_disabled()


@looks
async def test_messages_of_a_group_show_their_sender(show, width: int, scheme: str) -> None:  # type: ignore[no-untyped-def]
    """In a group, each person's and the agent's messages are headed by a name, in the chat and in the list of chats."""
    screen: Screen = await show(width=width, scheme=scheme)
    scene = screen.page.scene
    group = next(iter(scene.tg.groups.values()))
    room = scene.dc.directory.find_channel("general")
    for platform, title in (("telegram", "Release team"), ("discord", "#general")):
        if platform == "telegram":
            scene.tg.people["ann"].send("from ann", chat=group)
            scene.tg.people["ben"].send("@sandbox_bot from ben", chat=group)
        else:
            scene.dc.people["ann"].send("from ann", channel=room)
            scene.dc.people["ben"].send("from ben", channel=room)
        await screen.go(title, platform)
        for text, name in (("from ann", "Ann"), ("from ben", "Ben"), ("You said", "Your agent")):
            sender = screen.tab.locator("#log .message", has_text=text).first.locator(".name")
            await expect(sender).to_contain_text(name)
            await expect(sender).to_be_visible()
        entry = screen.tab.locator(f"#chats [data-platform={platform}] button", has_text=title)
        await expect(entry).to_contain_text("Your agent: You said")
        assert [one for one in await screen.tab.evaluate(CONTRAST) if one[0] < CONTRAST_MIN] == []
        assert await screen.tab.evaluate(WIDE) == []


async def test_a_message_that_the_bot_does_not_get_has_one_tick(show) -> None:  # type: ignore[no-untyped-def]
    """A message that the platform keeps from the bot is not shown as journalled, nor is one that waits for a server."""
    screen: Screen = await show()
    await screen.go("Release team", "telegram")
    await screen.say("among ourselves")
    ticks = (await screen.sees("among ourselves")).locator(".ticks")
    await expect(ticks).to_have_text("✓")
    await expect(ticks).to_have_attribute("aria-label", "the platform does not show this to the bot (privacy mode)")
    await screen.say("@sandbox_bot and to you")
    answered = screen.tab.locator("#log .mine", has_text="and to you").locator(".ticks")
    await expect(answered).to_have_text("✓✓")
    await expect(answered).to_have_attribute("aria-label", "answered")
    await screen.tab.get_by_role("button", name="Kill the Telegram channel server").click()
    await expect(screen.server("telegram")).to_contain_text("not running: killed")
    await screen.say("@sandbox_bot and now")
    waiting = (await screen.sees("@sandbox_bot and now")).locator(".ticks")
    await expect(waiting).to_have_text("✓")
    await expect(waiting).to_have_attribute("aria-label", "not read by a server yet")


@pytest.mark.parametrize("width", [1280, 360])
async def test_a_notice_ends_with_its_chat(show, width: int) -> None:  # type: ignore[no-untyped-def]
    """A notice disappears when another chat is opened or another person speaks, and one that comes later stays away."""
    screen: Screen = await show("discord/ann", width=width)
    toast = screen.tab.locator("#toast")
    await screen.say("deploy")
    await screen.sees("Every test passes.")
    await screen.answered("deploy")
    await screen.page.servers["discord"].kill()
    await screen.tap("Approve")
    await expect(toast).to_contain_text("This interaction failed")
    await expect(toast).to_have_class("error shown")
    await screen.go("Ben", "discord")
    await expect(toast).not_to_have_class("shown")
    await screen.go("Ann", "discord")
    await expect(toast).not_to_have_class("shown")
    async with screen.tab.expect_response("**/act/discord/tap"):
        await screen.tap("Approve")
        await screen.go("Ben", "telegram")
    await screen.tab.evaluate("() => new Promise((done) => setTimeout(done))")
    assert "shown" not in await toast.evaluate("(one) => one.className")


async def test_a_text_that_is_not_sent_stays_in_its_chat(show) -> None:  # type: ignore[no-untyped-def]
    """What is typed, and what could not be sent, is found again in its own chat and nowhere else."""
    screen: Screen = await show()
    box = screen.tab.get_by_label("Message", exact=True)
    await box.fill("for ann only")
    await screen.go("Ben", "telegram")
    await expect(box).to_have_value("")
    await screen.go("Ann", "telegram")
    await expect(box).to_have_value("for ann only")
    refusing, refused = asyncio.Event(), asyncio.Event()

    async def refuse(route) -> None:  # type: ignore[no-untyped-def]
        refused.set()
        await refusing.wait()
        await route.fulfill(json={"ok": False, "error": "no", "next": "later"})

    await screen.tab.route("**/act/telegram/send", refuse)
    async with screen.tab.expect_response("**/act/telegram/send"):
        await box.press("Enter")
        await refused.wait()
        await screen.go("Ben", "telegram")
        refusing.set()
    await expect(box).to_have_value("")
    await expect(screen.tab.locator("#toast")).not_to_have_class("shown")
    await screen.go("Ann", "telegram")
    await expect(box).to_have_value("for ann only")


@looks
async def test_escaped_characters_are_drawn_without_their_backslash(show, width: int, scheme: str) -> None:  # type: ignore[no-untyped-def]
    """Underscores and stars read alike on both platforms: in the chat, in the list of chats, in replies and quotes."""
    for platform in ("discord", "telegram"):
        screen: Screen = await show(f"{platform}/ann", width=width, scheme=scheme)
        await screen.say("__init__.py *.py")
        answer = await screen.sees("You said: ")
        await expect(answer.locator(".text")).to_contain_text("__init__.py *.py")
        assert "\\" not in await answer.inner_text()
        entry = screen.tab.locator(f"#chats [data-platform={platform}] button", has_text="You said").locator("small")
        await expect(entry).to_contain_text("__init__.py *.py")
        await answer.locator(".body").click()
        await answer.get_by_role("button", name="Reply to Your agent").click()
        await expect(screen.tab.locator("#replying")).to_contain_text("__init__.py *.py")
        await screen.say("this one")
        quoted = screen.tab.locator("#log .message.mine", has_text="this one").locator(".quoted")
        await expect(quoted).to_contain_text("__init__.py *.py")
        assert "\\" not in await screen.tab.locator("#phone").inner_text()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_without_the_secret_a_page_says_what_to_do(page: Page, browser: Browser, width: int, scheme: str) -> None:
    """An address without the secret, or with an old one, gets a readable page; the file that opens the page works."""
    context = await browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = await context.new_page()
    for path in ("", "some-old-secret/"):
        answer = await tab.goto(f"http://127.0.0.1:{page.server.port}/{path}#telegram/ann")
        assert answer is not None
        assert answer.status == 403
        await expect(tab.get_by_role("heading")).to_contain_text("This address is not complete")
        await expect(tab.get_by_text("Open the whole address")).to_be_visible()
        assert [one for one in await tab.evaluate(CONTRAST) if one[0] < CONTRAST_MIN] == []
        assert await tab.evaluate(WIDE) == []
    await tab.goto(opener(page.url, page.scene.folder))
    await tab.wait_for_url(f"{page.url}**")
    await tab.wait_for_selector("body[data-ready]")
    await context.close()


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_page_of_an_ended_sandbox_says_so(show, width: int) -> None:  # type: ignore[no-untyped-def]
    """When another sandbox took the port, a page that is still open says that its own has ended, and acts no more."""
    screen: Screen = await show(width=width)
    await screen.page.server.aclose()
    screen.page.server.secret = "another"
    await screen.page.server.start()
    said = screen.tab.locator("#link")
    await expect(said).to_contain_text("this page has ended")
    assert await screen.tab.evaluate(WIDE) == []
    await screen.say("hello?")
    await expect(screen.tab.locator("#toast")).to_contain_text("belongs to a sandbox that has ended")
    await expect(screen.tab.get_by_label("Message", exact=True)).to_have_value("hello?")
    screen.complaints.clear()
