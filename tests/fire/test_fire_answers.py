"""What an agent says at the terminal only, with its server killed at any moment: people have it, marked, once."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import Note, world
from harness import Host, Stage
from hook_runs import SESSION, Hooks, kept
from hooked_turns import HookedTurn
from wire_host import eventually

ROUNDS = int(os.environ.get("CHANNELS_ROUNDS", "6"))
MARK = "💻 Said at the terminal:\n\n"
MOMENTS = ("never", "before the tools", "before the end", "while the hook runs", "after the hook")


class Round:
    """One question, answered at the terminal or by `reply`; the server is killed at one moment of it."""

    def __init__(self, stage: Stage, hooks: Hooks, ann: TelegramPerson, number: int, dice: random.Random) -> None:
        self.stage, self.hooks, self.ann, self.number = stage, hooks, ann, number
        self.moment, self.replies = dice.choice(MOMENTS), dice.random() < 0.3

    async def run(self, host: Host) -> Host:
        """Return the host that is attached in the end."""
        self.ann.send(f"question {self.number}")
        await kept(self.stage)
        turn = HookedTurn(host, f"round-{self.number}")
        assert f"question {self.number}" in await turn.prompt()
        host = await self._kill(host, "before the tools")
        turn = HookedTurn(host, turn.id)
        await turn.step()
        if self.replies:
            await host.done("reply", chat_id=self.ann.id, text=f"reply {self.number}")
        host = await self._kill(host, "before the end")
        said = f"answer {self.number}"
        run = await self.hooks.start("stop", last_assistant_message=said)
        host = await self._kill(host, "while the hook runs")
        # A new server hands over again what was not answered: the turn goes on with it, and the agent says it again.
        while (await run.ran(30)).out:
            run = await self.hooks.start("stop", last_assistant_message=said, stop_hook_active=True)
        return await self._kill(host, "after the hook")

    async def _kill(self, host: Host, moment: str) -> Host:
        if self.moment != moment:
            return host
        await host.kill()
        return await self.stage.reading()

    def came(self) -> list[str]:
        """Return every message of this round that the person got."""
        mine = {f"reply {self.number}", f"{MARK}answer {self.number}", f"answer {self.number}"}
        return [text for message in self.ann.messages() if (text := message.get("text")) in mine]

    @property
    def wanted(self) -> str:
        """The one message that the person should have."""
        return f"reply {self.number}" if self.replies else f"{MARK}answer {self.number}"


@pytest.mark.timeout(120 + 30 * ROUNDS)
async def test_the_answer_comes_once(tmp_path: Path, note: Note) -> None:
    """Rounds with kills: an answer at the terminal comes once, marked; after a `reply` nothing is sent again."""
    async with world(tmp_path / "world", progress="off") as stage:
        stage.env |= {"CHANNELS_MODE": "hook", "CHANNELS_CLAIM": "auto", "CLAUDE_CODE_SESSION_ID": SESSION}
        ann, dice = stage.person(), random.Random(20261129)  # noqa: S311 - a game
        rounds = []
        async with Hooks(stage) as hooks:
            await hooks.run("prompt")
            host = await stage.reading()
            for number in range(ROUNDS):
                one = Round(stage, hooks, ann, number, dice)
                rounds.append(one)
                host = await one.run(host)
                await eventually(one.came, "the answer")
            # Whatever else was on its way has come.
            ann.send("/status")
            await stage.tg.wait_for(lambda: "Connected as" in ann.messages()[-1]["text"], 20)
    assert [one.came() for one in rounds] == [[one.wanted] for one in rounds]
    killed = sum(one.moment != "never" for one in rounds)
    note(
        "terminal answers", f"{ROUNDS} rounds, {killed} kills, {sum(one.replies for one in rounds)} replies: once each"
    )
