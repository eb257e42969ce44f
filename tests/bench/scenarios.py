"""What is measured, and how: each scenario notes the rows that it is for, by their names."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import statistics
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass

from tests.bench import trip
from tests.bench.servers import SETTLE_S, Host, Side, Usage

__all__ = ["SCENARIOS", "Note", "Scenario"]

# Each latency is of a server that has nothing else to do; an agent thinks for longer than this.
QUIET_S = 0.2
QUEUED = 1000
REPLIES = 200
IN_FLIGHT = 8
WORK = 50
IDLE_S = 60.0
# How many samples are taken from a server that has settled, before another one takes its place.
EACH = 16
MESSAGE = "How far is it, and does anything need me before lunch?"
ANSWER = "Two tests left, nothing needed"

Note = Callable[[str, float], None]
"""Takes the name of a row and one value of it."""


async def first_message(side: Side, note: Note) -> None:
    """A message waits, and the host lists the tools as hosts do."""
    async with side.place() as (place, home):
        if place.keeps:
            place.people[0].send(MESSAGE)
        async with side.started(place, home) as host:
            note("spawn to initialize answer", (await host.initialize() - host.begun) * 1e3)
            at, _ = await host.request("tools/list")
            note("spawn to tools/list answer", (at - host.begun) * 1e3)
            if place.keeps:
                at, _ = await host.event()
                note("spawn to first message", (at - host.begun) * 1e3)


async def first_call(side: Side, note: Note) -> None:
    """The agent replies as soon as it can."""
    async with side.place() as (place, home), side.started(place, home) as host:
        await host.initialize()
        at = await host.reply(place.people[0].chat_id, ANSWER)
        note("spawn to first call's result", (at - host.begun) * 1e3)


async def _ended(side: Side, note: Note, name: str, end: Callable[[Process], object]) -> None:
    async with side.place() as (place, home), side.started(place, home) as host:
        await host.initialize()
        await place.connected()
        await asyncio.sleep(SETTLE_S)
        begun = time.monotonic()
        end(host.process)
        await host.process.wait()
        note(name, (time.monotonic() - begun) * 1e3)


async def interrupted(side: Side, note: Note) -> None:
    """As hosts do first when they end."""
    await _ended(side, note, "exit after SIGINT", lambda process: process.send_signal(signal.SIGINT))


async def terminated(side: Side, note: Note) -> None:
    """As hosts do next, and systems that shut down."""
    await _ended(side, note, "exit after SIGTERM", lambda process: process.terminate())


async def closed(side: Side, note: Note) -> None:
    """What is left of a host that was killed."""
    await _ended(side, note, "exit after stdin EOF", lambda process: process.stdin and process.stdin.close())


async def one_by_one(host: Host, note: Note) -> None:
    """A message, and after a while its reply."""
    await asyncio.sleep(QUIET_S)
    begun = time.monotonic()
    host.place.people[0].send(MESSAGE)
    at, event = await host.event()
    note("message to notification", (at - begun) * 1e3)
    await asyncio.sleep(QUIET_S)
    text = f"{ANSWER} {at}"
    begun = time.monotonic()
    at = await host.reply(event["meta"]["chat_id"], text)
    note("call to request", (host.place.sent_at()[text] - begun) * 1e3)
    note("call to result", (at - begun) * 1e3)


async def queued(host: Host, note: Note) -> None:
    """A thousand messages become visible at once."""
    host.place.hold()
    for number in range(QUEUED):
        host.place.people[0].send(f"{MESSAGE} {number}")
    await asyncio.sleep(QUIET_S)
    begun = time.monotonic()
    host.place.release()
    at = begun
    for _ in range(QUEUED):
        at, _event = await host.event()
    note("1,000 queued messages", at - begun)
    await host.place.confirmed()
    usage = host.usage()
    note("memory after 1,000 messages", usage.resident / 1e6)
    note("private memory after 1,000 messages", usage.private / 1e6)


async def many_chats(host: Host, note: Note) -> None:
    """Everybody writes at once, and the agent answers each as it hears of them."""
    people = host.place.people
    await asyncio.sleep(QUIET_S)
    host.place.hold()
    for person in people:
        person.send(MESSAGE)
    heard, answers = [], {}
    async with asyncio.TaskGroup() as replies:
        begun = time.monotonic()
        host.place.release()
        for _ in people:
            at, event = await host.event()
            heard.append(at - begun)
            text = f"{ANSWER} {at}"
            answers[text] = replies.create_task(host.reply(event["meta"]["chat_id"], text))
    sent = host.place.sent_at()
    note("50 chats at once: message to notification", statistics.median(heard) * 1e3)
    note(
        "50 chats at once: message to answer's request", statistics.median(sent[text] - begun for text in answers) * 1e3
    )


async def under_load(host: Host, note: Note) -> None:
    """The agent answers in many chats, a few calls at a time, and with each call another message comes in."""
    people, free, took = host.place.people, asyncio.Semaphore(IN_FLIGHT), []

    async def one(number: int) -> None:
        async with free:
            person = people[number % len(people)]
            person.send(MESSAGE)
            begun = time.monotonic()
            took.append(await host.reply(person.chat_id, f"{ANSWER} {number}") - begun)

    await asyncio.sleep(QUIET_S)
    begun = time.monotonic()
    async with asyncio.TaskGroup() as replies:
        for number in range(REPLIES):
            replies.create_task(one(number))
    note("200 replies while messages come in", time.monotonic() - begun)
    note("200 replies while messages come in: call to result", statistics.median(took) * 1e3)
    for _ in range(REPLIES):
        await host.event()


async def work(host: Host, note: Note) -> None:
    """Messages one after the other, then as many replies."""
    person, kept = host.place.people[0], _kept(host)
    before = host.usage()
    for number in range(WORK):
        person.send(f"{MESSAGE} {number}")
        await host.event()
    between = await _still(host)
    for number in range(WORK):
        await host.reply(person.chat_id, f"{ANSWER} {number}")
    after = await _still(host)
    for name, first, last in (("a message in", before, between), ("a reply", between, after)):
        note(f"processor, {name}", (last.cpu_s - first.cpu_s) / WORK * 1e3)
        note(f"written to disk, {name}", (last.written - first.written) / WORK / 1e3)
    if kept is not None:
        note("kept on disk, a message with its reply", ((_kept(host) or 0) - kept) / WORK / 1e3)


async def _still(host: Host) -> Usage:
    await asyncio.sleep(SETTLE_S)
    return host.usage()


def _kept(host: Host) -> int | None:
    """Return the size of our database in bytes, None for another program."""
    path = host.home / "state" / "channel.db"
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        (size,) = store.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()").fetchone()
        return int(size)


async def idle(hosts: Sequence[tuple[Host, Note]]) -> None:
    """Nothing happens for a minute."""
    await asyncio.sleep(SETTLE_S)
    before = [host.usage() for host, _ in hosts]
    await asyncio.sleep(IDLE_S)
    for (host, note), first in zip(hosts, before, strict=True):
        last = host.usage()
        note("memory idle", last.resident / 1e6)
        note("private memory idle", last.private / 1e6)
        note("processor idle", (last.cpu_s - first.cpu_s) / IDLE_S * 100)
        switches = sum(count - first.switches.get(thread, 0) for thread, count in last.switches.items())
        note("context switches idle", switches * 60 / IDLE_S)
        note("connections", last.connections)
        note("processes", last.processes)


Sides = Sequence[tuple[Side, Note]]
Play = Callable[[Sides, int], Awaitable[None]]
"""Takes a number of samples from each side, in turns."""


def _cold(sample: Callable[[Side, Note], Awaitable[None]]) -> Play:
    """A fresh server for each sample."""

    async def play(sides: Sides, runs: int) -> None:
        for number in range(runs):
            for side, note in sides[:: 1 if number % 2 else -1]:
                await sample(side, note)

    return play


def _warm(sample: Callable[[Host, Note], Awaitable[None]]) -> Play:
    """Servers that have settled, and are fresh again after some samples."""

    async def play(sides: Sides, runs: int) -> None:
        for first in range(0, runs, EACH):
            async with AsyncExitStack() as stack:
                hosts = [(await stack.enter_async_context(side.settled()), note) for side, note in sides]
                for number in range(first, min(runs, first + EACH)):
                    for host, note in hosts[:: 1 if number % 2 else -1]:
                        await sample(host, note)

    return play


async def _together(sides: Sides, runs: int) -> None:
    """All of them at once: a minute is long, and private is then what one more session takes.

    Then a backlog for each, one after the other.
    """
    async with AsyncExitStack() as stack:
        hosts = [(await stack.enter_async_context(side.settled()), note) for side, note in list(sides) * runs]
        await idle(hosts)
        for host, note in hosts:
            await queued(host, note)


async def _statements(sides: Sides, _runs: int) -> None:
    """What one message with its reply asks of our database: a count, the same each time."""
    for side, note in sides:
        if side.ours and side.channel == "telegram":
            (found,) = await trip.cost(trip.OURS, "a message and its reply")
            note("SQL statements, a message with its reply", len(found.statements))
            note("SQL transactions, a message with its reply", found.transactions)


@dataclass(frozen=True)
class Scenario:
    """What is played, and for which rows."""

    play: Play
    rows: tuple[str, ...]


SCENARIOS = (
    Scenario(
        _cold(first_message), ("spawn to initialize answer", "spawn to tools/list answer", "spawn to first message")
    ),
    Scenario(_cold(first_call), ("spawn to first call's result",)),
    Scenario(_warm(one_by_one), ("message to notification", "call to request", "call to result")),
    Scenario(
        _warm(many_chats),
        ("50 chats at once: message to notification", "50 chats at once: message to answer's request"),
    ),
    Scenario(
        _warm(under_load),
        ("200 replies while messages come in", "200 replies while messages come in: call to result"),
    ),
    Scenario(
        _warm(work),
        (
            "processor, a message in",
            "processor, a reply",
            "written to disk, a message in",
            "written to disk, a reply",
            "kept on disk, a message with its reply",
        ),
    ),
    Scenario(
        _together,
        (
            "memory idle",
            "private memory idle",
            "processor idle",
            "context switches idle",
            "connections",
            "processes",
            "1,000 queued messages",
            "memory after 1,000 messages",
            "private memory after 1,000 messages",
        ),
    ),
    Scenario(_cold(interrupted), ("exit after SIGINT",)),
    Scenario(_cold(terminated), ("exit after SIGTERM",)),
    Scenario(_cold(closed), ("exit after stdin EOF",)),
    Scenario(_statements, ("SQL statements, a message with its reply", "SQL transactions, a message with its reply")),
)
