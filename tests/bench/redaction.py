"""What masking a text costs: `python -m tests.bench.redaction`, by hand, never in the test run.

Every text that leaves, or is kept, is searched for credentials. Printed are the median and the lowest of 101 runs over
4,096 characters, in microseconds of processor time, of the search alone and of all that is done to a text of the
agent's. The budget is 100. Where the control's median is twice its lowest, so is everything's: somebody else had the
core.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from agent_channels.core.log import redact
from agent_channels.core.secret_shapes import find_secrets

SIZE, ROUNDS, CALLS = 4096, 101, 50


def texts() -> dict[str, str]:
    """Ordinary texts of several kinds, each of the same size."""
    chance = random.Random(1)  # noqa: S311
    root = Path(__file__).resolve().parents[2]
    source = (root / "channels/agent_channels/core/outbound/sender.py").read_text(encoding="utf-8")
    found = {
        "code": source,
        "prose": (root / "docs/promises.md").read_text(encoding="utf-8"),
        "chinese": (root / "README.zh-TW.md").read_text(encoding="utf-8") * 2,
        "hashes": "\n".join(hashlib.sha256(bytes([n])).hexdigest() + f"  file_{n}.py" for n in range(100)),
        "ids": "\n".join(f'{{"id": "{uuid.UUID(int=chance.getrandbits(128))}"}}' for _ in range(120)),
        "one word": "x" * SIZE,
    }
    return {name: text[:SIZE] for name, text in found.items()}


def measure(calls: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """The median and the lowest of what each call takes, in microseconds; one after the other in every round.

    A machine that others use too is slow for a second at a time: so all of them meet the same.
    """
    runs: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            began = time.process_time()
            for _ in range(CALLS):
                call()
            runs[name].append((time.process_time() - began) / CALLS * 1e6)
    return {name: (statistics.median(found), min(found)) for name, found in runs.items()}


def alternating(call: Callable[[str], object], text: str) -> Callable[[], object]:
    """The call on a text and on its neighbour by turns: an agent's texts never come twice in a row."""
    both = itertools.cycle((text, text[1:] + text[:1]))
    return lambda: call(next(both))


def main() -> int:
    """Print the table."""
    kinds = texts()
    # What takes the same time for ever, as long as the machine is the same.
    control: dict[str, Callable[[], object]] = {"control": lambda: sum(range(SIZE))}
    search = measure({name: alternating(find_secrets, text) for name, text in kinds.items()} | control)
    both = measure({name: alternating(redact, text) for name, text in kinds.items()} | control)
    print(f"{'text':<10} {'search':>8} {'lowest':>8} {'all':>8} {'lowest':>8}")
    for name in search:
        print(f"{name:<10}", *(f"{one:>8.1f}" for one in (*search[name], *both[name])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
