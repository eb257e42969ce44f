"""The conformance matrix: one journey in every known host and client, written down as data, by hand.

python -m tests.hosts.matrix                 all of them, each installed by exact version: an hour
python -m tests.hosts.matrix copilot sdk     these
python -m tests.hosts.matrix --hold 0 sdk    without finding out how long a call may take
python -m tests.hosts.matrix --only tap_after_cancel kimi    one step alone; the row keeps the rest

The results go into tests/hosts/matrix/measured.json; `python -m tests.support.reference` makes the tables from it.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).resolve().parents[2] / "support"
sys.path[:0] = [str(SUPPORT.parents[1]), str(SUPPORT)]
sys.argv[0] = __file__

import pytest  # noqa: E402 - the tests' own modules are found only after the lines above
from rich.console import Console  # noqa: E402 - as above

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox  # noqa: E402 - as above
from agents import NoAnswer  # noqa: E402 - as above
from harness import TOKEN, Stage  # noqa: E402 - as above
from host_journey import Journey, heard, longest_call, longest_result  # noqa: E402 - as above
from hosts_table import MEASURED, merged, read_measured  # noqa: E402 - as above
from players import PLAYERS, Player, Seat  # noqa: E402 - as above

HOLD_S = 310.0
AT_ONCE = 3
STEPS = (
    "connects",
    "talks",
    "waits",
    "reads_all",
    "tap_after_exit",
    "tap_after_return",
    "tap_after_cancel",
    "tap_after_timeout",
)


async def measure(player: Player, folder: Path, hold_s: float, steps: Sequence[str] = STEPS) -> dict[str, Any]:
    """Plays the journey, or some of its steps, with one host or client; returns its row."""
    async with TelegramSandbox(TOKEN) as tg, Stage(tg, folder) as stage:
        del stage.env["CHANNELS_CLAIM"]
        seat, ann = Seat(stage), stage.person()
        journey = Journey(
            lambda: player.start(seat, seat.server()),
            ann,
            hasty=lambda: player.start(seat.hasty(), seat.server()),
            acks=player.stateless,
        )
        cells = await journey.play(*(getattr(journey, step) for step in steps))
        known, date = heard(seat.tap), {"date": dt.datetime.now(dt.UTC).date().isoformat()}
        methods = known.pop("methods")
        return {
            "name": player.name,
            "title": player.title,
            "kind": player.kind,
            "version": player.version,
            **known,
            "probes_first": "server/discover" in methods,
            "cancels": "notifications/cancelled" in methods,
            "cells": {name: {"good": not why, **({"why": why} if why else {}), **date} for name, why in cells.items()},
            "ask_took_s": journey.ask_took_s,
            "limits": {**await limits(player, seat, hold_s), **date} if steps == STEPS else {},
        }


async def limits(player: Player, seat: Seat, hold_s: float) -> dict[str, Any]:
    """Finds out what the client bears, with a server that does nothing else."""
    found: dict[str, Any] = {}
    try:
        async with player.start(seat, seat.limits_server()) as agent:
            found["result"] = await longest_result(agent)
            if hold_s:
                found |= {"call_s": await longest_call(agent, hold_s), "tried_s": hold_s}
    except (NoAnswer, OSError) as error:
        found["why"] = str(error)[:200]
    return found


async def run(names: list[str], hold_s: float, steps: Sequence[str] = STEPS) -> int:
    """Measures these; writes each row once it is there."""
    console, turn, failed = Console(), asyncio.Semaphore(AT_ONCE), 0

    async def one(player: Player) -> None:
        nonlocal failed
        async with turn:
            console.print(f"{player.title} {player.version} ...")
            with tempfile.TemporaryDirectory(prefix=f"ac-{player.name}-", ignore_cleanup_errors=True) as folder:
                try:
                    row = await measure(player, Path(folder), hold_s, steps)
                except pytest.skip.Exception as error:
                    failed += 1
                    console.print(f"{player.title}: {error}", markup=False)
                    return
                finally:
                    kept = Path(folder) / "printed.log"
                    text = kept.read_text(errors="replace")[-1500:] if kept.exists() else ""
        failed += any(not cell["good"] for cell in row["cells"].values())
        console.print(json.dumps(row, indent=1), markup=False)
        if any(not cell["good"] for cell in row["cells"].values()):
            console.print(text, markup=False)
        write(row)

    await asyncio.gather(*(one(PLAYERS[name]) for name in names))
    return 1 if failed else 0


def write(row: dict[str, Any]) -> None:
    """Replaces a row; what was not tried this time stays as it was."""
    rows = {known["name"]: known for known in read_measured()}
    rows[row["name"]] = merged(rows.get(row["name"], {}), row)
    order = [name for name in PLAYERS if name in rows]
    MEASURED.write_text(json.dumps([rows[name] for name in order], indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> int:
    """Parses the command line, and runs."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hosts.matrix",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PLAYERS)}; default: all")
    parser.add_argument("--hold", type=float, default=HOLD_S, metavar="SECONDS", help="the longest call that is tried")
    parser.add_argument("--only", action="append", choices=STEPS, metavar="STEP", help=f"of {', '.join(STEPS)}")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in PLAYERS]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}")
    return asyncio.run(run(chosen.names or list(PLAYERS), chosen.hold, chosen.only or STEPS))


if __name__ == "__main__":
    sys.exit(main())
