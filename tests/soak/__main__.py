"""`python -m tests.soak [SECONDS] [SEED]`: random people, faults and kills (default 600 s), then an exact ledger.

Not part of the test run. Exit code 1 when anything was lost, shown twice without a mark, or posted twice.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from tests.soak.play import Play  # noqa: E402 - as above

from faults_harness import world  # noqa: E402 - found only after the line above

DEFAULT_S = 600.0


async def soak(seconds: float, seed: int) -> int:
    """Plays, prints the ledger, and returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        async with world(Path(folder) / "world", wait_notice_after_s=5, rate_wait_s=20) as stage:
            play = Play(stage, random.Random(seed))  # noqa: S311 - chance, not secrecy
            began = time.monotonic()
            await play.run(seconds)
            ledger, problems = play.ledger()
            locked = stage.everything_said().count("database is locked")
    ledger["seconds played, and until everything was answered"] = (
        f"{seconds:.0f} + {time.monotonic() - began - seconds:.0f}"
    )
    ledger['"database is locked" seen'] = str(locked)
    width = max(map(len, ledger))
    print(f"\nseed {seed}")
    for name, value in ledger.items():
        print(f"  {name:<{width}}  {value:>6}")
    for problem in problems[:20]:
        print(f"  PROBLEM  {problem}")
    print("nothing was lost" if not problems and not locked else f"{len(problems) + locked} PROBLEMS")
    return 1 if problems or locked else 0


def main() -> int:
    """Reads the arguments, plays, and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Random people, faults and kills, then an exact ledger."
    )
    parser.add_argument(
        "seconds",
        metavar="SECONDS",
        nargs="?",
        type=float,
        default=DEFAULT_S,
        help=f"how long (default {DEFAULT_S:.0f})",
    )
    parser.add_argument("seed", metavar="SEED", nargs="?", type=int, help="to throw the same dice again (default: any)")
    given = parser.parse_args()
    seed = random.randrange(10_000) if given.seed is None else given.seed  # noqa: S311 - as above
    return asyncio.run(soak(given.seconds, seed))


if __name__ == "__main__":
    sys.exit(main())
