"""Codex CLI, the real one: set up by `--host codex`, woken, asked for its permissions, handed messages, stopped."""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from codex_host import PACKAGE, REPLY, CodexHost
from harness import Stage
from hook_runs import kept
from host_waits import idle, median
from inbox_socket import blocks_in
from responses_model import ResponsesModel
from scratch_installs import npm_package
from scripted_model import Asked, say, use

# Codex looks into its queue every ten seconds; a busy machine takes longer.
WOKEN_S = 60
TIMES, TABLE = 5, "Codex CLI"


@pytest.fixture(scope="session")
def codex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host itself, from its package."""
    folder = npm_package(tmp_path_factory.mktemp("codex"), PACKAGE).parent
    found = next(folder.glob("@openai/codex-*/vendor/*/bin/codex"), None)
    if found is None:
        pytest.skip(f"{PACKAGE} was installed without its program for this system")
    return found


class Person:
    """What the model of a test does for each word that somebody writes, and when it was asked."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.asked: list[str] = []
        self._changed = asyncio.Condition()

    async def script(self, asked: Asked) -> list[dict[str, Any]]:
        """Answers a message; `run` takes a permission; `work`, `end` and `stop` wait until the test lets them go on."""
        latest = html.unescape(asked.latest)
        self.asked.append(latest)
        async with self._changed:
            self._changed.notify_all()
        found = blocks_in(latest)
        if not found:
            return [say("done")]
        word, chat = found[-1].content, found[-1].meta["chat_id"]
        if word.startswith("run "):
            made = {"sandbox_permissions": "require_escalated", "justification": "Makes a file"}
            return [use("exec_command", cmd=f"touch {word[4:]}.txt && echo {word[4:]} is made", **made)]
        first = word.partition(" ")[0]
        if first in {"work", "end", "stop"}:
            await self.goes_on.wait()
            self.goes_on.clear()
        if first == "end":
            return [say("nothing to do")]
        if first == "stop":
            return [use("exec_command", cmd="touch never.txt")]
        return [use(REPLY, chat_id=chat, text=f"got {word}")]

    def was_asked(self, *words: str) -> bool:
        """Whether the model was asked something that holds all these words."""
        return any(all(word in text for word in words) for text in self.asked)

    async def until(self, *words: str) -> None:
        """Waits until it was."""
        async with asyncio.timeout(WOKEN_S), self._changed:
            await self._changed.wait_for(lambda: self.was_asked(*words))


async def says(person: TelegramPerson, text: str) -> dict[str, Any]:
    """Waits until the bot has written a text to somebody; returns the message."""
    async with asyncio.timeout(WOKEN_S):
        while True:
            message = await person.next_message(timeout=WOKEN_S)
            if text in message["text"]:
                return message


async def meanwhile(stage: Stage, person: TelegramPerson, talk: Person, word: str, more: str) -> None:
    """Somebody writes more while the agent is busy with a word; then it goes on."""
    person.send(word)
    await talk.until(f">\n{word}\n<")
    person.send(more)
    await kept(stage)
    talk.goes_on.set()


@pytest.mark.long
@pytest.mark.usefixtures("tmux")
@pytest.mark.timeout(600)
async def test_codex_is_woken_asks_and_takes_messages_at_a_turns_end(
    stage: Stage, codex: Path, note: Callable[[str, str], None]
) -> None:
    """An idle session is woken and answers; its permission prompt is a card, and a tap runs the command.

    A message that comes during a turn is handed over after its next tool, or at its end, and the ring for it begins no
    other turn. /stop refuses what the agent begins next. Our own tools ask for no permission.
    """
    ann, talk = stage.person(), Person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    async with ResponsesModel(talk.script) as model:
        host = CodexHost(stage, model, codex)
        await host.set_up()
        async with host.screen("hello") as screen:
            await talk.until("hello")
            await screen.shows("Worked for")
            took = []
            for number in range(TIMES):
                await idle(stage)
                began = time.perf_counter()
                ann.send(f"first {number}")
                await talk.until(f">\nfirst {number}\n<")
                took.append(time.perf_counter() - began)
                assert (await says(ann, "got"))["text"] == f"got first {number}"
            note(TABLE, f"woken, message to model request: {median(took)}")

            took = []
            for number in range(TIMES):
                await idle(stage)
                ann.send(f"run made{number}")
                card = await says(ann, "asks for permission")
                assert f"touch made{number}.txt" in card["text"]
                labels = [button["text"] for row in card["reply_markup"]["inline_keyboard"] for button in row]
                assert labels == ["Allow", "Deny"]
                assert not (stage.project / f"made{number}.txt").exists()
                began = time.perf_counter()
                ann.tap(card["message_id"], label="Allow")
                await talk.until("Process exited with code 0", f"made{number} is made")
                took.append(time.perf_counter() - began)
                assert (stage.project / f"made{number}.txt").exists()
            note(TABLE, f"allowed, tap to the next model request: {median(took)}")

            await idle(stage)
            await meanwhile(stage, ann, talk, "work", "second")
            await says(ann, "got work")
            assert (await says(ann, "got"))["text"] == "got second"

            took = []
            for number in range(TIMES):
                await idle(stage)
                await meanwhile(stage, ann, talk, f"end {number}", f"third {number}")
                began = time.perf_counter()
                await talk.until(f">\nthird {number}\n<")
                took.append(time.perf_counter() - began)
                assert (await says(ann, "got"))["text"] == f"got third {number}"
            assert talk.was_asked("<hook_prompt", "third")
            note(TABLE, f"handed over, the model's last word to its next request: {median(took)}")
            await screen.shows("were read already", WOKEN_S)

            ann.send("stop")
            await talk.until(">\nstop\n<")
            ann.send("/stop")
            await says(ann, "Stopping")
            talk.goes_on.set()
            await talk.until("Stopped from the chat by ann")
            await says(ann, "Stopped by ann")
            assert not (stage.project / "never.txt").exists()
        assert not model.failed
