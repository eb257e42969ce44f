"""The speed and size tables: `python -m tests.bench [RUNS] [CHANNEL]`, by hand, never in the test run.

Everything is measured on the real server process over real stdio against the sandbox's server on loopback. Each figure
is the median of RUNS (default 7) fresh processes; `ref` is the reference plugin's figure on the same kind of servers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from tests.bench.places import PLACES, Place

IDLE_S = 10.0
QUEUED = 1000
MESSAGES = 30
# Each figure is of a server that has nothing else to do; an agent thinks for longer than this.
QUIET_S = 0.2

# name -> (unit, budget now, where it must end)
ROWS = {
    "spawn -> initialize answer": ("ms", "450", "110"),
    "spawn -> tools/list answer": ("ms", "300", "300"),
    "update available -> notification": ("ms", "3", "1.45"),
    "tool call -> API request": ("ms", "3", "1.3"),
    "tool call -> result": ("ms", "4", "1.9"),
    "1,000 queued updates": ("s", "1", "0.3"),
    "resident idle": ("MB", "90", "64"),
    "resident after 1,000": ("MB", "95", "76"),
    "idle CPU": ("%", "0.3", "0.0"),
    "exit after SIGINT": ("ms", "100", "30"),
    "exit after SIGTERM": ("ms", "100", "30"),
    "exit after stdin EOF": ("ms", "100", "30"),
}
# The reference plugins' figures, in the order of the rows.
REFERENCE = {
    "telegram": ("107", "", "1.45", "1.24", "1.85", "0.29-0.31", "54-64", "76", "0.0", "", "", ""),
    "discord": ("182", "", "1.20", "1.39", "2.25", "0.07", "69-80", "83", "0.13", "", "", ""),
    # There is none with buttons.
    "slack": ("",) * len(ROWS),
}


@dataclass
class Host:
    """A bare line-by-line MCP host."""

    process: asyncio.subprocess.Process
    inbox: asyncio.Queue[tuple[float, dict[str, Any]]] = field(default_factory=asyncio.Queue)

    @classmethod
    async def start(cls, place: Place, home: Path) -> Host:
        """Spawns the server for a sandbox bot; its state folder is `state` in its home."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "CHANNELS_DATA_DIR": os.environ["CHANNELS_DATA_DIR"],
            f"{place.channel.upper()}_STATE_DIR": str(home / "state"),
            "CHANNELS_CLAIM": "always",
            **place.environ,
        }
        program = Path(sys.executable).with_name("channels")
        process = await asyncio.create_subprocess_exec(
            program,
            "serve",
            place.channel,
            stdin=-1,
            stdout=-1,
            stderr=asyncio.subprocess.DEVNULL,
            env=env,
            limit=1 << 24,
        )
        return cls(process)

    async def read(self) -> None:
        """Collects every line with its time."""
        assert self.process.stdout
        async for line in self.process.stdout:
            self.inbox.put_nowait((time.perf_counter(), json.loads(line)))

    def send(self, **message: Any) -> None:
        """Writes one JSON-RPC message."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def initialize(self) -> None:
        """The request a host opens with."""
        client = {"name": "bench", "version": "1"}
        self.send(
            id=1,
            method="initialize",
            params={"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client},
        )

    async def next(self) -> tuple[float, dict[str, Any]]:
        """The next line from the server."""
        return await asyncio.wait_for(self.inbox.get(), 30)


Figures = dict[str, list[float]]


def resident_mb(host: Host) -> float:
    """The resident memory of the server's two processes; what they share is counted in both."""
    return sum(one.memory_info().rss for one in processes(host)) / 1e6


def cpu_s(host: Host) -> float:
    """The seconds of processor time that they took."""
    return sum(sum(one.cpu_times()[:2]) for one in processes(host))


def processes(host: Host) -> list[psutil.Process]:
    """The process that was started, and the one that serves."""
    process = psutil.Process(host.process.pid)
    return [process, *process.children()]


async def one_run(channel: str, figures: Figures) -> None:
    """One fresh bot, state folder and process, through every figure but the exits."""
    async with PLACES[channel]() as place:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            place.allow(home / "state")
            begun = time.perf_counter()
            host = await Host.start(place, home)
            reading = asyncio.create_task(host.read())
            host.initialize()
            figures["spawn -> initialize answer"].append(((await host.next())[0] - begun) * 1e3)
            host.send(method="notifications/initialized")
            host.send(id=2, method="tools/list")
            figures["spawn -> tools/list answer"].append(((await host.next())[0] - begun) * 1e3)
            await place.reading()
            await asyncio.sleep(0.5)
            await _latencies(place, host, figures)
            figures["resident idle"].append(resident_mb(host))
            await _backlog(place, host, figures)
            figures["resident after 1,000"].append(resident_mb(host))
            host.process.kill()
            await host.process.wait()
            reading.cancel()


async def _latencies(place: Place, host: Host, figures: Figures) -> None:
    pushes, requests, results = [], [], []
    for number in range(MESSAGES):
        await asyncio.sleep(QUIET_S)
        begun = time.perf_counter()
        place.say(f"message {number}")
        at, pushed = await host.next()
        pushes.append((at - begun) * 1e3)
        await asyncio.sleep(QUIET_S)
        before = len(place.sends())
        begun, clock = time.perf_counter(), time.monotonic()
        arguments = {"chat_id": pushed["params"]["meta"]["chat_id"], "text": "noted"}
        host.send(id=100 + number, method="tools/call", params={"name": "reply", "arguments": arguments})
        at, _ = await host.next()
        results.append((at - begun) * 1e3)
        requests.append((place.sends()[before] - clock) * 1e3)
    figures["update available -> notification"].append(statistics.median(pushes))
    figures["tool call -> API request"].append(statistics.median(requests))
    figures["tool call -> result"].append(statistics.median(results))


async def _backlog(place: Place, host: Host, figures: Figures) -> None:
    place.hold()
    for number in range(QUEUED):
        place.say(f"queued {number}")
    begun = time.perf_counter()
    place.release()
    at = begun
    for _ in range(QUEUED):
        at, _message = await host.next()
    await place.settled()
    figures["1,000 queued updates"].append(at - begun)


async def exits(channel: str, figures: Figures) -> None:
    """How long a reading server takes to be gone."""
    for name, end in (
        ("exit after SIGINT", lambda p: p.send_signal(signal.SIGINT)),
        ("exit after SIGTERM", lambda p: p.send_signal(signal.SIGTERM)),
        ("exit after stdin EOF", lambda p: p.stdin.close()),
    ):
        async with PLACES[channel]() as place:
            with tempfile.TemporaryDirectory() as folder:
                host = await Host.start(place, Path(folder))
                host.initialize()
                host.send(method="notifications/initialized")
                await place.begun()
                await asyncio.sleep(0.3)
                begun = time.perf_counter()
                end(host.process)
                await host.process.wait()
                figures[name].append((time.perf_counter() - begun) * 1e3)


async def idle_cpu(channel: str, figures: Figures, runs: int) -> None:
    """CPU of a reading server with nothing to do, in per cent of one core."""
    async with PLACES[channel]() as place:
        with tempfile.TemporaryDirectory() as folder:
            host = await Host.start(place, Path(folder))
            reading = asyncio.create_task(host.read())
            host.initialize()
            host.send(method="notifications/initialized")
            await place.begun()
            await asyncio.sleep(2)
            for _ in range(runs):
                before = cpu_s(host)
                await asyncio.sleep(IDLE_S)
                figures["idle CPU"].append((cpu_s(host) - before) / IDLE_S * 100)
            host.process.kill()
            await host.process.wait()
            reading.cancel()


async def measure(channel: str, runs: int) -> None:
    """Measures one channel and prints its table."""
    figures: Figures = {name: [] for name in ROWS}
    for _ in range(runs):
        await one_run(channel, figures)
        await exits(channel, figures)
    await idle_cpu(channel, figures, runs)
    table = Table(title=f"{channel}, median of {runs}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for column in ("figure", "unit", "median", "min", "max", "ref", "budget now", "must end"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for (name, (unit, *bounds)), known in zip(ROWS.items(), REFERENCE[channel], strict=True):
        values = figures[name]
        digits = 1 if unit in {"MB", "%"} or statistics.median(values) >= 20 else 2
        shown = [f"{f(values):.{digits}f}" for f in (statistics.median, min, max)]
        table.add_row(name, unit, *shown, known, *bounds)
    Console().print(table)


def main() -> None:
    """Measure the channels that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Print the speed and size tables.")
    parser.add_argument("runs", metavar="RUNS", nargs="?", type=int, default=7, help="fresh processes (default 7)")
    parser.add_argument("channel", metavar="CHANNEL", nargs="?", choices=PLACES, help=f"{' or '.join(PLACES)}; or all")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error(f"RUNS is {given.runs}; give 1 or more")
    with tempfile.TemporaryDirectory() as data:
        # The list of the user's own state folders, which these servers and this process share.
        os.environ["CHANNELS_DATA_DIR"] = data
        for wanted in [given.channel] if given.channel else PLACES:
            asyncio.run(measure(wanted, given.runs))


if __name__ == "__main__":
    main()
