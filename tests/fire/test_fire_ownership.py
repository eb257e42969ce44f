"""One reader per bot, wherever its projects lie: the lock, those who wait for it, taking over, handing over."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from faults_harness import Note, Project, since, together, world
from harness import Host, Stage
from wire_host import PATIENCE_S

pytestmark = pytest.mark.long


def names(owner: dict[str, Any], holder: Host, project: object) -> bool:
    """`owner` says who holds the bot: process, machine, project, since when."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", owner["since"])
    return (owner["pid"], owner["host"], owner["project"]) == (holder.process.pid, socket.gethostname(), str(project))


async def shows(host: Host, text: str, timeout: float = PATIENCE_S) -> None:
    """The host is shown a text."""
    await host.until(lambda: any(event.content == text for event in host.events), timeout, text)


async def test_two_projects_with_one_token_meet_at_the_lock(stage: Stage) -> None:
    """The loser is send-only and names the holder in the tool, on the command line and as the reason of its mode."""
    ann = stage.person()
    other = Project(stage, "other")
    other.allow(ann)
    holder = await stage.reading()
    loser = await other.host()
    status = await loser.status_when(lambda s: str(holder.process.pid) in s["mode"]["why"])
    assert names(status["owner"], holder, stage.project)
    assert status["mode"]["name"] == "none"
    for part in (f"process {holder.process.pid}", socket.gethostname(), str(stage.project), "since"):
        assert part in status["mode"]["why"]

    for env in ({}, other.env):
        ran = await stage.cli("status", "telegram", "--json", **env)
        assert ran.code == 0, ran.err
        assert names(ran.json["owner"], holder, stage.project)

    # Sending needs no ownership.
    await loser.done("reply", chat_id=ann.id, text="from the loser")
    assert (await ann.next_message())["text"] == "from the loser"
    ann.send("for one")
    assert (await holder.event()).content == "for one"
    assert loser.events == []
    assert holder.process.returncode is None


@pytest.mark.parametrize("shared", [True, False], ids=["one STATE_DIR", "two STATE_DIRs"])
async def test_who_waits_takes_over_when_the_holder_is_killed(stage: Stage, note: Note, shared: bool) -> None:
    """After SIGKILL of the holder, the next server reads the bot without being asked."""
    ann = stage.person()
    other = Project(stage, "other")
    other.allow(ann)
    holder = await stage.reading()
    waiting = await stage.host() if shared else await other.host()
    await waiting.status_when(lambda s: bool(s["owner"]) and s["owner"]["pid"] == holder.process.pid)
    began = time.perf_counter()
    await holder.kill()
    ann.send("who is there?")
    await shows(waiting, "who is there?")
    took = since(began)
    note("ownership", f"SIGKILL of the holder -> message shown by the next, {shared=}: {took:.2f} s")
    assert names((await waiting.status())["owner"], waiting, stage.project if shared else other.project)


async def test_a_holder_hands_over_on_request_and_stands_back(tmp_path: Path, note: Note) -> None:
    """`status --release` frees the bot for the one who waits; the old holder lives on, sends, and takes over later."""

    async def played(*, shared: bool) -> None:
        async with world(tmp_path / f"{shared}") as stage:
            await hands_over(stage, note, shared=shared)

    await together({"one STATE_DIR": played(shared=True), "two STATE_DIRs": played(shared=False)})


async def hands_over(stage: Stage, note: Note, *, shared: bool) -> None:
    ann = stage.person()
    other = Project(stage, "other")
    other.allow(ann)
    holder = await stage.reading()
    waiting = await stage.host() if shared else await other.host()
    await waiting.status_when(lambda s: bool(s["owner"]) and s["owner"]["pid"] == holder.process.pid)

    # Asked for where the waiting one is, which may be another project.
    ran = await stage.cli("status", "telegram", "--release", "--json", **({} if shared else other.env))
    asked = time.perf_counter()
    assert ran.code == 0, ran.err
    assert ran.json == {"ok": True, "asked": holder.process.pid}
    await waiting.status_when(lambda s: bool(s["owner"]) and s["owner"]["pid"] == waiting.process.pid)
    took = since(asked)
    note("ownership", f"--release -> read by the next, {shared=}: {took:.2f} s")
    ann.send("after the hand-over")
    await shows(waiting, "after the hand-over")
    assert holder.process.returncode is None
    status = await holder.status_when(lambda s: s["mode"]["name"] == "none")
    assert names(status["owner"], waiting, stage.project if shared else other.project)
    await holder.done("reply", chat_id=ann.id, text="still sending")
    assert (await ann.next_message())["text"] == "still sending"
    assert all(event.content != "after the hand-over" for event in holder.events)

    # Standing back is not leaving: when the next one is gone, the old holder reads again.
    await waiting.done("reply", chat_id=ann.id, text="done")
    await waiting.kill()
    ann.send("anybody?")
    await shows(holder, "anybody?")


async def test_releasing_what_nobody_holds_is_refused(stage: Stage) -> None:
    """`status --release` without a reader says so and exits 1."""
    ran = await stage.cli("status", "telegram", "--release")
    assert ran.code == 1
    assert "nobody reads this bot" in ran.err


async def test_never_means_never(stage: Stage) -> None:
    """CHANNELS_CLAIM=never does not read even when the bot is free; others still take over, and nobody is killed."""
    ann = stage.person()
    holder = await stage.reading()
    never = await stage.host(CHANNELS_CLAIM="never")
    waiting = await stage.host()
    await waiting.status_when(lambda s: str(holder.process.pid) in s["mode"]["why"])
    await holder.kill()
    ann.send("one")
    await shows(waiting, "one")
    await waiting.done("reply", chat_id=ann.id, text="ok")
    await waiting.kill()
    ann.send("two")
    last = await stage.host()
    await shows(last, "two")
    assert never.events == []
    assert "never" in (await never.status())["mode"]["why"]
    assert never.process.returncode is None


async def test_a_lock_is_no_file(stage: Stage) -> None:
    """A lock file and a holder's note left over from a dead process block nobody and are not believed."""
    ann = stage.person()
    first = await stage.reading()
    await first.kill()
    assert list(stage.folder.rglob("*.lock"))
    ran = await stage.cli("status", "telegram", "--json")
    assert ran.json["owner"] is None
    ann.send("hello")
    second = await stage.host()
    await shows(second, "hello")
    assert (await second.status())["owner"]["pid"] == second.process.pid


async def test_the_slot_of_a_dead_poller_is_waited_for(stage: Stage) -> None:
    """A slot that the platform keeps for a dead poller is a visible state, asked for a bounded number of times."""
    ann = stage.person()
    stage.tg.set_poller_slot(60)
    first = await stage.reading()
    await first.kill()
    second = await stage.host()
    status = await second.status_when(lambda s: s["reader"]["state"] == "conflict")
    assert "another program is polling this bot" in status["reader"]["error"]
    stage.tg.advance(60)
    ann.send("patience")
    await shows(second, "patience")
    conflicts = [call for call in stage.tg.calls if call.response_code == 409]
    assert 1 <= len(conflicts) <= 6
    assert (await second.status())["reader"]["state"] == "reading"


async def test_five_servers_and_one_reader(stage: Stage) -> None:
    """However many servers one user starts, one reads; the platform never sees two of them poll."""
    ann = stage.person()
    hosts = await asyncio.gather(*(stage.host() for _ in range(5)))
    ann.send("one of you")
    await stage.tg.wait_for(lambda: stage.tg.confirmed > 0)
    statuses = [await host.status_when(lambda s: bool(s["owner"])) for host in hosts]
    assert len({status["owner"]["pid"] for status in statuses}) == 1
    reader = next(host for host in hosts if host.process.pid == statuses[0]["owner"]["pid"])
    await shows(reader, "one of you")
    assert [host.events for host in hosts if host is not reader] == [[]] * 4
    assert not [call for call in stage.tg.calls if call.response_code == 409]


async def test_what_another_project_showed_comes_back_marked(stage: Stage) -> None:
    """Shown there and not confirmed; then here, though a first successor died before it was told anything."""
    ann, other = stage.person(), Project(stage, "other")
    other.allow(ann)
    first = await stage.reading()
    # The poll that waits is answered, and none after it: nothing is confirmed.
    stage.tg.faults.add("silence", method="getUpdates")
    ann.send("one")
    await shows(first, "one")
    await first.kill()
    second = await other.host()
    await second.status_when(lambda s: bool(s["owner"]) and s["owner"]["pid"] == second.process.pid)
    await second.kill()
    stage.tg.faults.clear()
    third = await other.host()
    event = await third.event()
    assert (event.content, event.meta.get("redelivered")) == ("one", "true")
