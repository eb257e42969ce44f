"""Takes the pictures of the docs: python -m tests.support.pictures [NAME ...].

Everything in them happens while they are taken: on the sandbox's chat page, and in a terminal of 80 columns (tmux).
They need Chromium, and fonts with emoji and with Chinese (`fonts-noto-color-emoji`, `fonts-noto-cjk`).
"""

from __future__ import annotations

import argparse
import asyncio
import html
import re
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from agent_channels.sandbox.page.run import open_page
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox, random_token

# As pytest does for the tests.
sys.path.insert(0, str(Path(__file__).parent))
from browser_page import Screen
from first_steps import HIDDEN, Transcript, setup_in
from harness import Stage
from real_page import real_page

OPEN = "open"
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu"]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "/usr/bin/chromium"))), None)


@dataclass(frozen=True)
class Picture:
    """What happens before a picture is taken, in which chat, and on how large a screen."""

    play: Callable[[Screen], Awaitable[None]]
    chat: str = "telegram/ann"
    width: int = 390
    height: int = 640
    scheme: str = "light"
    projects: int = 1


async def hello(screen: Screen) -> None:
    """Greet the agent, which shows what can be tried."""
    await screen.say("Hello")
    await screen.answered("Hello")
    await screen.sees("scripted agent")


async def desktop(screen: Screen) -> None:
    """A question with buttons, and longer work beside its life."""
    await screen.say("deploy")
    await screen.tap("Approve")
    await screen.sees("Deploying 4.2 now.")
    await progress(screen)


async def progress(screen: Screen) -> None:
    """The status message in the middle of longer work."""
    await screen.say("Fix the tests")
    message = await screen.sees("Working:")
    await expect(message).to_contain_text("☑")
    await expect(message).to_contain_text("▸")


async def steer(screen: Screen) -> None:
    """A message that reaches the agent in the middle of its work."""
    await progress(screen)
    await screen.say("Leave the changelog alone")
    await screen.sees("take it up")


async def stop(screen: Screen) -> None:
    """The button Stop, and what the chat is told."""
    await progress(screen)
    await screen.tap("Stop")
    await screen.sees("Stopped by")
    # The status message gets its last line, and the notice of the tap goes.
    await expect(screen.tab.locator(".grid button")).to_have_count(0)
    await expect(screen.tab.locator("#toast")).not_to_have_class(re.compile("shown"))


async def answer(screen: Screen) -> None:
    """An answer that was given at the terminal only."""
    await screen.say("How long does the build take?")
    await screen.sees("You said")
    await screen.say("At the terminal")
    await screen.sees("Said at the terminal")


async def failure(screen: Screen) -> None:
    """A turn that the host could not go on with."""
    await screen.say("Usage limit")
    await screen.sees("resets at 3pm")


async def dialog(screen: Screen) -> None:
    """A question that waits at the terminal, and that no card covers."""
    await screen.say("Dialog")
    await screen.sees("waiting for somebody at the terminal")


async def permission(screen: Screen) -> None:
    """The card of an edit."""
    await screen.say("Edit a file")
    await screen.sees("asks for permission: Edit")


async def command(screen: Screen) -> None:
    """The card of a command."""
    await permission(screen)
    await screen.tab.locator(".grid button", has_text="Allow").first.click()
    await screen.sees("git push origin main")
    await screen.tab.locator(".grid button", has_text="Deny").last.wait_for()


async def projects(screen: Screen) -> None:
    """Two topics of one bot, each with a project of its own, one of whose servers was killed."""
    for name in ("api", "web"):
        await expect(screen.server(name)).to_contain_text("waits for messages")
    for name, text in (("web", "Is the shop up?"), ("api", "Rename the endpoint to /orders")):
        await screen.say(f"/new {name}")
        await screen.tab.locator("#topics button", has=screen.tab.get_by_text(name, exact=True)).click()
        await screen.say(text)
        await screen.sees(f"{name}: You said")
        if name == "web":
            await screen.tab.locator("#topics button", has=screen.tab.get_by_text("Start", exact=True)).click()
    await screen.tab.get_by_role("button", name="Kill the server of api").click()
    await expect(screen.server("api")).to_contain_text("not running")
    await screen.say("And add a test for it")
    await expect(screen.life("And add a test")).to_have_attribute("data-life", "hub")


SHOWN: dict[str, Picture] = {
    "phone": Picture(hello, chat="discord/ann", height=760, scheme="dark"),
    "desktop": Picture(desktop, width=1180, height=760),
    "projects": Picture(projects, width=1180, height=760, projects=3),
    "turn-progress": Picture(progress),
    "turn-steer": Picture(steer),
    "turn-stop": Picture(stop, height=440),
    "turn-answer": Picture(answer, height=440),
    "turn-failure": Picture(failure, height=440),
    "turn-dialog": Picture(dialog, height=440),
    "turn-permission": Picture(permission, height=900),
    "turn-command": Picture(command, height=900),
}


async def take(name: str, browser: Browser) -> None:
    """Play what happens in a sandbox of its own, and write the picture."""
    picture = SHOWN[name]
    async with open_page(0, scripted=True, projects=picture.projects) as page:
        size = {"width": picture.width, "height": picture.height}
        context = await browser.new_context(viewport=size, color_scheme=picture.scheme)  # type: ignore[arg-type]
        screen = Screen(await context.new_page(), page)
        await screen.open(picture.chat)
        await picture.play(screen)
        await screen.tab.evaluate("document.activeElement.blur()")
        await screen.tab.mouse.move(0, 0)
        # What has just been drawn is scrolled to in the next frame.
        await screen.tab.evaluate("() => new Promise((done) => setTimeout(done, 150))")
        await screen.tab.screenshot(path=PICTURES / f"{name}.png")
        await context.close()


async def take_open(name: str, browser: Browser) -> None:
    """Have people write to a real server, and write what `channels open` shows of it."""
    with tempfile.TemporaryDirectory(prefix="p", ignore_cleanup_errors=True) as scratch:
        async with TelegramSandbox(random_token()) as telegram, Stage(telegram, Path(scratch)) as stage:
            ann, eve = stage.person("ann", first_name="Ann"), telegram.person("eve", first_name="Eve")
            host = await stage.reading()
            ann.send("Is 4.2 ready to go out?")
            await host.event()
            buttons = [["Approve", "Reject"], ["Later"]]
            await host.done("reply", chat_id=str(ann.id), text="**Every test passes.** Deploy 4.2?", buttons=buttons)
            await ann.tap((await ann.next_message())["message_id"], label="Approve").answered()
            await host.event()
            await host.done("reply", chat_id=str(ann.id), text="Deploying 4.2 now.\n\n```sh\nmake deploy\n```")
            eve.send("Let me in, please")
            await eve.next_message()
            ann.send("How far is it?")
            await host.event()
            async with real_page(stage) as page:
                context = await browser.new_context(viewport={"width": 1180, "height": 760}, color_scheme="light")
                tab = await context.new_page()
                await tab.goto(f"{page.url}#telegram/{ann.id}")
                await tab.wait_for_selector("body[data-ready]")
                await tab.locator("#lives > li", has_text="How far is it?").first.wait_for()
                await tab.screenshot(path=PICTURES / f"{name}.png")
                await context.close()


COLUMNS = 80
# What a terminal shows, as a document: the characters of a QR code touch each other.
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #1d1f24; }
pre { margin: 0; padding: 16px 18px; width: max-content; color: #e4e6ea;
  font: 14px/16px "DejaVu Sans Mono", "Noto Sans Mono CJK TC", "Noto Color Emoji", monospace; }
</style><pre>{text}</pre>"""
# name -> (locale, which of the commands is shown)
TERMINALS = {
    "terminal-setup": ("C.UTF-8", 0),
    "terminal-status": ("C.UTF-8", 1),
    "terminal-setup-zh-TW": ("zh_TW.UTF-8", 0),
}


def wrapped(line: str) -> list[str]:
    """A line as a terminal of 80 columns shows it; a newcomer's paths are shorter than those that it was shown with."""
    rows, width = [""], 0
    for char in line:
        width += (cells := 2 if unicodedata.east_asian_width(char) in "WF" else 1)
        if width > COLUMNS:
            rows, width = [*rows, ""], cells
        rows[-1] += char
    return rows


async def take_terminal(name: str, browser: Browser) -> None:
    """Set a bot up in a terminal, look at its status, and write what one of the commands showed."""
    language, which = TERMINALS[name]
    with tempfile.TemporaryDirectory(prefix="p", ignore_cleanup_errors=True) as scratch:
        home, project = Path(scratch) / "home", Path(scratch) / "home" / "shop"
        project.mkdir(parents=True)
        async with TelegramSandbox(random_token()) as telegram:
            seen = Transcript(project, home)
            shows = await setup_in(project, home, telegram, seen, "channels status telegram", language=language)
    lines = [seen.plain(line.rstrip()) for line in shows[which].strip().removesuffix("$").rstrip().split("\n")]
    text = "\n".join(row for line in lines if not HIDDEN.match(line) for row in wrapped(line))
    context = await browser.new_context(viewport={"width": 800, "height": 600})
    tab = await context.new_page()
    await tab.set_content(TERMINAL.replace("{text}", html.escape(text)))
    await tab.locator("pre").screenshot(path=PICTURES / f"{name}.png")
    await context.close()


async def take_all(names: list[str]) -> None:
    """Take these pictures, one after the other."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name in names:
            await (take_terminal if name in TERMINALS else take_open if name == OPEN else take)(name, browser)
            print(f"docs/pictures/{name}.png", flush=True)
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.pictures",
        description="Take the pictures of the docs; without names, all of them.",
    )
    known = [*SHOWN, OPEN, *TERMINALS]
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*known, []], help=f"one of {', '.join(known)}")
    asyncio.run(take_all(parser.parse_args().names or known))
