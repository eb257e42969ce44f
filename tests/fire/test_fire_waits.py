"""Setting changed, server killed, host gone, in the middle of a card and of an `ask`: every tap is counted or told."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import Note, world
from harness import Host, Stage

pytestmark = pytest.mark.long

REQUEST = "notifications/claude/channel/permission_request"
VERDICT = "notifications/claude/channel/permission"
ROUNDS = int(os.environ.get("CHANNELS_ROUNDS", "6"))
DISTURBANCES = ("setting changed", "server killed", "host gone")
LETTERS = "abcdefghij"
ENDED = "⌛"


class Round:
    """One question and one card, disturbed before, between or after the taps."""

    def __init__(self, stage: Stage, ann: TelegramPerson, number: int, dice: random.Random) -> None:
        self.stage, self.ann, self.number, self.dice = stage, ann, number, dice
        self.question = f"question {number}"
        self.request_id = "".join(LETTERS[int(digit)] for digit in f"{number:05}")
        self.hosts: list[Host] = []

    async def run(self, host: Host) -> tuple[Host, str, str]:
        """Returns the host that is attached in the end, and what became of the tap on the question and on the card."""
        self.hosts = [host]
        call = host.calling("ask", chat_id=self.ann.id, text=self.question, buttons=[[self.label]], timeout_s=300)
        question = await self.ann.next_message()
        asks = {"request_id": self.request_id, "tool_name": "Bash", "input_preview": f"command {self.number}"}
        host.notify(REQUEST, asks)
        card = await self.ann.next_message()
        taps = [(question, self.label), (card, "Allow")]
        self.dice.shuffle(taps)
        when = self.dice.randrange(len(taps) + 1)
        for message, label in taps[:when]:
            self.ann.tap(message["message_id"], label=label)
        disturbed = asyncio.create_task(self._disturb(host))
        for message, label in taps[when:]:
            self.ann.tap(message["message_id"], label=label)
        host = await disturbed
        return host, await self._counted(call, question), await self._decided(card)

    @property
    def label(self) -> str:
        return f"answer {self.number}"

    async def _disturb(self, host: Host) -> Host:
        what = DISTURBANCES[self.number % len(DISTURBANCES)]
        if what == "setting changed":
            self.stage.config(grace_s=0, keep_days=30 + self.number)
            return host
        if what == "server killed":
            await host.kill()
        else:
            host.drop_output()
            host.close_stdin()
            await host.wait()
        self.hosts.append(await self.stage.host())
        return self.hosts[-1]

    async def _counted(self, call: int | str, question: dict[str, Any]) -> str:
        """The answer is the call's result, or an event; never neither, and never both without a mark."""
        first, last = self.hosts[0], self.hosts[-1]

        def result() -> str | None:
            answer = first._answers.get(call)
            return None if answer is None else str(answer["result"]["content"][0]["text"])

        def events() -> list[Any]:
            return [e for host in self.hosts for e in host.events if e.content == self.label]

        await last.until(lambda: bool(result() or events()), 60, self.label)
        found = result()
        answered = found is not None and json.loads(found).get("label") == self.label
        if not answered:
            await last.until(lambda: bool(events()), 60, self.label)
        assert answered + len([event for event in events() if "redelivered" not in event.meta]) <= 1
        await self.stage.tg.wait_for(lambda: self.label in self._shown(question)["text"])
        return "result" if answered else "event"

    async def _decided(self, card: dict[str, Any]) -> str:
        """The card says what became of the tap, and that is what the host has seen."""
        await self.stage.tg.wait_for(
            lambda: any(words in self._shown(card)["text"] for words in ("passed on", ENDED)), 60
        )
        passed_on = "passed on" in self._shown(card)["text"]
        lines = [json.loads(line) for host in self.hosts for line in host.lines if VERDICT.encode() + b'"' in line]
        verdicts = [line["params"] for line in lines if line["params"]["request_id"] == self.request_id]
        assert all(verdict["behavior"] == "allow" for verdict in verdicts)
        assert len(verdicts) <= len(self.hosts)
        return "verdict" if passed_on else "told that it ended"

    def _shown(self, message: dict[str, Any]) -> dict[str, Any]:
        return next(m for m in self.ann.messages() if m["message_id"] == message["message_id"])


@pytest.mark.timeout(60 + 20 * ROUNDS)
async def test_every_tap_is_counted_once_or_told(tmp_path: Path, note: Note) -> None:
    """Rounds of a question and a card with real processes; whatever happens in the middle, no tap is lost."""
    dice = random.Random(13)  # noqa: S311 - any numbers, the same every time
    became: Counter[str] = Counter()
    async with world(tmp_path / "world") as stage:
        stage.env |= {"CLAUDE_CODE_SESSION_ID": "one-session"}
        ann = stage.person()
        assert (await stage.access("approver", "add", str(ann.id))).code == 0
        host = await stage.reading()
        for number in range(ROUNDS):
            host, question, card = await Round(stage, ann, number, dice).run(host)
            what = DISTURBANCES[number % len(DISTURBANCES)]
            became[f"{what}: question -> {question}"] += 1
            became[f"{what}: card -> {card}"] += 1
            await host.done("reply", chat_id=ann.id, text="thanks")
            # A card that was sent in the very moment of the kill may have come again.
            while (await ann.next_message())["text"] != "thanks":
                pass
        for line, count in sorted(became.items()):
            note("taps in the middle of a disturbance", f"{line}: {count}")
