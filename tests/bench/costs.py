"""What a running server takes: `python -m tests.bench.costs [MESSAGES]`, by hand, never in the test run.

Printed as the table of docs/costs.md. Memory is what the system counts for the server's two processes: resident, with
what they share counted in both, and private, which is what ending them would free. The disk is what the database has
grown by once the server has ended, after that many messages, each answered by the agent in one sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from pathlib import Path

import psutil
from tests.bench.__main__ import Host, cpu_s, processes
from tests.bench.places import PLACES

SETTLE_S = 2.0
IDLE_S = 60.0


def megabytes(host: Host) -> tuple[float, float]:
    """The resident and the private memory of the server's processes."""
    found = [one.memory_full_info() for one in processes(host)]
    return sum(one.rss for one in found) / 1e6, sum(one.uss for one in found) / 1e6


def stored(state: Path) -> int:
    """The bytes of the database; nobody has it open."""
    return sum(path.stat().st_size for path in state.glob("channel.db*"))


async def measure(channel: str, messages: int) -> list[str]:
    """The figures of one channel, as they stand in its column."""
    async with PLACES[channel]() as place:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            place.allow(home / "state")
            empty = stored(home / "state")
            host = await Host.start(place, home)
            reading = asyncio.create_task(host.read())
            host.initialize()
            await host.next()
            host.send(method="notifications/initialized")
            await place.reading()
            await asyncio.sleep(SETTLE_S)
            resident, private = megabytes(host)
            before = cpu_s(host)
            await asyncio.sleep(IDLE_S)
            idle = (cpu_s(host) - before) / IDLE_S * 100
            connections = sum(len(one.net_connections()) for one in processes(host))
            worked = cpu_s(host)
            for number in range(messages):
                place.say(f"Message {number}: how far is it, and does anything need me before lunch?")
                _, pushed = await host.next()
                arguments = {"chat_id": pushed["params"]["meta"]["chat_id"], "text": "Two tests left, nothing needed."}
                host.send(id=100 + number, method="tools/call", params={"name": "reply", "arguments": arguments})
                await host.next()
            worked = cpu_s(host) - worked
            later, later_private = megabytes(host)
            count = len(processes(host))
            assert host.process.stdin
            host.process.stdin.close()
            await host.process.wait()
            grown = (stored(home / "state") - empty) / messages
            rows = [
                f"{count}",
                f"{resident:.0f} MB, {private:.0f} MB private",
                f"{later:.0f} MB, {later_private:.0f} MB private",
                f"{idle:.2f} %",
                f"{connections}",
                f"{grown / 1000:.1f} kB",
                f"{worked / messages * 1000:.0f} ms",
            ]
            reading.cancel()
    return rows


def main() -> None:
    """Measure both channels and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.costs", description="Print what a server takes.")
    parser.add_argument("messages", metavar="MESSAGES", nargs="?", type=int, default=1000, help="default 1000")
    messages = parser.parse_args().messages
    if messages < 1:
        parser.error(f"MESSAGES is {messages}; give 1 or more")
    names = (
        "processes",
        "memory, idle",
        f"memory, after {messages:,} messages",
        "processor, idle (of one core)",
        "connections",
        "disk, a message and its answer",
        "processor time, a message and its answer",
    )
    with tempfile.TemporaryDirectory() as data:
        os.environ["CHANNELS_DATA_DIR"] = data
        columns = [asyncio.run(measure(channel, messages)) for channel in PLACES]
    print(f"| | {' | '.join(name.title() for name in PLACES)} |")
    print("|---|---|---|")
    for name, *values in zip(names, *columns, strict=True):
        print(f"| {name} | {' | '.join(values)} |")
    system = f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} cores, Python {sys.version.split()[0]}"
    print(f"\n{system}, messages one after the other")


if __name__ == "__main__":
    main()
