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
from host_waits import answered, ended, idle, median
from openai_model import OpenAIModel
from scripted_model import Asked, say

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]
Note = Callable[[str, str], None]
TABLE, TIMES = "Qwen Code", 5
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
        if contents and contents[0].startswith("touch "):
            return [shell(contents[0])]
        if "work." in contents:
            return [shell("touch one.txt")]
        if "one.txt" in asked.text and not contents and SUGGESTION not in asked.latest:
            ann.send("/stop")
            await stage.tg.wait_for(told("Stopping"), 60)
            return [shell("touch two.txt")]
        return await replying("qwen", asked)

    def told(words: str) -> Callable[[], bool]:
        return lambda: any(words in message.get("text", "") for message in ann.messages())

    def asked_for(command: str) -> dict[str, Any] | None:
        cards = (m for m in ann.messages() if m["from"]["is_bot"] and m.get("reply_markup"))
        return next((card for card in cards if command in card["text"]), None)

    model.script = working
    async with ForkedHost("qwen", stage, model, qwen).screen("--approval-mode", "default") as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        took = []
        for number in range(TIMES):
            began = time.perf_counter()
            ann.send(f"message {number}.")
            await stage.tg.wait_for(told(f"got message {number}."), 60)
            seen = next(asked for asked in model.asked for b in news(asked) if b.content == f"message {number}.")
            took.append(seen.at - began)
        note(TABLE, f"woken, message to model request: {median(took)}")
        await answered(stage, TIMES)
        took = []
        for number in range(TIMES):
            ann.send(f"touch made{number}.txt")
            card = await stage.tg.wait_for(lambda n=number: asked_for(f"touch made{n}.txt"), 60)
            assert card is not None
            assert not (stage.project / f"made{number}.txt").exists()
            began, before = time.perf_counter(), len(model.asked)
            ann.tap(card["message_id"], label="Allow")
            await model.wait_for(lambda n=before: any(SUGGESTION not in a.latest for a in model.asked[n:]), 60)
            took.append(next(a.at for a in model.asked[before:] if SUGGESTION not in a.latest) - began)
            assert (stage.project / f"made{number}.txt").exists()
            await idle(stage)
        note(TABLE, f"allowed, tap to the next model request: {median(took)}")
        ann.send("work.")
        card = await stage.tg.wait_for(lambda: asked_for("touch one.txt"), 60)
        assert card is not None
        assert "Bash" in card["text"]
        ann.tap(card["message_id"], label="Allow")
        await model.wait_for(lambda: not news(model.asked[-1]) and "one.txt" in model.asked[-1].text, 60)
        assert (stage.project / "one.txt").exists()
        await stage.tg.wait_for(told("Stopped by ann"), 60)
        await screen.shows("Stopped from the chat by ann")
    contents = [block.content for asked in model.asked if SUGGESTION not in asked.latest for block in news(asked)]
    touched = (f"touch made{number}.txt" for number in range(TIMES))
    assert contents == [*(f"message {number}." for number in range(TIMES)), *touched, "work."]
    assert not (stage.project / "two.txt").exists()


async def test_a_session_without_a_screen_is_handed_what_came(
    stage: Stage, model: OpenAIModel, qwen: Path, note: Note
) -> None:
    """-p: what comes while the agent works is handed over after the step, or at the turn's end, once each."""
    stage.config(grace_s=0)
    ann = stage.person()
    words = [f"{when} {number}." for number in range(TIMES) for when in ("in the middle", "at the end")]
    sent: dict[str, float] = {}

    async def send() -> str:
        word = words[len(sent)]
        ann.send(word)
        await kept(stage)
        # From here on it is the host's turn.
        sent[word] = time.perf_counter()
        return word

    async def working(asked: Asked) -> list[dict[str, Any]]:
        if news(asked) or len(sent) == len(words):
            return await replying("qwen", asked)
        if not sent:
            await stage.tg.wait_for(lambda: stage.tg.polling, 60)
        return [shell("true")] if "middle" in await send() else [say("done")]

    model.script = working
    host = ForkedHost("qwen", stage, model, qwen)
    assert (await host.approve()).code == 0
    async with host.printing("Be there for people.", "--approval-mode", "yolo") as process:
        out, err = await ended(process, 240)
        assert process.returncode == 0, err + out
    seen = {block.content: asked.at for asked in reversed(model.asked) for block in news(asked)}
    assert [b.content for asked in model.asked for b in news(asked)] == words
    for when in ("after a step", "at a turn's end"):
        took = [seen[word] - sent[word] for word in words[when.startswith("at") :: 2]]
        note(TABLE, f"handed over {when}, the model's word to its next request: {median(took)}")
    await answered(stage, len(words))
