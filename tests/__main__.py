"""One command tells the truth: `python -m tests` runs the linter, the type checker and every test with coverage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.measured import FOLLOWED

ROOT = Path(__file__).resolve().parents[1]
# Tests at the wire wait as much as they compute.
WORKERS = str((os.cpu_count() or 2) * 2)
# Where coverage is measured: everything in one process, and where it follows into others. Under fire, in hosts and in
# browsers, processes run as fast as they do for people.
IN_PROCESS = ("contract", "core", "discord", "telegram")
MEASURED = tuple(
    f"tests/{path}" for path in (*IN_PROCESS, *(one for one in FOLLOWED if one.split("/")[0] not in IN_PROCESS))
)
# The same examples in every complete run; pytest by itself goes on looking for new ones.
PYTEST = ("pytest", "-n", WORKERS, "--hypothesis-profile=ci")
STEPS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("coverage", "erase"),
    ("coverage", "run", "-m", *PYTEST, *MEASURED, *sys.argv[1:]),
    (*PYTEST, *(f"--ignore={path}" for path in MEASURED), *sys.argv[1:]),
    ("coverage", "combine", "--quiet"),
    ("coverage", "report", "--skip-covered", "--show-missing"),
)


def main() -> int:
    """Runs every step, stops at the first that fails, and returns its exit code."""
    for step in STEPS:
        print(f"$ {' '.join(step)}", flush=True)
        code = subprocess.run([sys.executable, "-m", *step], cwd=ROOT, check=False).returncode
        if code:
            print(f"failed: {' '.join(step)}", flush=True)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
