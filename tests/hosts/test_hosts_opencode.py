"""OpenCode and its fork Kilo with our plugin: woken, handed over to, asked and stopped from the phone."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import inbox_states
from harness import Stage
from host_waits import idle, median
from inbox_socket import blocks_in
from real_opencode import KILO, OPENCODE, OpenCode, Program
from scratch_installs import npm_package
from scripted_model import Asked, ScriptedModel, say, use

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]
Note = Callable[[str, str], None]
REPLY = "telegram_reply"
TIMES = 5
ASKED = {"*": "ask", "touch begun": "allow", "sleep 60": "allow", "touch over": "allow"}


@pytest.fixture(scope="session", params=[OPENCODE, KILO], ids=["opencode", "kilo"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Path]:
    """A program, and the path of its command."""
    program: Program = request.param
    return program, npm_package(tmp_path_factory.mktemp(program.host), program.package) / program.host


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel(lambda _: asyncio.sleep(0, [say("done")])) as made:
        yield made
        assert made.failed == []


async def approver(stage: Stage) -> TelegramPerson:
    """Ann, who may answer permission prompts."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    return ann


def replies(text: str) -> list[dict[str, Any]]:
    """The model answers every message in a text by the message's own."""
    return [use(REPLY, chat_id=block.meta["chat_id"], text=f"got {block.content}") for block in blocks_in(text)]


def texts(ann: TelegramPerson) -> list[str]:
    return [message["text"] for message in ann.messages()]


async def said(stage: Stage, ann: TelegramPerson, text: str, timeout: float = 90) -> None:
    """Wait until the chat holds a text."""
    await stage.tg.wait_for(lambda: any(text in one for one in texts(ann)), timeout)


def card(ann: TelegramPerson, count: int) -> dict[str, Any] | None:
    """Return the permission card with this number, counted from 1, once it is there."""
    cards = [m for m in ann.messages() if m.get("reply_markup") or "passed on to the session" in m["text"]]
    found = [m for m in cards if "touch" in m["text"]]
    return found[count - 1] if len(found) >= count and found[count - 1].get("reply_markup") else None


async def test_an_idle_session_in_a_terminal_is_reached_asked_and_stopped(
    stage: Stage, model: ScriptedModel, installed: tuple[Program, Path], tmux: None, note: Note
) -> None:
    """Nobody types: messages begin prompts, what comes meanwhile follows, taps decide, /stop ends a running command."""
    program, path = installed
    stage.config(grace_s=0, progress="off")
    ann = await approver(stage)
    busy = asyncio.Event()

    async def working(asked: Asked) -> list[dict[str, Any]]:
        blocks = [block.content for block in blocks_in(asked.latest)]
        if "think" in blocks:
            ann.send("meanwhile")
            await busy.wait()
            return [say("I thought.")]
        for block in blocks:
            if block.startswith("touch "):
                return [use("bash", command=block, description="Makes a file")]
            if block == "sleep":
                return [use("bash", command="touch begun; sleep 60; touch over", description="Sleeps")]
        return replies(asked.latest) or [say("done")]

    model.script = working
    host = OpenCode(stage, model, program, path, permission={"bash": ASKED})
    async with host.screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 240)
        # ---- wake
        took = []
        for number in range(TIMES):
            began = time.perf_counter()
            ann.send(f"hello {number}")
            await said(stage, ann, f"got hello {number}")
            took.append(next(a.at for a in model.asked if f"hello {number}" in a.latest) - began)
            await idle(stage)
        note(program.host, f"woken, message to model request: {median(took)}")
        assert f"hello {TIMES - 1}" in await screen.text()
        # ---- what comes in the middle of a turn
        took = []
        for number in range(TIMES):
            busy.clear()
            ann.send("think")
            await model.wait_for(lambda: "think" in model.asked[-1].latest)
            await stage.tg.wait_for(lambda: inbox_states(stage.state).get("offered", 0) >= 2, 20)
            began, before = time.perf_counter(), len(model.asked)
            busy.set()
            await stage.tg.wait_for(lambda n=number: texts(ann).count("got meanwhile") > n, 90)
            took += [asked.at - began for asked in model.asked[before:] if "meanwhile" in asked.latest][:1]
            await idle(stage)
        note(program.host, f"handed over, the model's word to its next request: {median(took)}")
        # ---- permission
        took = []
        for number in range(TIMES + 1):
            ann.send(f"touch made{number}.txt")
            await stage.tg.wait_for(lambda n=number: card(ann, n + 1) is not None, 30)
            shown = card(ann, number + 1)
            assert shown is not None
            assert not (stage.project / f"made{number}.txt").exists()
            began, before = time.perf_counter(), len(model.asked)
            ann.tap(shown["message_id"], label="Allow" if number else "Deny")
            await model.wait_for(lambda n=before: len(model.asked) > n)
            assert (stage.project / f"made{number}.txt").exists() is bool(number)
            if number:
                took.append(model.asked[-1].at - began)
            else:
                assert "Denied from the phone by ann" in model.asked[-1].latest
            await idle(stage)
        note(program.host, f"allowed, tap to the next model request: {median(took)}")
        # ---- stop
        ann.send("sleep")
        await stage.tg.wait_for((stage.project / "begun").exists, 60)
        before, began = len(model.asked), time.perf_counter()
        ann.send("/stop")
        await said(stage, ann, "Stopped by")
        stopped = time.perf_counter() - began
        ann.send("after")
        await said(stage, ann, "got after")
        assert not (stage.project / "over").exists()
        assert "after" in model.asked[before].latest
        note(program.host, f"/stop to the chat's notice: {stopped * 1000:.0f} ms")


async def test_a_run_without_a_screen_answers_what_comes_before_it_ends(
    stage: Stage, model: ScriptedModel, installed: tuple[Program, Path], note: Note
) -> None:
    """`run PROMPT`: a message that comes while it works is answered in it; then it ends as ever."""
    program, path = installed
    stage.config(grace_s=0, progress="off")
    ann = stage.person()

    async def working(asked: Asked) -> list[dict[str, Any]]:
        # A message that comes while the host asks may stand before what the model said in that moment.
        if found := replies(asked.text):
            return [say("done")] if len(texts(ann)) > 1 else found
        if not texts(ann):
            await stage.tg.wait_for(lambda: stage.tg.polling, 60)
            ann.send("by the way")
        # It works until the message is there.
        return [use("telegram_channel_status")]

    model.script = working
    async with OpenCode(stage, model, program, path).running("run", "Work on it.") as process:
        async with asyncio.timeout(180):
            out, err = await process.communicate()
    assert process.returncode == 0, (out, err)
    assert texts(ann) == ["by the way", "got by the way"]


async def test_a_server_without_a_screen_is_asked_by_its_card(
    stage: Stage, model: ScriptedModel, installed: tuple[Program, Path]
) -> None:
    """`serve`: a client's session begins, a message wakes it, and what the agent may do is allowed by a tap."""
    program, path = installed
    stage.config(grace_s=0, progress="off")
    ann = await approver(stage)

    async def working(asked: Asked) -> list[dict[str, Any]]:
        if any(block.content == "touch it" for block in blocks_in(asked.latest)):
            return [use("bash", command="touch made.txt", description="Makes a file")]
        return [say("That is made.")]

    model.script = working
    host = OpenCode(stage, model, program, path, permission={"bash": "ask"})
    async with host.running("serve", "--port", "0") as process, aiohttp.ClientSession() as client:
        assert process.stdout is not None
        async with asyncio.timeout(90):
            while not (found := re.search(rb"http://\S+", await process.stdout.readline())):
                assert process.returncode is None
        root = found[0].decode()
        async with client.post(f"{root}/session", json={}) as begun:
            assert begun.status == 200
        # As every screen does when it connects; the servers start with it.
        async with client.get(f"{root}/mcp") as shown:
            assert shown.status == 200
        await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        ann.send("touch it")
        asking = await stage.tg.wait_for(lambda: card(ann, 1), 60)
        assert not (stage.project / "made.txt").exists()
        ann.tap(asking["message_id"], label="Allow")
        # It ended its turn without a reply: what it said last is sent.
        await said(stage, ann, "That is made.")
        assert (stage.project / "made.txt").exists()


async def test_what_only_lists_the_servers_reads_no_bot(
    stage: Stage, model: ScriptedModel, installed: tuple[Program, Path]
) -> None:
    """`mcp list` starts the servers and takes no message away."""
    program, path = installed
    stage.config(grace_s=0)
    stage.person().send("hello")
    async with OpenCode(stage, model, program, path).running("mcp", "list") as process:
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    assert b"telegram" in out
    assert stage.tg.calls_of("getUpdates") == []
    assert model.asked == []
