"""What a hook with nothing to do costs its host: `python -m tests.bench.hooks [RUNS]`, by hand, never in the test run.

The wall time from the start of its process to its end, the interpreter's own start included.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, Stage
from hook_runs import SESSION, Hooks, hooked

# The bell waits where a channel is set up.
WITH_CHANNEL = ("session", "prompt", "stop", "permission", "question", "end")
WITHOUT = ("stop", "bell")


async def main(runs: int) -> None:
    """Print the table."""
    table = Table(title=f"Hooks with nothing to do, {runs} of each")
    for column in ("hook", "project", "median (ms)", "at least", "at most"):
        table.add_column(column, justify="left" if column in {"hook", "project"} else "right")
    with tempfile.TemporaryDirectory() as folder:
        async with TelegramSandbox(TOKEN) as tg, Stage(tg, Path(folder)) as stage, Hooks(stage) as hooks:
            stage.env |= {"CHANNELS_CLAIM": "auto", "CLAUDE_CODE_SESSION_ID": SESSION}
            await hooked(stage, hooks)
            for name in WITH_CHANNEL:
                table.add_row(name, "with a channel", *await _times(hooks, name, runs, {}))
            nothing = {"TELEGRAM_STATE_DIR": str(stage.folder / "nothing")}
            for name in WITHOUT:
                table.add_row(name, "without", *await _times(hooks, name, runs, nothing))
    Console().print(table)


async def _times(hooks: Hooks, name: str, runs: int, env: dict[str, str]) -> list[str]:
    took = [(await hooks.run(name, env=env)).took_s * 1e3 for _ in range(runs)]
    return [f"{figure:.0f}" for figure in (statistics.median(took), min(took), max(took))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", metavar="RUNS", nargs="?", type=int, default=9, help="processes of each (default 9)")
    asyncio.run(main(parser.parse_args().runs))
