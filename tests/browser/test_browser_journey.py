"""The chat page in a real browser, with real channel servers: send, tap, crash, picture, menu, form, pairing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from agent_channels.sandbox.telegram.images import sample_png
from browser_page import Screen

pytestmark = pytest.mark.asyncio(loop_scope="session")

STAGES = ["received", "journalled", "offered", "answered"]


async def test_a_message_and_a_tap_are_answered_with_their_stages_beside_them(show) -> None:  # type: ignore[no-untyped-def]
    """A typed message is answered; a tapped button is replaced by its choice; each has its stages beside the chat."""
    screen: Screen = await show()
    await screen.say("Is anybody there?")
    await screen.sees("You said: Is anybody there?")
    life = await screen.answered("Is anybody there?")
    stages = life.locator("[data-stage]")
    assert [await one.get_attribute("data-stage") for one in await stages.all()] == STAGES
    assert f"process {await screen.pid('telegram')}" in await stages.last.inner_text()
    await screen.say("deploy")
    await screen.tap("Approve")
    await screen.sees("Deploying 4.2 now.")
    panel = await screen.sees("Every test passes.")
    await expect(panel).to_contain_text("✅ Approve · ann")
    await expect(panel.get_by_role("button", name="Reject")).to_have_count(0)
    await screen.answered("tap: Approve")


async def test_questions_a_permission_and_a_command(show) -> None:  # type: ignore[no-untyped-def]
    """The agent waits for two answers: one of five buttons in a row, and a choice that can be skipped.

    The host's permission prompt is a card for the approver; the verdict reaches the agent. No agent answers a command,
    so the list of its stages ends with who did.
    """
    screen: Screen = await show()
    await screen.say("rate")
    await screen.tap("4")
    await screen.sees("★★★★ Thank you.")
    await screen.say("plan")
    await screen.tap("Skip")
    await screen.sees("Skipped: nothing changes.")
    await screen.say("permission")
    card = await screen.sees("git push origin v4.2")
    await expect(card.get_by_role("button", name="Deny")).to_be_visible()
    await screen.tap("Allow")
    await screen.sees("Allowed: the tag is pushed.")
    await expect(screen.life("tap: Allow")).to_contain_text("handled by the server")
    await screen.say("permission")
    await expect(screen.tab.locator("#log .message", has_text="git push origin v4.2")).to_have_count(2)
    await screen.tap("Deny")
    await expect(screen.life("tap: Deny")).to_contain_text("handled by the server")
    await screen.say("/start")
    await screen.sees("You're paired")
    await handled(screen, "/start")


async def handled(screen: Screen, command: str) -> None:
    """Wait until the page shows that the server itself has answered."""
    await expect(screen.life(command)).to_have_attribute("data-life", "handled")
    await expect(screen.life(command)).to_contain_text("handled by the server")


async def test_messages_to_a_killed_server_are_delivered_by_the_next_one(show) -> None:  # type: ignore[no-untyped-def]
    """A server killed during its work loses nothing: waiting messages are delivered, unanswered ones redelivered."""
    screen: Screen = await show()
    first = await screen.pid("telegram")
    await screen.say("slow")
    await expect(screen.life("slow")).to_have_attribute("data-life", "offered")
    await screen.tab.get_by_role("button", name="Kill the Telegram channel server").click()
    await expect(screen.server("telegram")).to_contain_text("not running: killed")
    await screen.say("Said to nobody")
    await expect(screen.life("Said to nobody")).to_have_attribute("data-life", "waiting")
    await screen.tab.get_by_role("button", name="Start the Telegram channel server").click()
    await screen.sees("You said: Said to nobody")
    await screen.sees("I was cut off in the middle")
    second = await screen.pid("telegram")
    assert second != first
    again = await screen.answered("slow")
    assert f"journalled process {first}" in " ".join((await again.inner_text()).split())
    assert f"offered, 2 times process {second}" in " ".join((await again.inner_text()).split())
    kept = await screen.answered("Said to nobody")
    assert f"process {first}" not in await kept.inner_text()


async def test_discord_messages_to_a_killed_server_are_delivered_too(show) -> None:  # type: ignore[no-untyped-def]
    """Messages sent meanwhile are delivered; a tap that failed on the screen is counted and shown after the restart."""
    screen: Screen = await show("discord/ann")
    await screen.say("deploy")
    await screen.sees("Every test passes.")
    await screen.answered("deploy")
    await screen.tab.get_by_role("button", name="Kill the Discord channel server").click()
    await expect(screen.server("discord")).to_contain_text("not running: killed")
    await screen.tap("Approve")
    await expect(screen.tab.get_by_role("alert")).to_contain_text("This interaction failed")
    await screen.say("Said to nobody")
    await screen.tab.get_by_role("button", name="Start the Discord channel server").click()
    await screen.sees("You said: Said to nobody")
    await screen.answered("Said to nobody")
    await screen.sees("Deploying 4.2 now.")
    await expect(await screen.sees("Every test passes.")).to_contain_text("Approve · ann")


async def test_a_picture_is_sent_and_comes_back(show, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A chosen picture reaches the agent as a file and comes back as a picture, on both platforms."""
    picture = tmp_path / "odd page.png"
    picture.write_bytes(sample_png(120, 80))
    screen: Screen = await show()
    for platform in ("telegram", "discord"):
        await screen.go("Ann", platform)
        await screen.tab.set_input_files("#file", picture)
        await expect(screen.tab.locator("#attached")).to_contain_text("odd page.png")
        await screen.say("Look at this")
        answer = await screen.sees("I see it (120 x 80 pixels")
        pictures = screen.tab.locator("#log img.picture")
        await expect(pictures).to_have_count(2)
        drawn = await pictures.evaluate_all("all => Promise.all(all.map(i => i.decode().then(() => i.naturalWidth)))")
        assert drawn == [120, 120]
        assert await answer.locator("img.picture").count() <= 1


async def test_a_menu_and_a_form_on_discord(show) -> None:  # type: ignore[no-untyped-def]
    """On Discord, thirty buttons become menus, and a free answer is typed into a form."""
    screen: Screen = await show("discord/ann")
    await screen.say("menu of 30")
    menu = screen.tab.get_by_label("Menu 26-30")
    await menu.select_option(label="28 · sync")
    await screen.tab.locator("form.menu", has=menu).get_by_role("button", name="Choose").click()
    await screen.sees("Noted: 28 · sync.")
    await screen.answered("choice: 28 · sync")
    await screen.say("name")
    question = await screen.sees("What is the release called?")
    await question.locator(".grid button").last.click()
    form = screen.tab.get_by_role("dialog")
    await form.get_by_role("textbox").fill("Cassiopeia")
    await form.get_by_role("button", name="Submit").click()
    await screen.sees("It is called Cassiopeia.")
    await expect(form).to_be_hidden()
    # The tap opened a form, which is all that it asked for.
    opened = screen.life("tap: Other…")
    await expect(opened).to_have_attribute("data-life", "handled")
    await expect(opened).to_contain_text("handled by the server")


async def test_a_stranger_is_paired_from_the_page(show) -> None:  # type: ignore[no-untyped-def]
    """A stranger gets a code, for a command too; the button pairs them by the command line, and they are answered."""
    screen: Screen = await show("telegram/sam")
    await screen.say("/start")
    await screen.sees("Your pairing code")
    await handled(screen, "/start")
    await screen.say("May I come in?")
    code = await (await screen.sees("Your pairing code")).locator("code").first.inner_text()
    await expect(screen.life("May I come in?")).to_have_attribute("data-life", "held")
    await expect(screen.tab.locator("#pairing code")).to_have_text(f"channels access telegram pair {code}")
    await screen.tab.get_by_role("button", name="Let in").click()
    await screen.sees("You said: May I come in?")
    await expect(screen.tab.locator("#pairing")).to_be_hidden()


async def test_a_group_of_two_people_with_replies_and_reactions(show) -> None:  # type: ignore[no-untyped-def]
    """In a group the user writes as either person; the bot ignores unmentioned messages; replies and reactions show."""
    screen: Screen = await show()
    await screen.go("Release team", "telegram")
    await screen.say("among ourselves")
    await expect(screen.life("among ourselves")).to_have_attribute("data-life", "unheard")
    await screen.tab.get_by_label("Speak as").select_option(label="Ben")
    await screen.say("@sandbox_bot are you there")
    await screen.sees("You said: @sandbox_bot are you there")
    await expect(screen.tab.locator("#log .message.mine")).to_have_count(1)
    await screen.go("#general", "discord")
    await screen.say("hello")
    hello = await screen.sees("scripted agent")
    await hello.hover()
    await hello.get_by_role("button", name="React to Your agent").click()
    await hello.get_by_role("button", name="🎉").click()
    await expect(hello.get_by_label("Reactions")).to_contain_text("🎉")
    await screen.sees("I saw your 🎉.")
    await hello.hover()
    await hello.get_by_role("button", name="Reply to Your agent").click()
    await screen.say("to this one")
    said = screen.tab.locator("#log .message.mine", has_text=re.compile("to this one"))
    await expect(said.locator(".quoted")).to_contain_text("Your agent")
    await screen.sees("You said: to this one")
