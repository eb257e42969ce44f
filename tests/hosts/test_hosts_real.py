"""The real agent host with a scripted model: woken, rung for, handed over to, its prompts answered from the phone."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from faults_harness import inbox_states
from harness import Stage
from inbox_socket import blocks_in
from real_host import PACKAGE, RealHost
from scratch_installs import npm_package
from scripted_model import Asked, ScriptedModel, say, use

from channels.sandbox.telegram import Person

pytestmark = pytest.mark.timeout(400)
Note = Callable[[str, str], None]
REPLY, WAIT = "mcp__telegram__reply", "mcp__telegram__wait_for_messages"
TABLE = "real host"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host itself, from its package."""
    found = npm_package(tmp_path_factory.mktemp("host"), PACKAGE) / "claude"
    if not found.exists():
        pytest.skip(f"{PACKAGE} was installed without its program for this system")
    return found


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel(answering) as made:
        yield made
        assert made.failed == []


@pytest.fixture
def tmux() -> None:
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux to show an interactive session in")


async def answering(asked: Asked) -> list[dict[str, Any]]:
    """A model that answers every message from a chat by its text, fetches when it is rung for, else is silent."""
    found = blocks_in(asked.latest)
    if found:
        return [use(REPLY, chat_id=block.meta["chat_id"], text=f"got {block.content}") for block in found]
    return [use(WAIT, timeout_s=0)] if "call wait_for_messages" in asked.latest else [say("done")]


async def answered(stage: Stage, count: int) -> None:
    """Waits until so many messages, and no more, are answered and none is open."""
    async with asyncio.timeout(20):
        while inbox_states(stage.state) != {"answered": count}:
            # Each look waits for a whole process: another program's store rings no bell here.
            await stage.cli("--version")


def seen(model: ScriptedModel, text: str) -> list[Asked]:
    """The requests in which a text was news."""
    return [asked for asked in model.asked if text in asked.latest]


async def approver(stage: Stage) -> Person:
    """Somebody paired who may answer permission prompts."""
    person = stage.person()
    assert (await stage.access("approver", "add", str(person.id))).code == 0
    return person


@pytest.mark.usefixtures("tmux")
async def test_an_idle_session_is_woken_by_its_socket(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """No flag, no hook, nobody at the keyboard: what somebody writes is before the model within a second."""
    ann = stage.person()
    async with RealHost(stage, model, program, hooks=False).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        took = []
        for number in range(7):
            text = f"message {number}"
            began = time.perf_counter()
            ann.send(text)
            await model.wait_for(lambda text=text: bool(seen(model, text)))
            took.append(seen(model, text)[0].at - began)
            assert (await ann.next_message(20))["text"] == f"got {text}"
        note("real host", f"idle session, socket: message to model request median {statistics.median(took):.2f} s, "
             f"at most {max(took):.2f} s of {len(took)}")  # fmt: skip
        assert max(took) < 1
        await answered(stage, 7)
        assert "message 6" in await screen.shows("message 6")


@pytest.mark.usefixtures("tmux")
async def test_ten_messages_in_a_busy_turn_arrive_once_each(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """While the model works, ten messages come: each is before it once, and each is answered once."""
    ann = stage.person()
    written = asyncio.Event()

    async def busy(asked: Asked) -> list[dict[str, Any]]:
        if "work on it" in asked.latest:
            await written.wait()
            return [use("mcp__telegram__channel_status")]
        return await answering(asked)

    model.script = busy
    async with RealHost(stage, model, program, hooks=False).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await screen.type("work on it")
        await model.wait_for(lambda: bool(seen(model, "work on it")))
        texts = [f"message number {number}." for number in range(10)]
        for text in texts:
            ann.send(text)
            await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, 10)
        written.set()
        await answered(stage, 10)
    shown = [block.content for asked in model.asked for block in blocks_in(asked.latest)]
    note(
        TABLE, f"busy turn: {len(shown)} of 10 shown, in {sum(bool(blocks_in(a.latest)) for a in model.asked)} requests"
    )
    assert shown == texts
    assert [message["text"] for message in ann.inbox] == [f"got {text}" for text in texts]


@pytest.mark.usefixtures("tmux")
async def test_an_idle_session_whose_socket_is_refused_is_woken_by_the_bell(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """`crossSessionInbound: refuse`: what the socket does not carry, the bell rings for, and the agent fetches it."""
    stage.config(grace_s=0, escalate_after_s=2)
    ann = stage.person()
    async with RealHost(stage, model, program, crossSessionInbound="refuse").screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        for number in range(3):
            text = f"message {number}."
            began = time.perf_counter()
            ann.send(text)
            await model.wait_for(lambda text=text: bool(seen(model, text)))
            took = seen(model, text)[0].at - began
            note(TABLE, f"idle session, socket refused, bell: message {number} to model {took:.2f} s")
            assert (await ann.next_message(20))["text"] == f"got {text}"
            await answered(stage, number + 1)
        assert "message 2." in await screen.shows("message 2.")
    status = (await stage.cli("status", "telegram", "--json")).json
    assert status["inbox"]["answered"] == 3


async def test_a_session_without_a_screen_is_a_phone_session(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """-p: the Stop hook hands a message over, the reply's buttons are tapped, the tap is handed over, /end ends it."""
    stage.config(grace_s=0, stop_wait_s=60)
    ann = stage.person()

    async def asking(asked: Asked) -> list[dict[str, Any]]:
        blocks = blocks_in(asked.latest)
        if blocks and "button" not in blocks[0].meta:
            chat_id = blocks[0].meta["chat_id"]
            return [use(REPLY, chat_id=chat_id, text="Which colour?", buttons=[["Red", "Blue"]])]
        if blocks:
            return [use(REPLY, chat_id=blocks[0].meta["chat_id"], text=f"{blocks[0].content} it is")]
        return [say("waiting")]

    model.script = asking
    process = await RealHost(stage, model, program).printing("Be there for people.")
    await model.wait_for(lambda: bool(model.asked))
    await stage.tg.wait_for(lambda: stage.tg.polling, 30)
    began = time.perf_counter()
    ann.send("paint it")
    grid = await ann.next_message(30)
    note(TABLE, f"-p, Stop hook: message to buttons {time.perf_counter() - began:.2f} s")
    assert grid["text"] == "Which colour?"
    ann.tap(grid["message_id"], label="Blue")
    assert (await ann.next_message(30))["text"] == "Blue it is"
    await answered(stage, 2)
    handed = [asked.latest for asked in model.asked if blocks_in(asked.latest)]
    assert len(handed) == 2
    note(TABLE, f"-p: handed over by {'the Stop hook' if 'came in by telegram' in handed[0] else 'another way'}")
    ann.send("/end")
    began = time.perf_counter()
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    note(TABLE, f"-p: /end to the end of the session {time.perf_counter() - began:.2f} s")
    assert process.returncode == 0, err.decode() + out.decode()


@pytest.mark.parametrize("decision", ["Allow", "Deny", "nothing"])
async def test_a_bash_permission_is_decided_from_the_phone(
    stage: Stage, model: ScriptedModel, program: Path, decision: str, note: Note
) -> None:
    """A command needs permission: allowed it runs, denied it does not and the model reads who said so, nor without."""
    stage.config(grace_s=0, hook_bound_s=60 if decision != "nothing" else 3)
    ann = await approver(stage)
    stage.env["CHANNELS_CLAIM"] = "auto"

    async def working(asked: Asked) -> list[dict[str, Any]]:
        if "Make the file" in asked.latest:
            await stage.tg.wait_for(lambda: stage.tg.polling, 30)
            return [use("Bash", command="touch made.txt", description="Makes a file")]
        return [say("done")]

    model.script = working
    process = await RealHost(stage, model, program).printing("Make the file.")
    card = await ann.next_message(40)
    assert "touch made.txt" in card["text"]
    began = time.perf_counter()
    if decision != "nothing":
        ann.tap(card["message_id"], label=decision)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    note(TABLE, f"-p, permission, {decision}: to the end of the session {time.perf_counter() - began:.2f} s")
    assert process.returncode == 0, err.decode() + out.decode()
    assert (stage.project / "made.txt").exists() is (decision == "Allow")
    if decision == "Deny":
        assert "Denied from the phone by ann" in model.asked[-1].latest
    shown = next(m for m in ann.messages() if m["message_id"] == card["message_id"])
    assert "reply_markup" not in shown


@pytest.mark.usefixtures("tmux")
async def test_a_multiple_choice_is_answered_by_a_tap(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """AskUserQuestion in a terminal session: the options are on the phone, the tap is the tool's answer."""
    ann = await approver(stage)
    options = [{"label": "Red", "description": "like a rose"}, {"label": "Blue", "description": "like the sea"}]
    question = {"question": "Which colour?", "header": "Colour", "multiSelect": False, "options": options}

    async def choosing(asked: Asked) -> list[dict[str, Any]]:
        return [use("AskUserQuestion", questions=[question])] if "let me choose" in asked.latest else [say("done")]

    model.script = choosing
    async with RealHost(stage, model, program).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await screen.type("let me choose")
        card = await ann.next_message(30)
        began = time.perf_counter()
        ann.tap(card["message_id"], label="Blue")
        await model.wait_for(lambda: "Blue" in model.asked[-1].latest and "let me" not in model.asked[-1].latest)
        note(TABLE, f"AskUserQuestion: tap to model {model.asked[-1].at - began:.2f} s")
