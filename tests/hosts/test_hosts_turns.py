"""The real agent host's turns in a person's hand: steered, stopped, answered, and no error line on its screen."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from faults_harness import inbox_states
from harness import Stage
from hook_runs import kept
from inbox_socket import blocks_in
from real_host import TOOLS, RealHost, Screen
from scripted_model import Asked, ScriptedModel, say, use
from wire_host import eventually

pytestmark = pytest.mark.timeout(400)
Note = Callable[[str, str], None]
Script = Callable[[Asked], Any]
REPLY = "mcp__telegram__reply"
ALLOWED = f"{TOOLS},Bash"
TABLE = "turns"
STEPS = 10
DISCORD_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB"


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel(lambda _: asyncio.sleep(0, [say("done")])) as made:
        yield made
        assert made.failed == []


def step(number: int, command: str = "") -> list[dict[str, Any]]:
    """The model runs a command that leaves a trace."""
    return [use("Bash", command=f"{command}echo {number} >> steps.txt", description=f"Step {number}")]


def ran(stage: Stage) -> list[str]:
    """Return the steps that were really run."""
    path = stage.project / "steps.txt"
    return path.read_text().split() if path.exists() else []


# That these hooks run in a session without a screen too, and are obeyed, is what stopping one shows.
@pytest.mark.parametrize("way", [pytest.param("-p", marks=pytest.mark.long), "screen"])
async def test_a_message_in_the_middle_of_a_turn_is_read_with_the_next_results(
    stage: Stage, model: ScriptedModel, program: Path, tmux: None, way: str, note: Note
) -> None:
    """Ten tool calls, a message during each: every one is before the model with that batch's results, and once."""
    stage.config(grace_s=0, escalate_after_s=2)
    ann = stage.person()
    written: list[float] = []
    took: list[float] = []

    async def working(asked: Asked) -> list[dict[str, Any]]:
        number = len(written)
        if "read all" in asked.text:
            return [say("done")]
        if number:
            blocks = [block.content for block in blocks_in(asked.latest)]
            assert f"message {number - 1}." in blocks, asked.latest
            took.append(asked.at - written[-1])
        else:
            await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        if number == STEPS:
            return [say("read all"), use(REPLY, chat_id=str(ann.id), text="read all")]
        ann.send(f"message {number}.")
        await kept(stage)
        written.append(time.perf_counter())
        return step(number)

    model.script = working
    host = RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED, crossSessionInbound="refuse")
    if way == "-p":
        async with host.printing("Work on it.") as process:
            async with asyncio.timeout(60):
                await process.communicate()
    else:
        async with host.screen() as screen:
            await screen.type("Work on it.")
            await stage.tg.wait_for(lambda: any(m["text"] == "read all" for m in ann.messages()), 60)
    shown = [block.content for asked in model.asked for block in blocks_in(asked.latest)]
    assert shown == [f"message {number}." for number in range(STEPS)]
    assert ran(stage) == [str(number) for number in range(STEPS)]
    median = statistics.median(took)
    note(TABLE, f"steered, {way}: from the model's call to its next request median {median:.2f} s of {len(took)}")


@pytest.mark.parametrize("way", ["-p", "screen"])
async def test_stop_ends_the_turn_before_another_tool_runs(
    stage: Stage, model: ScriptedModel, program: Path, tmux: None, way: str, note: Note
) -> None:
    """/stop in the middle: no further tool runs, no further request is made, and the chat is told within a second."""
    stage.config(grace_s=0, escalate_after_s=2)
    ann = stage.person()

    async def working(asked: Asked) -> list[dict[str, Any]]:
        number = len(ran(stage))
        if number == 0:
            await stage.tg.wait_for(lambda: stage.tg.polling, 30)
            ann.send("build it.")
            await kept(stage)
        if number == 2:
            return step(number, "touch started; sleep 3; ")
        return step(number) if number < STEPS else [say("done")]

    model.script = working
    host = RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED, crossSessionInbound="refuse")

    async def stopped() -> None:
        await eventually((stage.project / "started").exists, "the step", 60)
        ann.send("/stop")
        await stage.tg.wait_for(lambda: any("ends at its next step" in m["text"] for m in ann.messages()), 10)
        await stage.tg.wait_for(lambda: any("Stopped by ann" in m["text"] for m in ann.messages()), 30)
        took = time.time() - (stage.project / "steps.txt").stat().st_mtime
        note(TABLE, f"stopped, {way}: from the end of the tool that ran to the words in the chat {took:.2f} s")

    if way == "-p":
        async with host.printing("Work on it.") as process:
            await stopped()
            async with asyncio.timeout(30):
                await process.communicate()
    else:
        async with host.screen() as screen:
            await screen.type("Work on it.")
            await stopped()
            assert "Stopped from the chat by ann" in await screen.shows("Stopped from the chat by ann")
            asked = len(model.asked)
            # Nothing is left over for the next turn.
            model.script = after
            await screen.type("And now?")
            await model.wait_for(lambda: len(model.asked) > asked)
            await screen.shows("after all")
    assert ran(stage) == ["0", "1", "2"]
    assert "ready" not in inbox_states(stage.state)


async def after(_asked: Asked) -> list[dict[str, Any]]:
    return [say("after all")]


async def test_a_message_that_wakes_a_session_begins_a_turn_for_its_chat(
    stage: Stage, model: ScriptedModel, program: Path, tmux: None
) -> None:
    """The inbox socket wakes an idle session: what it says at the terminal only goes to the chat, marked, once.

    Somebody types at the terminal while the agent works for a chat: its turn goes on, and its answer is sent.
    """
    ann = stage.person()
    typed = asyncio.Event()

    async def talking(asked: Asked) -> list[dict[str, Any]]:
        if "how many" in asked.latest:
            return [say("It is **42**.")]
        if "how much" not in asked.text or len(ran(stage)) == 3:
            return [say("It is **43**.")]
        if ran(stage):
            await typed.wait()
        return step(len(ran(stage)))

    model.script = talking
    async with RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        ann.send("how many?")
        assert (await ann.next_message(30))["text"] == "💻 Said at the terminal:\n\nIt is 42."
        await screen.shows("It is 42")
        await eventually(lambda: inbox_states(stage.state) == {"answered": 1}, "the mark")
        asked = len(model.asked)
        ann.send("how much?")
        await model.wait_for(lambda: len(ran(stage)) == 1 and len(model.asked) > asked + 1)
        await screen.type("and what is b?")
        await screen.shows("and what is b?")
        typed.set()
        await stage.tg.wait_for(lambda: any("It is 43." in message["text"] for message in ann.messages()), 30)
        # The host's end would end the server between the sending and its mark.
        await eventually(lambda: inbox_states(stage.state) == {"answered": 2}, "the mark")
    with Store.open(stage.state) as store:
        assert [turn.ending for turn in Services.of(store).turns.newest(9)] == ["done", "done"]


async def test_only_the_session_that_works_for_the_chat_is_stopped(
    stage: Stage, model: ScriptedModel, program: Path
) -> None:
    """Two sessions in one project, both in a turn: /stop ends the one that has the chat's message."""
    stage.config(grace_s=0, escalate_after_s=2)
    ann = stage.person()
    first_began, stopped, second_began = asyncio.Event(), asyncio.Event(), asyncio.Event()
    sessions: list[str] = []

    async def working(asked: Asked) -> list[dict[str, Any]]:
        # A session is told of the other one, so its texts do not tell which it is.
        session = str(asked.body["metadata"])
        if session not in sessions:
            sessions.append(session)
        mine = ("first", "second")[sessions.index(session)]
        done = sum(step == mine for step in ran(stage))
        if mine == "second":
            second_began.set()
            await stopped.wait()
            return [use("Bash", command="echo second >> steps.txt", description="s")] if done < 2 else [say("done")]
        if not done:
            await stage.tg.wait_for(lambda: stage.tg.polling, 30)
            ann.send("build it.")
            await kept(stage)
        elif done == 2:
            first_began.set()
            await stopped.wait()
        return [use("Bash", command="echo first >> steps.txt", description="f")]

    model.script = working
    host = RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED, crossSessionInbound="refuse")
    async with host.printing("Work on it.") as first:
        await model.wait_for(lambda: bool(sessions))
        async with host.printing("Work on it too.") as second:
            async with asyncio.timeout(60):
                await first_began.wait()
                await second_began.wait()
            ann.send("/stop")
            await stage.tg.wait_for(lambda: any("ends at its next step" in m["text"] for m in ann.messages()), 10)
            stopped.set()
            async with asyncio.timeout(60):
                await first.communicate()
                await second.communicate()
    assert sorted(ran(stage)) == ["first", "first", "second", "second"]
    assert sum("Stopped by ann" in message["text"] for message in ann.messages()) == 1


def failures(text: str) -> list[str]:
    """Return the lines of a screen that tell of a hook's failure."""
    return [line for line in text.splitlines() if "hook" in line.lower() and ("error" in line or "failed" in line)]


@pytest.mark.parametrize(
    ("channels", "steps"),
    [
        (["telegram", "discord"], 40),
        pytest.param(["telegram"], 200, marks=pytest.mark.long),
        pytest.param(["telegram", "discord"], 200, marks=pytest.mark.long),
    ],
    ids=["both", "one channel for long", "both for long"],
)
async def test_no_error_line_in_many_steps(
    stage: Stage, model: ScriptedModel, program: Path, tmux: None, channels: list[str], steps: int, note: Note
) -> None:
    """On the host's screen nothing is said of our hooks, with one channel's server or both."""
    taken = 0

    async def working(asked: Asked) -> list[dict[str, Any]]:
        nonlocal taken
        taken += 1
        return (
            [use("Bash", command="true", description=f"Step {taken}")] if taken <= steps else [say("took every step")]
        )

    model.script = working
    async with DiscordSandbox(DISCORD_TOKEN) as dc:
        env = {"DISCORD_BOT_TOKEN": dc.token, "DISCORD_API_ROOT": dc.root, "DISCORD_GATEWAY_URL": dc.gateway_url}
        more = {"discord": {**env, "DISCORD_STATE_DIR": str(stage.folder / "discord")}} if len(channels) > 1 else {}
        host = RealHost(stage, model, program, turns=channels, allowed=ALLOWED, more=more)
        async with host.screen() as screen:
            await stage.tg.wait_for(lambda: stage.tg.polling, 30)
            await screen.type("Work on it.")
            await screen.shows("took every step", 300)
            shown = await screen.history()
    note(TABLE, f"{steps} steps, {' and '.join(channels)}: {len(failures(shown))} error lines")
    assert failures(shown) == []


def killed_at_ten(model: ScriptedModel) -> tuple[Callable[[], int], asyncio.Event, asyncio.Event]:
    """A turn of twenty steps; returns how many were taken, what is set at the tenth, and what lets it go on."""
    taken = 0
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def working(_asked: Asked) -> list[dict[str, Any]]:
        nonlocal taken
        taken += 1
        if taken % 20 == 10:
            reached.set()
            await go_on.wait()
        return [use("Bash", command="true", description=f"Step {taken}")] if taken % 20 else [say("all done")]

    model.script = working
    return lambda: taken, reached, go_on


async def servers(screen: Screen) -> list[psutil.Process]:
    """Return the host's server for Telegram: the process that it started, and the one that serves."""
    host = psutil.Process(await screen.host_pid())
    found = [p for p in host.children(recursive=True) if p.cmdline()[-2:] == ["serve", "telegram"]]
    assert len(found) == 2
    return found if found[1].ppid() == found[0].pid else found[::-1]


async def test_a_server_that_dies_costs_no_line(
    stage: Stage, model: ScriptedModel, program: Path, tmux: None, note: Note
) -> None:
    """What serves is killed in the middle of a turn: not one error line; then the turn is steered, and stopped."""
    stage.config(grace_s=0, escalate_after_s=2)
    ann = stage.person()
    _, reached, go_on = killed_at_ten(model)
    host = RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED, crossSessionInbound="refuse")
    async with host.screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await screen.type("Work on it.")
        async with asyncio.timeout(120):
            await reached.wait()
        polls = len(stage.tg.calls)
        (await servers(screen))[1].kill()
        go_on.set()
        await screen.shows("all done", 60)
        await stage.tg.wait_for(lambda: len(stage.tg.calls) > polls and stage.tg.polling, 30)
        note(TABLE, f"what serves killed at step 10 of 20: {len(failures(await screen.history()))} error lines")
        assert failures(await screen.history()) == []

        steered = asyncio.Event()

        async def steered_and_stopped(asked: Asked) -> list[dict[str, Any]]:
            number = len(ran(stage))
            if number == 1:
                ann.send("use tabs.")
                await kept(stage)
            if number == 2 and "use tabs." in [block.content for block in blocks_in(asked.latest)]:
                steered.set()
                ann.send("/stop")
                await stage.tg.wait_for(lambda: any("ends at its next step" in m["text"] for m in ann.messages()), 10)
            return step(number) if number < STEPS else [say("never stopped")]

        model.script = steered_and_stopped
        await screen.type("Again.")
        await stage.tg.wait_for(lambda: any("Stopped by ann" in m["text"] for m in ann.messages()), 60)
        assert steered.is_set()
        assert len(ran(stage)) < STEPS
        # The host draws the stop itself as a hook's error, some time later.
        told = [line for line in failures(await screen.history()) if "Stopped from the chat by ann" not in line]
        assert told == []


async def test_a_server_that_is_gone_costs_one_line_a_hook(
    stage: Stage, model: ScriptedModel, program: Path, tmux: None, note: Note
) -> None:
    """All of it is killed in the middle: the turn goes on, with a line for each hook, and none once it is back."""
    taken, reached, go_on = killed_at_ten(model)
    async with RealHost(stage, model, program, turns=["telegram"], allowed=ALLOWED).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await screen.type("Work on it.")
        async with asyncio.timeout(120):
            await reached.wait()
        for server in await servers(screen):
            server.kill()
        go_on.set()
        await screen.shows("all done", 60)
        first = await screen.history()
        # One for each of the two hooks that a step has; nothing of ours can answer while its server is dead.
        assert 0 < len(failures(first)) <= 2 * 11
        await screen.type("/mcp reconnect telegram")
        await screen.shows("Reconnected")
        before = len(failures(await screen.history()))
        await screen.type("Again.")
        await model.wait_for(lambda: taken() >= 40)
        shown = await screen.history()
    note(
        TABLE,
        f"all of it killed at step 10 of 20: {len(failures(first))} error lines, {len(failures(shown)) - before} after",
    )
    assert len(failures(shown)) == before
