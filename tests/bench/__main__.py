"""Speed and size of a server, by hand, never in the test run; docs/costs.md is made from what `--save` keeps.

python -m tests.bench                              every figure of every channel, 31 samples of each
python -m tests.bench 7 telegram --only idle       the rows with these words in their name
python -m tests.bench --against 'bun server.ts'    Telegram, beside another MCP server, in turns

Everything is measured on real processes over real stdio against the sandbox on loopback, Telegram over TLS. Another
server gets TELEGRAM_API_ROOT, TELEGRAM_BOT_TOKEN, TELEGRAM_STATE_DIR (with an access.json that lets everybody in who
writes) and NODE_EXTRA_CA_CERTS, and has to push `notifications/claude/channel` and to have the tool `reply`.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import os
import platform
import shlex
import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from tests.bench.places import PLACES
from tests.bench.scenarios import SCENARIOS, Scenario
from tests.bench.servers import Side

from speed_tables import ROWS, Figure, figures, summary, write_measured

RUNS = 31


def sides_of(channel: str, against: list[str]) -> dict[str, Side]:
    """Return our server of a channel, and the other."""
    program = str(Path(sys.executable).with_name("channels"))
    sides = {"ours": Side(channel, (program, "serve", channel), ours=True)}
    if against:
        sides["other"] = Side(channel, tuple(against), ours=False)
    return sides


async def measure(scenario: Scenario, sides: dict[str, Side], runs: int) -> dict[str, dict[str, Figure]]:
    """Play a scenario; return the figures of each of its rows, by side."""
    samples: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def note(side: str, name: str, value: float) -> None:
        samples[name][side].append(value)

    await scenario.play([(side, partial(note, name)) for name, side in sides.items()], runs)
    return {
        name: {side: summary(values) for side in sides if (values := samples[name][side])}
        for name in scenario.rows
        if samples[name]
    }


def show(channel: str, rows: dict[str, dict[str, Figure]], other: str) -> None:
    """Print a channel's table."""
    table = Table(title=channel)
    for column in ("figure", "unit", "ours", other or "other", "ratio", "n"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, row in rows.items():
        table.add_row(name, ROWS[name], *figures(row), "/".join(str(figure["n"]) for figure in row.values()))
    Console(width=None if sys.stdout.isatty() else 180).print(table)


def main() -> None:
    """Measure the channels that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Print the speed and size tables.")
    parser.add_argument("runs", metavar="RUNS", nargs="?", type=int, default=RUNS, help=f"samples (default {RUNS})")
    parser.add_argument("channel", metavar="CHANNEL", nargs="?", choices=PLACES, help=f"{' or '.join(PLACES)}; or all")
    parser.add_argument("--against", metavar="COMMAND", default="", help="measure another server of Telegram beside it")
    parser.add_argument("--called", metavar="NAME", default="other", help="what the tables call that server")
    parser.add_argument("--only", metavar="WORDS", nargs="+", default=[""], help="rows whose name has these words")
    parser.add_argument("--save", action="store_true", help="keep the figures for docs/costs.md")
    given = parser.parse_args()
    wanted = frozenset(name for words in given.only for name in ROWS if words in ({name} if words in ROWS else name))
    if given.runs < 1:
        parser.error(f"RUNS is {given.runs}; give 1 or more")
    if given.against and given.channel not in {None, "telegram"}:
        parser.error(f"--against is for telegram, not {given.channel}")
    if not wanted:
        parser.error(f"no row is called {' or '.join(given.only)}; there are: {'; '.join(ROWS)}")
    one = "telegram" if given.against else given.channel
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    for channel in [one] if one else PLACES:
        sides, rows = sides_of(channel, shlex.split(given.against)), {}
        for scenario in SCENARIOS:
            if chosen := [name for name in scenario.rows if name in wanted]:
                print(f"{channel}: {', '.join(chosen)}", file=sys.stderr)
                with tempfile.TemporaryDirectory() as data:
                    # The list of the user's own state folders, which our servers and this process share.
                    os.environ["CHANNELS_DATA_DIR"] = data
                    found = asyncio.run(measure(scenario, sides, given.runs))
                rows |= {name: found[name] for name in chosen if name in found}
                if given.save:
                    kept = {"when": dt.datetime.now(dt.UTC).date().isoformat(), "where": where, "rows": rows}
                    # At once: a run takes long, and may be ended.
                    write_measured(channel, kept | ({"other": given.called} if given.against else {}))
        show(channel, {name: rows[name] for name in ROWS if name in rows}, given.called)


if __name__ == "__main__":
    main()
