"""`channels open` beside a project that real servers have written: its process, and what happened before."""

from __future__ import annotations

import asyncio
import re
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import COMMAND, TOKEN, DiscordStage, Host, Stage, World
from wire_host import PATIENCE_S

__all__ = ["HOSTILE", "RealPage", "Story", "both_channels", "pairing_code", "real_page", "told"]

HOSTILE = '<img src=x onerror="document.title=1"><b>x</b>'
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/([\w-]{32})/")


@dataclass
class RealPage:
    """A page that is up; `ended` is its exit code and what it printed, once it was interrupted."""

    url: str
    process: Process
    printed: str
    ended: tuple[int, str] | None = None

    @property
    def secret(self) -> str:
        """What the address ends in."""
        return self.url.split("/")[3]

    async def interrupt(self) -> tuple[int, str]:
        """Presses Ctrl-C; what the process then printed, and its exit code."""
        if self.ended is None:
            self.process.send_signal(signal.SIGINT)
            async with asyncio.timeout(PATIENCE_S):
                out, _ = await self.process.communicate()
            self.ended = (self.process.returncode or 0, out.decode())
        return self.ended


@asynccontextmanager
async def real_page(world: World, *arguments: str, **env: str | None) -> AsyncIterator[RealPage]:
    """`channels open` in a world's project, until the block ends."""
    command = [*COMMAND, "open", "--no-browser", "--port", "0", *arguments]
    process = await world.spawn(command, world._env(env))
    assert process.stdout is not None
    printed = b""
    async with asyncio.timeout(PATIENCE_S):
        while b"Ctrl-C" not in printed:
            line = await process.stdout.readline()
            assert line, (printed, await process.stderr.read() if process.stderr else b"")
            printed += line
    found = ADDRESS.search(printed.decode())
    assert found
    page = RealPage(found[0], process, printed.decode())
    try:
        yield page
    finally:
        await page.interrupt()


@asynccontextmanager
async def both_channels(folder: Path) -> AsyncIterator[tuple[Stage, DiscordStage]]:
    """A project on both platforms. Each has an environment of its own, and knows the other's state folder."""
    for name in ("t", "d"):
        (folder / name).mkdir()
    async with (
        TelegramSandbox(TOKEN) as tg,
        DiscordSandbox() as dc,
        Stage(tg, folder / "t") as stage,
        DiscordStage(dc, folder / "d") as other,
    ):
        for name in ("DISCORD_STATE_DIR", "DISCORD_BOT_TOKEN", "DISCORD_API_ROOT", "DISCORD_GATEWAY_URL"):
            stage.env[name] = other.env[name]
        # The lock by which processes know who reads a bot.
        other.env["XDG_RUNTIME_DIR"] = stage.env["XDG_RUNTIME_DIR"]
        yield stage, other


def pairing_code(message: dict[str, object]) -> str:
    """The code in what a stranger was answered."""
    found = re.search(r"\b[A-HJ-NP-Z2-9]{8}\b", str(message["text"]))
    assert found
    return found[0]


async def told(host: Host, chat_id: int, text: str, **more: object) -> None:
    """Has the agent answer."""
    await host.done("reply", chat_id=str(chat_id), text=text, **more)


@dataclass
class Story:
    """What happened in the project of both channels before the page is opened, and who took part."""

    stage: Stage
    other: DiscordStage
    host: Host
    ann: TelegramPerson
    eve: TelegramPerson
    ben: DiscordPerson
    code: str

    @classmethod
    async def play(cls, stage: Stage, other: DiscordStage) -> Story:
        """Plays it: one is paired, asks, taps and writes while the server dies; one waits; one event cannot be read."""
        ann, eve = stage.tg.person("ann", first_name="Ann"), stage.tg.person("eve", first_name=f"{HOSTILE}Eve")
        host = await stage.reading()
        ann.start()
        assert (await stage.access("pair", pairing_code(await ann.next_message()))).code == 0
        await ann.next_message()
        assert (await stage.access("approver", "add", str(ann.id))).code == 0
        ann.send("Is 4.2 ready to go out?")
        await host.event()
        buttons = [["Approve", "Reject"], ["Later"]]
        await told(host, ann.id, "**Every test passes.** Deploy 4.2 to production?", buttons=buttons)
        question = await ann.next_message()
        await ann.tap(question["message_id"], label="Approve").answered()
        assert (await host.event()).meta["button_label"] == "Approve"
        await told(host, ann.id, "Deploying 4.2 now.\n\n```sh\nmake deploy\n```")
        ann.send(HOSTILE)
        await host.event()
        await told(host, ann.id, f"You said: {HOSTILE}")
        ann.send("How far is it?")
        await host.event()
        await host.kill()
        host = await stage.reading()
        assert (await host.event()).meta["redelivered"] == "true"
        eve.send("May I come in?")
        code = pairing_code(await eve.next_message())
        with Store.open(stage.state) as store:
            inbox = Services.of(store).inbox
            # In one transaction: the server, which is woken by each, would sort it in between.
            with store.transaction():
                inbox.put(str(stage.tg.bot_id), [RawEvent("1", "{}")])
                ((entry_id, _),) = inbox.unsorted(9)
                inbox.fail(entry_id)
        ben = other.person("ben")
        there = await other.reading(CHANNELS_MODE="push")
        ben.send("**bold** hello")
        await there.event()
        await told(there, ben.dm.id, "Hello, ben.")
        return cls(stage, other, host, ann, eve, ben, code)
