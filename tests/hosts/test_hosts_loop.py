"""The real agent host in a loop: begun from the chat and at the terminal, also for more rounds than it goes on with."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import COMMAND, Stage
from hook_runs import kept
from real_host import TOOLS, RealHost
from scripted_model import Asked, ScriptedModel, say, use

pytestmark = pytest.mark.timeout(400)
REPLY = "mcp__telegram__reply"
ALLOWED = f"{TOOLS},Bash"
TEST = "echo x >> tried.txt; test $(wc -l < tried.txt) -ge 3 && echo TESTS-PASS || echo TESTS-FAIL"


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel(lambda _: asyncio.sleep(0, [say("done")])) as made:
        yield made
        assert made.failed == []


@pytest.fixture
async def ann(stage: Stage) -> TelegramPerson:
    """Somebody who may begin a loop."""
    person = stage.person()
    assert (await stage.access("approver", "add", str(person.id))).code == 0
    return person


def texts(person: TelegramPerson) -> list[str]:
    """What somebody was told of loops, in order."""
    return [message["text"] for message in person.inbox if "Loop" in message["text"] or "🔁" in message["text"]]


def rounds(model: ScriptedModel) -> list[str]:
    """The heads of the rounds that the model was asked for, in order."""
    lines = [line for asked in model.asked for line in asked.latest.splitlines()]
    return [line[line.index("Round ") :].split(" of a loop")[0] for line in lines if " of a loop:" in line]


async def trying(asked: Asked) -> list[dict[str, Any]]:
    """A model that runs the tests once in a round, and promises only what they say."""
    if "TESTS-PASS" in asked.latest:
        return [say("They pass. <promise>DONE</promise>")]
    if "TESTS-FAIL" in asked.latest:
        return [say("They fail.")]
    return [use("Bash", command=TEST, description="Run the tests")]


async def test_tests_that_pass_in_the_third_round(
    stage: Stage, model: ScriptedModel, program: Path, ann: TelegramPerson
) -> None:
    """-p: /loop in the chat, three rounds, ended by the promise, each told."""
    # On a slow machine the message that shows a turn's progress would show its round too.
    stage.config(progress="off")

    async def beginning(asked: Asked) -> list[dict[str, Any]]:
        if "work until the tests pass" in asked.text:
            return await trying(asked)
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        ann.send('/loop "work until the tests pass"')
        await kept(stage)
        return [say("nothing to do")]

    model.script = beginning
    host = RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED, crossSessionInbound="refuse")
    async with host.printing("Hello."):
        await stage.tg.wait_for(lambda: any("Loop done" in text for text in texts(ann)), 60)
    begun, *further = texts(ann)
    assert "Loop begun" in begun
    assert further == [
        "🔁 Round 2 of 20",
        "🔁 Round 3 of 20",
        "✅ Loop done in round 3 of 20: the agent promised DONE.",
    ]
    assert (stage.project / "tried.txt").read_text().split() == ["x"] * 3
    assert rounds(model) == ["Round 2 of 20", "Round 3 of 20"]


@pytest.mark.long
async def test_more_rounds_than_the_host_goes_on_by_itself(
    stage: Stage, model: ScriptedModel, program: Path, ann: TelegramPerson
) -> None:
    """-p, begun at the terminal, no tool in any round: the host ends the ninth in a row, its socket begins the next."""
    command = shlex.join([*COMMAND, "loop", "start", "think about it", "--max", "12"])

    async def thinking(asked: Asked) -> list[dict[str, Any]]:
        if "Loop begun" in asked.text:
            return [say(f"thought {len(model.asked)}")]
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        return [use("Bash", command=command, description="Begin a loop")]

    model.script = thinking
    async with RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED).printing("Loop.") as process:
        async with asyncio.timeout(90):
            out, err = await process.communicate()
    assert process.returncode == 0, err
    assert b"blocked the turn from ending" not in out + err
    assert rounds(model) == [f"Round {number} of 12" for number in range(2, 13)]
    with Store.open(stage.state) as store:
        (row,) = store.rows("SELECT * FROM loops")
        assert (row["ending"], row["round"], Services.of(store).loops.running()) == ("rounds", 12, [])


@pytest.mark.parametrize("way", ["socket", "bell"])
async def test_on_the_screen_an_idle_session_is_woken_and_goes_on(
    stage: Stage, model: ScriptedModel, program: Path, ann: TelegramPerson, tmux: None, way: str
) -> None:
    """An idle session is woken; after eight rounds without a tool its socket begins the next, or its bell."""
    stage.config(grace_s=0, escalate_after_s=2)
    held = asyncio.Event()

    async def thinking(asked: Asked) -> list[dict[str, Any]]:
        if "call wait_for_messages" in asked.latest:
            return [use("mcp__telegram__wait_for_messages", timeout_s=0)]
        if "Round 11 of 20" in asked.latest:
            held.set()
            await stage.tg.wait_for(lambda: any("Loop stopped" in text for text in texts(ann)), 60)
        return [say(f"thought {len(model.asked)}")]

    model.script = thinking
    refusing = {"crossSessionInbound": "refuse"} if way == "bell" else {}
    host = RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED, **refusing)
    async with host.screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await screen.idle()
        ann.send("/loop think about it")
        async with asyncio.timeout(90):
            await held.wait()
        ann.send("/stop")
        await stage.tg.wait_for(lambda: any("Loop stopped by ann" in text for text in texts(ann)), 30)
        await screen.idle()
        shown = await screen.text()
    assert "blocked the turn from ending" not in shown
    assert rounds(model) == [f"Round {number} of 20" for number in range(2, 12)]
