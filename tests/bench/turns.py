"""What the hooks of turns cost the real agent host: `python -m tests.bench.turns [SESSIONS]`, by hand.

Sessions without hooks, with the same hooks answered by a server that does nothing else, and with ours take turns, each
with one chat message and the same number of steps. The figures are the time from the end of a tool to the model's next
request, the time of a whole step from the model's call of the tool on, and the processor time of our server for the
whole turn. What the empty server costs is the host's own share. The host is installed into a scratch folder.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, Stage
from real_host import PACKAGE, TOOLS, RealHost
from scratch_installs import npm_package
from scripted_model import Asked, ScriptedModel, say, use

STEPS = 200
# The first steps of a session are slower: the host is still starting.
WARM = 10
# The sessions: without hooks, with the hooks of a server that does nothing else, with ours.
KINDS = {"without hooks": "", "answered by an empty server": "empty", "answered by ours": "telegram"}
EMPTY = """\
import json, sys

RESULTS = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "empty", "version": "1"},
    },
    "tools/list": {"tools": []},
    "tools/call": {"content": [{"type": "text", "text": "{}"}], "isError": False},
}
for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": RESULTS.get(request["method"], {})}
        print(json.dumps(answer), flush=True)
"""


Steps = list[tuple[float, float]]
"""The time from the tool's end to the next request, and that of the whole step, for each step, in seconds."""


async def session(program: Path, answering: str) -> tuple[Steps, float]:
    """Play one session; return its steps, and our server's processor time for the turn, in seconds.

    `answering` names the server that its hooks call, "" for none.
    """
    times: Steps = []
    called = [0.0]
    since_epoch = time.time() - time.perf_counter()
    cpu = [0.0, 0.0]
    servers: list[psutil.Process] = []
    with tempfile.TemporaryDirectory() as folder:
        async with TelegramSandbox(TOKEN) as tg, Stage(tg, Path(folder)) as stage:
            ann = stage.person()

            async def working(asked: Asked) -> list[dict[str, Any]]:
                if not called[0]:
                    await tg.wait_for(lambda: tg.polling, 30)
                    ann.send("How is it going?")
                    await tg.wait_for(lambda: tg.pending_updates == 0, 10)
                    cpu[0] = _cpu(servers)
                else:
                    ended = float((stage.project / "ended").read_text())
                    times.append((asked.at + since_epoch - ended, asked.at - called[0]))
                if len(times) >= STEPS:
                    cpu[1] = _cpu(servers)
                    return [say("done")]
                called[0] = time.perf_counter()
                return [use("Bash", command="date +%s.%N > ended", description=f"Step {len(times)}")]

            async with ScriptedModel(working) as model:
                turns = [answering] if answering else []
                host = RealHost(stage, model, program, hooks=False, turns=turns, allowed=f"{TOOLS},Bash")
                config = json.loads(host.config.read_text())
                config["mcpServers"]["empty"] = {"command": sys.executable, "args": ["-c", EMPTY], "alwaysLoad": True}
                host.config.write_text(json.dumps(config))
                async with host.printing("Work on it.") as process:
                    host_process = psutil.Process(process.pid)
                    await tg.wait_for(lambda: tg.polling, 30)
                    servers += [one for one in host_process.children(recursive=True) if _is_server(one)]
                    await process.communicate()
    return times[WARM:], cpu[1] - cpu[0]


def _is_server(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[-1:] == ["telegram"]
    except psutil.Error:
        # It has just ended.
        return False


def _cpu(servers: list[psutil.Process]) -> float:
    used = [server.cpu_times() for server in servers]
    return sum(one.user + one.system for one in used)


def _ninth(figures: Sequence[float]) -> float:
    return statistics.quantiles(figures, n=10)[8]


async def main(sessions: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        program = npm_package(Path(folder), PACKAGE) / "claude"
        steps: dict[str, Steps] = {name: [] for name in KINDS}
        cpu: dict[str, list[float]] = {name: [] for name in KINDS}
        for number in range(sessions):
            # The machine's pace changes: none of them always comes first.
            for name, answering in list(KINDS.items())[:: -1 if number % 2 else 1]:
                times, used = await session(program, answering)
                steps[name] += times
                cpu[name].append(used)
    names = ("steps", "tool's end to request (ms)", "90 %", "whole step (ms)", "90 %", f"CPU of {STEPS} steps (s)")
    table = Table("medians", *names)
    for name in KINDS:
        cells = [str(len(steps[name]))]
        for figures in zip(*steps[name], strict=True):
            cells += [f"{figure * 1000:.1f}" for figure in (statistics.median(figures), _ninth(figures))]
        table.add_row(name, *cells, f"{statistics.median(cpu[name]):.2f}")
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 3))
