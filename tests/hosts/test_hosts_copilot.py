"""Copilot CLI with a scripted model: handed messages at a turn's end and between steps, asked by cards, stopped."""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.host.install import add_to_file
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.env_file import set_dotenv_values
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_hosts import HOSTS, Room, handed_on
from agents import running
from harness import Stage
from hook_runs import kept
from host_waits import median, stop_waits
from inbox_socket import Block, blocks_in
from openai_model import OpenAIModel
from scripted_model import Asked, say, use

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]
Note = Callable[[str, str], None]
TABLE, LOG = "Copilot CLI", "copilot.log"
REPLY, TIMES = "telegram-reply", 5


def news(asked: Asked) -> list[Block]:
    """The messages from chats that came since the model last spoke."""
    return blocks_in(asked.latest)


def replies(asked: Asked) -> list[dict[str, Any]]:
    """The model answers every message by its text."""
    found = [use(REPLY, chat_id=block.meta["chat_id"], text=f"got {block.content}") for block in news(asked)]
    return found or [say("done")]


def shell(command: str) -> dict[str, Any]:
    """The model runs a command."""
    return use("bash", command=command, description="Makes a file")


@pytest.fixture
async def model() -> AsyncIterator[OpenAIModel]:
    async with OpenAIModel(lambda _: asyncio.sleep(0, [say("done")])) as made:
        yield made
        assert made.failed == []


@asynccontextmanager
async def copilot(stage: Stage, model: OpenAIModel, prompt: str, *, asks: bool) -> AsyncIterator[Process]:
    """A session with `-p` in a project that `channels setup --host copilot` has set up; `asks`: for permissions too."""
    host, home = HOSTS["copilot"], stage.folder / "host-home"
    home.mkdir(exist_ok=True)
    launch = host.started(Room(host.program(), home, stage.project, {}, model, prompt))
    # Most variables whose names look like a secret's reach no server.
    set_dotenv_values(stage.state, {"TELEGRAM_BOT_TOKEN": stage.tg.token, "TELEGRAM_API_ROOT": stage.tg.root})
    files = AGENT_HOSTS["copilot"].files
    assert files is not None
    for file in files([Environment("telegram", {**stage.env, "HOME": str(home)})]):
        add_to_file(file, stage.env)
    command = [word for word in launch.command if not asks or word != "--allow-all-tools"]
    env = {**launch.env, **handed_on(stage.env)}
    async with running(command, env, stage.project, stage.folder / LOG) as process:
        yield process


async def said(stage: Stage, ann: TelegramPerson, words: str, *, card: bool = False) -> dict[str, Any]:
    """Waits until the bot has written a message with these words, with buttons if it is a card; returns it."""

    def found() -> dict[str, Any] | None:
        mine = [m for m in ann.messages() if m["from"]["is_bot"] and (m.get("reply_markup") or not card)]
        return next((message for message in mine if words in message.get("text", "")), None)

    message = await stage.tg.wait_for(found, 60)
    assert message is not None
    return message


async def test_a_session_without_a_screen_is_a_phone_session(stage: Stage, model: OpenAIModel, note: Note) -> None:
    """The hook at the turn's end waits and hands each message over, once; our own tools ask nobody; /end ends it."""
    stage.config(grace_s=0, stop_wait_s=120, stop_cap=20)
    ann = stage.person()

    async def present(asked: Asked) -> list[dict[str, Any]]:
        if not news(asked) and len(model.asked) == 1:
            # No model is so quick that it ends its turn before the server has started.
            await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        return replies(asked)

    model.script = present
    async with copilot(stage, model, "Be there for people.", asks=True) as process:
        took = []
        for number in range(TIMES):
            await stop_waits(stage, 60)
            began = time.perf_counter()
            ann.send(f"message {number}.")
            assert (await ann.next_message(60))["text"] == f"got message {number}."
            took += [a.at - began for a in model.asked for block in news(a) if block.content == f"message {number}."]
        note(TABLE, f"-p, waiting hook: message to model request: {median(took)}")
        await stop_waits(stage, 60)
        ann.send("/end")
        assert await asyncio.wait_for(process.wait(), 25) == 0, (stage.folder / LOG).read_text()
    assert [block.content for a in model.asked for block in news(a)] == [f"message {n}." for n in range(TIMES)]


async def test_a_turn_that_a_message_began(stage: Stage, model: OpenAIModel, note: Note) -> None:
    """Permissions are cards: Deny refuses, Allow runs; what comes meanwhile follows the tool; /stop refuses the next.

    What the agent does for the prompt at the terminal is left to the terminal.
    """
    stage.config(grace_s=0, stop_wait_s=120, stop_cap=20, progress="off")
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    handed: list[str] = []

    async def working(asked: Asked) -> list[dict[str, Any]]:
        contents = [block.content for block in news(asked)]
        handed.extend(contents)
        if len(model.asked) == 1:
            await stage.tg.wait_for(lambda: stage.tg.polling, 60)
            return [shell("touch terminal.txt")]
        if contents and contents[0].startswith("touch "):
            return [shell(contents[0])]
        if contents == ["stop me."]:
            ann.send("/stop")
            await said(stage, ann, "Stopping")
            return [shell("touch never.txt")]
        return replies(asked)

    model.script = working
    async with copilot(stage, model, "Begin.", asks=True) as process:
        await stop_waits(stage, 60)
        # Without a screen Copilot refuses what nobody allowed.
        assert not (stage.project / "terminal.txt").exists()
        assert ann.messages() == []
        took = []
        for number in range(TIMES + 1):
            await stop_waits(stage, 60)
            ann.send(f"touch made{number}.txt")
            card = await said(stage, ann, f"touch made{number}.txt", card=True)
            assert not (stage.project / f"made{number}.txt").exists()
            if number == TIMES:
                ann.send("by the way.")
                await kept(stage)
            began, before = time.perf_counter(), len(model.asked)
            ann.tap(card["message_id"], label="Allow" if number else "Deny")
            await model.wait_for(lambda n=before: len(model.asked) > n)
            assert (stage.project / f"made{number}.txt").exists() is bool(number)
            if number:
                took.append(model.asked[before].at - began)
            else:
                assert "Denied from the phone by ann" in model.asked[before].latest
        note(TABLE, f"allowed, tap to the next model request: {median(took)}")
        await said(stage, ann, "got by the way.")
        await stop_waits(stage, 60)
        ann.send("stop me.")
        await said(stage, ann, "Stopped by ann")
        assert not (stage.project / "never.txt").exists()
        await stop_waits(stage, 60)
        ann.send("/end")
        assert await asyncio.wait_for(process.wait(), 25) == 0, (stage.folder / LOG).read_text()
    assert handed == [*(f"touch made{n}.txt" for n in range(TIMES + 1)), "by the way.", "stop me."]
