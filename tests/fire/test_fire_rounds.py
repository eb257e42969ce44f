"""Several processes at once, killed again and again: every message goes to one session, and nobody is locked out."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import Account, Note, Project, inbox_states, since, together, world
from harness import Host, Ran, Stage

pytestmark = pytest.mark.long

ROUNDS = 20


async def until_shown(host: Host, texts: list[str], timeout: float = 10) -> None:
    """The host was shown all of them."""
    wanted = set(texts)
    await host.until(lambda: wanted <= {event.content for event in host.events}, timeout, str(texts))


def waits_for(pid: str, status: dict[str, Any]) -> bool:
    """A standby that has seen who holds the lock."""
    return pid in status["mode"]["why"]


class Play:
    """Twenty rounds: some messages are answered, then the holder is killed in the middle of a burst."""

    def __init__(self, stage: Stage, ann: TelegramPerson, envs: list[dict[str, str | None]]) -> None:
        self.stage, self.ann, self.envs = stage, ann, envs
        self.shared = envs[0] == envs[1]
        self.book = Account()
        self.answered: list[str] = []
        self.took: list[float] = []
        # Which folder each session of the account reads.
        self.folders: list[int] = []
        self.dice = random.Random(3)  # noqa: S311 - any numbers, the same every time

    async def run(self) -> None:
        holder = await self.stage.host(**self.envs[0])
        await holder.status_when(lambda s: bool(s["owner"]) and s["owner"]["pid"] == holder.process.pid)
        waiting = await self.stage.host(**self.envs[1])
        self._reads(holder, 0)
        for number in range(ROUNDS):
            await self._answer(holder, number)
            burst = await self._burst(holder, number)
            await waiting.status_when(partial(waits_for, str(holder.process.pid)))
            began = time.perf_counter()
            await holder.kill()
            self._reads(waiting, (number + 1) % 2)
            last = self.book.say(self.ann, f"{number} after")
            await until_shown(waiting, [last])
            self.took.append(since(began))
            # Only now: a server that starts may claim sooner than one that waits, which would be as good.
            starting = asyncio.create_task(self.stage.host(**self.envs[number % 2]))
            await self._settle(waiting, burst)
            holder, waiting = waiting, await starting
        await self._end(holder, waiting)

    def _reads(self, host: Host, folder: int) -> None:
        self.book.hosts.append(host)
        self.folders.append(0 if self.shared else folder)

    async def _answer(self, holder: Host, number: int) -> None:
        texts = [self.book.say(self.ann, f"{number} talk {i}") for i in range(2)]
        await until_shown(holder, texts)
        await holder.done("reply", chat_id=self.ann.id, text=f"answer {number}")
        self.answered += texts

    async def _burst(self, holder: Host, number: int) -> list[str]:
        texts = [self.book.say(self.ann, f"{number} burst {i}") for i in range(4)]
        shown = self.dice.randrange(len(texts) + 1)
        await until_shown(holder, texts[:shown])
        if shown and not self.shared:
            # Two folders share no journal: what one of them has shown is the other's no more once it is confirmed.
            await self.stage.tg.wait_for(lambda: self.stage.tg.pending_updates == 0)
        return texts

    async def _settle(self, waiting: Host, burst: list[str]) -> None:
        """With one STATE_DIR the successor gets the whole burst, shown before or not, and answers it."""
        if self.shared:
            await until_shown(waiting, burst)
            await waiting.done("reply", chat_id=self.ann.id, text="took over")
            self.answered += burst

    async def _end(self, holder: Host, waiting: Host) -> None:
        """Both folders have been read to their end."""
        await holder.kill()
        self._reads(waiting, (ROUNDS + 1) % 2)
        await waiting.status_when(lambda s: bool(s["owner"]) and s["owner"]["pid"] == waiting.process.pid)
        await waiting.status_when(lambda s: s["inbox"]["open"] == s["inbox"]["offered"] - s["inbox"]["answered"])
        await waiting.kill()
        last = await self.stage.host(**self.envs[ROUNDS % 2])
        self._reads(last, ROUNDS % 2)
        text = self.book.say(self.ann, "the end")
        await until_shown(last, [text])


@pytest.mark.timeout(200)
async def test_twenty_kills_of_the_holder(tmp_path: Path, note: Note) -> None:
    """Two servers, twenty kills: each message goes to one session, repeats to the successor only and marked.

    Played with one STATE_DIR and with two, at the same time.
    """
    await together(
        {
            "one STATE_DIR": twenty_rounds(tmp_path / "one", note, shared=True),
            "two STATE_DIRs": twenty_rounds(tmp_path / "two", note, shared=False),
        }
    )


async def twenty_rounds(folder: Path, note: Note, *, shared: bool) -> None:
    async with world(folder) as stage:
        ann = stage.person()
        other = Project(stage, "other")
        other.allow(ann)
        play = Play(stage, ann, [{}, {}] if shared else [{}, other.env])
        await play.run()
        conflicts = len([call for call in stage.tg.calls if call.response_code == 409])
        note("two servers, twenty kills of the holder", _line(play, conflicts, shared=shared))
        book = play.book
        book.check()
        assert book.twice_in_one_session() == []
        assert conflicts == 0
        assert [text for text in play.answered if len(book.shown(text)) > 1 + (" burst " in text)] == []
        folders = play.folders
        for text in book.sent:
            shown = [n for n, _ in book.shown(text)]
            # One session, and while nobody answers each next session that reads the same folder; none in between.
            same = [n for n in range(shown[0], len(folders)) if folders[n] == folders[shown[0]]]
            assert shown == same[: len(shown)], (text, shown)


def _line(play: Play, conflicts: int, *, shared: bool) -> str:
    again = len(play.book.duplicates())
    took = f"median {statistics.median(play.took):.2f} s, most {max(play.took):.2f} s"
    where = "one STATE_DIR " if shared else "two STATE_DIRs"
    return (
        f"{where}: sent {len(play.book.sent)}, lost {len(play.book.lost())}, shown again {again} "
        f"(unmarked {len(play.book.unmarked())}), takeover {took}, 409s {conflicts}"
    )


async def test_everybody_uses_the_database_at_once(stage: Stage, note: Note) -> None:
    """Server, second server and many commands at the same time: no "database is locked", no lost update."""
    ann = stage.person()
    host = await stage.reading()
    await stage.host()
    book = Account(hosts=[host])
    ids = [str(9_000_000 + n) for n in range(16)]

    async def hammer(mine: list[str]) -> list[Ran]:
        ran = []
        for person in mine:
            book.say(ann, f"while {person} is let in")
            ran.append(await stage.access("allow", person, "--json"))
            ran.append(await stage.cli("inbox", "telegram", "--json"))
            ran.append(await stage.cli("status", "telegram", "--json"))
        return ran

    ran = [one for some in await asyncio.gather(*(hammer(ids[n::4]) for n in range(4))) for one in some]
    assert [one for one in ran if one.code] == []
    assert all(json.loads(one.out) for one in ran)
    assert "database is locked" not in stage.everything_said()
    await until_shown(host, book.sent)
    await host.done("reply", chat_id=ann.id, text="all of you")
    paired = {one["id"] for one in (await stage.access("status", "--json")).json["paired"]}
    assert paired == {*ids, str(ann.id)}
    assert inbox_states(stage.state) == {"answered": len(book.sent)}
    book.check()
    assert book.duplicates() == []
    note("one database", f"{len(ran)} commands beside two servers and {len(book.sent)} messages: nobody was locked out")


async def test_opposite_changes_at_once_are_all_kept(stage: Stage) -> None:
    """People let in and groups enabled by one process are still there after another removed others at the same time."""
    gone, stays = [str(1000 + n) for n in range(6)], [str(2000 + n) for n in range(6)]
    groups = [f"-100{n}" for n in range(6)]
    for person in gone:
        assert (await stage.access("allow", person)).code == 0
    ran = await asyncio.gather(
        *(stage.access("remove", person, "--json") for person in gone),
        *(stage.access("allow", person, "--json") for person in stays),
        *(stage.access("group", "add", group, "--json") for group in groups),
        *(stage.access("policy", "allowlist", "--json") for _ in range(3)),
    )
    assert [one.err for one in ran if one.code] == []
    status = (await stage.access("status", "--json")).json
    assert {one["id"] for one in status["paired"]} == set(stays)
    assert {one["id"] for one in status["groups"]} == set(groups)
    assert status["policy"] == "allowlist"
