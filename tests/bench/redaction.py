"""What masking a text costs: `python -m tests.bench.redaction`, by hand, never in the test run.

Every text that leaves, or is kept, is searched for credentials. Printed is the median of 15 runs over 4,096 characters,
in microseconds of processor time, of the search alone and of all that is done to a text of the agent's. The budget is
100 for code.
"""

from __future__ import annotations

import hashlib
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from agent_channels.core.log import redact
from agent_channels.core.secret_shapes import find_secrets

SIZE, RUNS, CALLS = 4096, 15, 200


def texts() -> dict[str, str]:
    """Ordinary texts of several kinds, each of the same size."""
    chance = random.Random(1)  # noqa: S311
    root = Path(__file__).resolve().parents[2]
    source = (root / "channels/agent_channels/core/outbound/sender.py").read_text(encoding="utf-8")
    found = {
        "code": source,
        "prose": (root / "README.md").read_text(encoding="utf-8"),
        "chinese": (root / "README.zh-TW.md").read_text(encoding="utf-8"),
        "hashes": "\n".join(hashlib.sha256(bytes([n])).hexdigest() + f"  file_{n}.py" for n in range(100)),
        "ids": "\n".join(f'{{"id": "{uuid.UUID(int=chance.getrandbits(128))}"}}' for _ in range(120)),
        "one word": "x" * SIZE,
    }
    return {name: text[:SIZE] for name, text in found.items()}


def microseconds(call: Callable[[str], object], text: str) -> float:
    """The median of what a call takes; no text comes twice in a row, as it is with an agent's."""
    runs, two = [], (text, text[1:] + text[:1])
    for _ in range(RUNS):
        began = time.process_time()
        for number in range(CALLS):
            call(two[number % 2])
        runs.append((time.process_time() - began) / CALLS * 1e6)
    return statistics.median(runs)


def main() -> int:
    """Print the table."""
    print(f"{'text':<10} {'search':>8} {'all':>8}")
    for name, text in texts().items():
        search, both = microseconds(find_secrets, text), microseconds(redact, text)
        print(f"{name:<10} {search:>8.1f} {both:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
