"""Qwen Code with a scripted model: woken by its inbox, asked for permissions by cards, stopped, handed messages."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_hosts import ForkedHost, news, program, replying, shell
from harness import Stage
from hook_runs import kept
from host_waits import answered, ended, median
from openai_model import OpenAIModel
from scripted_model import Asked

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]
Note = Callable[[str, str], None]
TABLE = "Qwen Code"
# It asks the model itself what its user may want to type next.
SUGGESTION = "NEVER SUGGEST"


@pytest.fixture(scope="session")
def qwen() -> Path:
    return program("qwen")


@pytest.fixture
async def model() -> AsyncIterator[OpenAIModel]:
    async with OpenAIModel(lambda asked: replying("qwen", asked)) as made:
        yield made
        assert made.failed == []


@pytest.mark.usefixtures("tmux")
async def test_a_session_at_the_terminal(stage: Stage, model: OpenAIModel, qwen: Path, note: Note) -> None:
    """Idle, it is woken for each message, once; a tap answers a permission; /stop ends the turn at its next step.

    The card comes while nothing stands at the terminal yet, and what runs is seen on the phone.
    """
    stage.config(grace_s=0, progress_after_s=0)
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0

    async def working(asked: Asked) -> list[dict[str, Any]]:
        contents = [block.content for block in news(asked)]
        if "work." in contents:
            return [shell("touch one.txt")]
        if "one.txt" in asked.text and not contents and SUGGESTION not in asked.latest:
            ann.send("/stop")
            await stage.tg.wait_for(told("Stopping"), 60)
            return [shell("touch two.txt")]
        return await replying("qwen", asked)

    def told(words: str) -> Callable[[], bool]:
        return lambda: any(words in message.get("text", "") for message in ann.messages())

    model.script = working
    async with ForkedHost("qwen", stage, model, qwen).screen("--approval-mode", "default") as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        took = []
        for number in range(5):
            began = time.perf_counter()
            ann.send(f"message {number}.")
            await stage.tg.wait_for(told(f"got message {number}."), 60)
            seen = next(asked for asked in model.asked for b in news(asked) if b.content == f"message {number}.")
            took.append(seen.at - began)
        note(TABLE, f"idle session, inbox: message to model request: {median(took)}")
        await answered(stage, 5)
        ann.send("work.")
        await stage.tg.wait_for(told("asks for permission"), 60)
        card = next(message for message in ann.messages() if "asks for permission" in message.get("text", ""))
        assert "Bash" in card["text"]
        assert "touch one.txt" in card["text"]
        began = time.perf_counter()
        ann.tap(card["message_id"], label="Allow")
        await model.wait_for(lambda: not news(model.asked[-1]) and "one.txt" in model.asked[-1].text, 60)
        note(TABLE, f"permission: tap to model {model.asked[-1].at - began:.2f} s")
        assert (stage.project / "one.txt").exists()
        await stage.tg.wait_for(told("Stopped by ann"), 60)
        await screen.shows("Stopped from the chat by ann")
    contents = [block.content for asked in model.asked if SUGGESTION not in asked.latest for block in news(asked)]
    assert contents == [*(f"message {number}." for number in range(5)), "work."]
    assert not (stage.project / "two.txt").exists()


async def test_a_session_without_a_screen_is_handed_what_came(stage: Stage, model: OpenAIModel, qwen: Path) -> None:
    """-p: what comes while the agent works is handed over after the step, or at the turn's end, once each."""
    stage.config(grace_s=0)
    ann = stage.person()
    sent: list[str] = []

    async def send(text: str) -> None:
        if text not in sent:
            sent.append(text)
            ann.send(text)
            await kept(stage)

    async def working(asked: Asked) -> list[dict[str, Any]]:
        if "Be there" in asked.latest and not sent:
            await stage.tg.wait_for(lambda: stage.tg.polling, 60)
            await send("in the middle.")
            return [shell("true")]
        if not news(asked):
            await send("at the end.")
        return await replying("qwen", asked)

    model.script = working
    host = ForkedHost("qwen", stage, model, qwen)
    assert (await host.approve()).code == 0
    async with host.printing("Be there for people.", "--approval-mode", "yolo") as process:
        out, err = await ended(process, 120)
        assert process.returncode == 0, err + out
    assert [b.content for asked in model.asked for b in news(asked)] == ["in the middle.", "at the end."]
    await answered(stage, 2)
