"""The speed and size table: `python -m tests.bench [RUNS]`, by hand, never in the test run.

Everything is measured on the real server process over real stdio against the sandbox's server on loopback. Each figure
is the median of RUNS (default 7) fresh processes; `ref` is the reference plugin's figure on the same kind of servers.
"""

from __future__ import annotations

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

from channels.core.access import Access
from channels.core.store import Store
from channels.sandbox.telegram import TelegramSandbox

IDLE_S = 10.0
QUEUED = 1000
MESSAGES = 30

# name -> (unit, the reference's figure, budget now, where it must end)
ROWS = {
    "spawn -> initialize answer": ("ms", "107", "450", "110"),
    "update available -> notification": ("ms", "1.45", "3", "1.45"),
    "tool call -> API request": ("ms", "1.24", "3", "1.3"),
    "tool call -> result": ("ms", "1.85", "4", "1.9"),
    "1,000 queued updates": ("s", "0.29-0.31", "1", "0.3"),
    "resident idle": ("MB", "54-64", "90", "64"),
    "resident after 1,000": ("MB", "76", "95", "76"),
    "idle CPU": ("%", "0.0", "0.3", "0.0"),
    "exit after SIGINT": ("ms", "", "100", "30"),
    "exit after SIGTERM": ("ms", "", "100", "30"),
    "exit after stdin EOF": ("ms", "", "100", "30"),
}


@dataclass
class Host:
    """A bare line-by-line MCP host."""

    process: asyncio.subprocess.Process
    inbox: asyncio.Queue[tuple[float, dict[str, Any]]] = field(default_factory=asyncio.Queue)

    @classmethod
    async def start(cls, tg: TelegramSandbox, state: Path) -> Host:
        """Spawns the server for a sandbox bot."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(state),
            "XDG_RUNTIME_DIR": str(state),
            "TELEGRAM_STATE_DIR": str(state),
            "TELEGRAM_BOT_TOKEN": tg.token,
            "TELEGRAM_API_ROOT": tg.root,
            "CHANNELS_CLAIM": "always",
        }
        program = Path(sys.executable).with_name("channels")
        process = await asyncio.create_subprocess_exec(
            program, "serve", "telegram", stdin=-1, stdout=-1, stderr=asyncio.subprocess.DEVNULL, env=env, limit=1 << 24
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


async def one_run(figures: Figures) -> None:
    """One fresh bot, state folder and process, through every figure but the exits."""
    async with TelegramSandbox() as tg:
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder)
            ann = tg.person("ann", first_name="Ann")
            ann.start()
            with Store.of(state) as store:
                Access(store).allow(str(ann.id), by="bench")
            begun = time.perf_counter()
            host = await Host.start(tg, state)
            reading = asyncio.create_task(host.read())
            host.initialize()
            figures["spawn -> initialize answer"].append(((await host.next())[0] - begun) * 1e3)
            host.send(method="notifications/initialized")
            await tg.wait_for(lambda: tg.pending_updates == 0 or None, timeout=10)
            await asyncio.sleep(0.5)
            await _latencies(tg, ann, host, figures)
            figures["resident idle"].append(psutil.Process(host.process.pid).memory_info().rss / 1e6)
            await _backlog(tg, ann, host, figures)
            figures["resident after 1,000"].append(psutil.Process(host.process.pid).memory_info().rss / 1e6)
            host.process.kill()
            await host.process.wait()
            reading.cancel()


async def _latencies(tg: TelegramSandbox, ann: Any, host: Host, figures: Figures) -> None:
    pushes, requests, results = [], [], []
    for number in range(MESSAGES):
        begun = time.perf_counter()
        ann.send(f"message {number}")
        at, pushed = await host.next()
        pushes.append((at - begun) * 1e3)
        await tg.wait_for(lambda: tg.calls_of("sendChatAction") or None, timeout=5)
        before = len(tg.calls_of("sendMessage"))
        begun, clock = time.perf_counter(), time.monotonic()
        arguments = {"chat_id": pushed["params"]["meta"]["chat_id"], "text": "noted"}
        host.send(id=100 + number, method="tools/call", params={"name": "reply", "arguments": arguments})
        at, _ = await host.next()
        results.append((at - begun) * 1e3)
        requests.append((tg.calls_of("sendMessage")[before].at - clock) * 1e3)
    figures["update available -> notification"].append(statistics.median(pushes))
    figures["tool call -> API request"].append(statistics.median(requests))
    figures["tool call -> result"].append(statistics.median(results))


async def _backlog(tg: TelegramSandbox, ann: Any, host: Host, figures: Figures) -> None:
    tg.hold_updates()
    for number in range(QUEUED):
        ann.send(f"queued {number}")
    begun = time.perf_counter()
    tg.release()
    at = begun
    for _ in range(QUEUED):
        at, _message = await host.next()
    await tg.wait_for(lambda: tg.pending_updates == 0 or None, timeout=10)
    figures["1,000 queued updates"].append(at - begun)


async def exits(figures: Figures) -> None:
    """How long a polling server takes to be gone."""
    for name, end in (
        ("exit after SIGINT", lambda p: p.send_signal(signal.SIGINT)),
        ("exit after SIGTERM", lambda p: p.send_signal(signal.SIGTERM)),
        ("exit after stdin EOF", lambda p: p.stdin.close()),
    ):
        async with TelegramSandbox() as tg:
            with tempfile.TemporaryDirectory() as folder:
                host = await Host.start(tg, Path(folder))
                host.initialize()
                host.send(method="notifications/initialized")
                await tg.wait_for(lambda tg=tg: tg.calls_of("getMe") or None, timeout=10)
                await asyncio.sleep(0.3)
                begun = time.perf_counter()
                end(host.process)
                await host.process.wait()
                figures[name].append((time.perf_counter() - begun) * 1e3)


async def idle_cpu(figures: Figures, runs: int) -> None:
    """CPU of a polling server with nothing to do, in per cent of one core."""
    async with TelegramSandbox() as tg:
        with tempfile.TemporaryDirectory() as folder:
            host = await Host.start(tg, Path(folder))
            reading = asyncio.create_task(host.read())
            host.initialize()
            host.send(method="notifications/initialized")
            await tg.wait_for(lambda: tg.calls_of("getMe") or None, timeout=10)
            await asyncio.sleep(2)
            process = psutil.Process(host.process.pid)
            for _ in range(runs):
                before = sum(process.cpu_times()[:2])
                await asyncio.sleep(IDLE_S)
                figures["idle CPU"].append((sum(process.cpu_times()[:2]) - before) / IDLE_S * 100)
            host.process.kill()
            await host.process.wait()
            reading.cancel()


async def main(runs: int) -> None:
    """Measures and prints the table."""
    figures: Figures = {name: [] for name in ROWS}
    for _ in range(runs):
        await one_run(figures)
        await exits(figures)
    await idle_cpu(figures, runs)
    table = Table(title=f"median of {runs}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for column in ("figure", "unit", "median", "min", "max", "ref", "budget now", "must end"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, (unit, *bounds) in ROWS.items():
        values = figures[name]
        digits = 1 if unit in {"MB", "%"} or statistics.median(values) >= 20 else 2
        shown = [f"{f(values):.{digits}f}" for f in (statistics.median, min, max)]
        table.add_row(name, unit, *shown, *bounds)
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
