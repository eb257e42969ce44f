"""Gemini CLI with a scripted model: handed messages with a prompt, between steps and at a turn's end, and stopped."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_hosts import ForkedHost, news, program, replying, shell
from gemini_model import GeminiModel
from harness import Stage
from hook_runs import kept
from host_waits import ended, median, stop_waits
from scripted_model import Asked

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]
Note = Callable[[str, str], None]
TABLE = "Gemini CLI"


@pytest.fixture(scope="session")
def gemini() -> Path:
    return program("gemini")


@pytest.fixture
async def model() -> AsyncIterator[GeminiModel]:
    async with GeminiModel(lambda asked: replying("gemini", asked)) as made:
        yield made
        assert made.failed == []


@pytest.mark.usefixtures("tmux")
async def test_a_turn_at_the_terminal(stage: Stage, model: GeminiModel, gemini: Path) -> None:
    """What waits comes with what is typed; what comes meanwhile after the next tool, else at the turn's end.

    The phone sees what runs, that a dialog waits at the terminal, and /stop ends the turn before its next tool.
    """
    stage.config(grace_s=0, progress_after_s=0)
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    ended_late = False

    async def working(asked: Asked) -> list[dict[str, Any]]:
        nonlocal ended_late
        contents = [block.content for block in news(asked)]
        if "first." in contents:
            return [shell("touch one.txt")]
        if "at the end." in contents:
            ann.send("/stop")
            await stage.tg.wait_for(lambda: any("Stopping" in m.get("text", "") for m in ann.messages()), 30)
            return [shell("touch two.txt")]
        if not contents and not ended_late:
            ended_late = True
            ann.send("at the end.")
            await kept(stage)
        return await replying("gemini", asked)

    def told(words: str) -> Callable[[], bool]:
        return lambda: any(words in message.get("text", "") for message in ann.messages())

    model.script = working
    async with ForkedHost("gemini", stage, model, gemini).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        ann.send("first.")
        await kept(stage)
        await ForkedHost.enter(screen, "work on it")
        await stage.tg.wait_for(told("waiting for somebody at the terminal"), 60)
        await stage.tg.wait_for(told("Bash: touch one.txt"), 30)
        ann.send("steer me.")
        await kept(stage)
        await screen.shows("Allow once")
        await screen.press("Enter")
        await stage.tg.wait_for(told("got steer me."), 60)
        await stage.tg.wait_for(told("Stopped by ann"), 60)
        await screen.shows("Stopped from the chat by ann")
    shown = [(block.content, "hook_context" in asked.latest) for asked in model.asked for block in news(asked)]
    assert shown == [("first.", True), ("steer me.", True), ("at the end.", False)]
    assert (stage.project / "one.txt").exists()
    assert not (stage.project / "two.txt").exists()
    # Nothing was asked of the model after the stop.
    assert [block.content for block in news(model.asked[-1])] == ["at the end."]


async def test_a_session_without_a_screen_is_a_phone_session(
    stage: Stage, model: GeminiModel, gemini: Path, note: Note
) -> None:
    """-p: the hook at the turn's end waits, hands each message over as it comes, once, and /end ends the session."""
    stage.config(grace_s=0, stop_wait_s=120, stop_cap=20)
    ann = stage.person()

    async def present(asked: Asked) -> list[dict[str, Any]]:
        # No model is so quick that it ends its turn before the server has started.
        await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        return await replying("gemini", asked)

    model.script = present
    async with ForkedHost("gemini", stage, model, gemini).printing("Be there for people.") as process:
        took = []
        for number in range(5):
            await stop_waits(stage, 200)
            began = time.perf_counter()
            ann.send(f"message {number}.")
            assert (await ann.next_message(60))["text"] == f"got message {number}."
            seen = next(asked for asked in model.asked for b in news(asked) if b.content == f"message {number}.")
            took.append(seen.at - began)
        note(TABLE, f"-p, waiting hook: message to model request: {median(took)}")
        await stop_waits(stage, 200)
        ann.send("/end")
        out, err = await ended(process)
        assert process.returncode == 0, err + out
    assert [b.content for asked in model.asked for b in news(asked)] == [f"message {n}." for n in range(5)]
    assert all("redelivered" not in b.meta for asked in model.asked for b in news(asked))
