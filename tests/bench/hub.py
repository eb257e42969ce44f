"""What a hub costs: `python -m tests.bench.hub [MESSAGES]`, by hand, never in the test run.

From a message that a person sends to the notification that its host reads: without a hub, through one on this machine,
and through PostgreSQL on loopback (fsync on); where the process that reads is the one that works for the project, and
where it is another. All servers run at once, and each message goes to one of them in turn. Then the statements that
one message costs in the hub, counted by PostgreSQL itself, without what a hub does anyway.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Host
from hub_stage import HubStage, hub_stage
from postgres import Cluster, running_cluster

MESSAGES = 60
QUIET_S = 0.1
# Longer than the time between two heartbeats.
WINDOW_S = 20.0
COUNTED = 10

Way = tuple[TelegramPerson, Host]


async def _ways(stack: contextlib.AsyncExitStack, cluster: Cluster) -> dict[str, Way]:
    """Every way, with its servers running."""
    ways: dict[str, Way] = {}
    direct = await stack.enter_async_context(hub_stage("local", None))
    ways["without a hub"] = await _alone(direct)
    for engine, name, given in (("local", "SQLite", None), ("postgresql", "PostgreSQL", cluster)):
        own = await stack.enter_async_context(hub_stage(engine, given, gated=False))
        ways[f"hub, {name}, the reader's own project"] = await _own(own)
        other = await stack.enter_async_context(hub_stage(engine, given, gated=False))
        ways[f"hub, {name}, another process's project"] = await _other(other)
    return ways


async def _alone(stage: HubStage) -> Way:
    project = stage.project("web")
    project.env["CHANNELS_HUB"] = None
    person = stage.person("ann", project)
    host = await project.host()
    await stage.tg.wait_for(lambda: stage.tg.polling, 30)
    return person, host


async def _own(stage: HubStage) -> Way:
    project = stage.project("web", hub_lease_s=15)
    person = stage.person("ann", project)
    return person, await stage.reading(project)


async def _other(stage: HubStage) -> Way:
    reads, works = stage.project("web", hub_lease_s=15), stage.project("api", hub_lease_s=15)
    person = stage.person("ann", works)
    await stage.reading(reads)
    return person, await stage.working(works)


async def _latency_ms(person: TelegramPerson, host: Host, text: str) -> float:
    begun = time.perf_counter()
    person.send(text)
    await host.event()
    return (time.perf_counter() - begun) * 1e3


async def measure(messages: int, cluster: Cluster) -> None:
    """Prints the table of latencies."""
    figures: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        ways = await _ways(stack, cluster)
        for number in range(messages + 3):
            for name, (person, host) in ways.items():
                await asyncio.sleep(QUIET_S)
                took = await _latency_ms(person, host, f"message {number}")
                # The first ones settle what happens once.
                if number >= 3:
                    figures.setdefault(name, []).append(took)
    table = Table(title=f"update available -> notification, ms, n = {messages} each, interleaved")
    for column in ("way", "median", "p90", "min", "beside the first"):
        table.add_column(column, justify="left" if column == "way" else "right")
    first = statistics.median(next(iter(figures.values())))
    for name, values in figures.items():
        median, p90 = statistics.median(values), statistics.quantiles(values, n=10)[-1]
        table.add_row(name, f"{median:.2f}", f"{p90:.2f}", f"{min(values):.2f}", f"{median - first:+.2f}")
    Console().print(table)


def _statements(log: list[str]) -> Counter[str]:
    """The statements in a log by their first words."""
    found: Counter[str] = Counter()
    for line in log:
        if match := re.search(r"LOG:  (?:statement|execute [^:]*): (.*)", line):
            words = re.sub(r"\s+", " ", match[1])
            # What begins with WITH is known by what it writes.
            words = re.sub(r"^WITH .*?(?=INSERT INTO)", "", words)
            verb = re.match(r"(INSERT INTO|UPDATE|DELETE FROM|SELECT pg_notify)?\s*(\w+)", words)
            table = re.search(r"FROM (\w+)", words)
            key = verb[0] if verb and verb[1] else f"SELECT {table[1]}" if table else words.split(" ", 1)[0]
            found[key] += 1
    return found


async def count(cluster: Cluster) -> None:
    """Prints what one message costs."""
    async with hub_stage("postgresql", cluster) as stage:
        person, host = await _other(stage)
        for number in range(3):
            await _latency_ms(person, host, f"first {number}")
        await asyncio.sleep(5)
        mark = len(cluster.log)
        await asyncio.sleep(WINDOW_S)
        idle = _statements(cluster.log[mark:])
        mark = len(cluster.log)
        for number in range(COUNTED):
            await _latency_ms(person, host, f"counted {number}")
            await asyncio.sleep(WINDOW_S / COUNTED)
        busy = _statements(cluster.log[mark:])
    busy.subtract(idle)
    table = Table(title=f"statements of one message in the hub, mean of {COUNTED}")
    table.add_column("statement")
    table.add_column("n", justify="right")
    for name, number in sorted(busy.items(), key=lambda item: -item[1]):
        if number >= COUNTED / 2:
            table.add_row(name, f"{number / COUNTED:.1f}")
    table.add_row("all", f"{sum(n for n in busy.values() if n >= COUNTED / 2) / COUNTED:.1f}")
    Console().print(table)


def main() -> None:
    """Measure and count."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hub", description="Print what a hub costs.")
    parser.add_argument("messages", metavar="MESSAGES", nargs="?", type=int, default=MESSAGES, help="for each way")
    given = parser.parse_args()
    with running_cluster(fsync="on") as cluster:
        asyncio.run(measure(given.messages, cluster))
    with running_cluster(log_statement="all") as cluster:
        asyncio.run(count(cluster))


if __name__ == "__main__":
    main()
