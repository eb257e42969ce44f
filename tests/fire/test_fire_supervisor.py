"""The process that serves is killed at random while messages flow: one connection, nothing lost, repeats marked."""

from __future__ import annotations

import random
from pathlib import Path

from faults_harness import Account, Note, world

MESSAGES = 200
DEATHS = 12


async def test_random_deaths_while_messages_flow(tmp_path: Path, note: Note) -> None:
    """200 messages, 12 deaths between any two of them, an agent that answers: all shown, no repeat without its mark."""
    dice = random.Random(7)  # noqa: S311 - a test that can be repeated
    deadly = set(dice.sample(range(MESSAGES), DEATHS))
    async with world(tmp_path / "world") as stage:
        ann = stage.person()
        host = await stage.reading()
        book, deaths = Account(hosts=[host]), 0
        for number in range(MESSAGES):
            text = book.say(ann, f"message {number}.")
            if number in deadly:
                # At any moment from its being read to its being shown.
                if dice.random() < 0.5:
                    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
                for worker in host.workers():
                    worker.kill()
                deaths += 1
                await host.until(lambda count=deaths: f"again, {count} times" in host.log(), what="a restart")
            if number % 10 == 9:
                await host.until(lambda text=text: bool(book.shown(text)), what=text)
                await host.done("reply", chat_id=ann.id, text=f"seen {number}", idempotency_key=str(number))
        assert (book.lost(), book.unmarked()) == ([], [])
        assert (await host.status())["restarts"]["count"] == DEATHS
        said = [message["text"] for message in ann.messages() if message["text"].startswith("seen ")]
        assert said == [f"seen {number}" for number in range(9, MESSAGES, 10)]
        note(
            "supervisor", f"{MESSAGES} messages, {DEATHS} deaths: 0 lost, {len(book.duplicates())} repeats, all marked"
        )
