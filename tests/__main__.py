"""One command tells the truth: `python -m tests` runs the linter, the type checker and every test with coverage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Tests at the wire wait as much as they compute.
WORKERS = str((os.cpu_count() or 2) * 2)
# Where coverage is measured: everything in one process, and every flow and verb once at the wire. Under fire, in hosts
# and in browsers, processes run as fast as they do for people.
MEASURED = tuple(
    f"tests/{path}"
    for path in (
        *("contract", "core", "discord", "journeys", "telegram"),
        *(
            "hosts/test_hosts_hooks.py",
            "hosts/test_hosts_prompts.py",
            "wire/test_wire_cli.py",
            "wire/test_wire_commands.py",
            "wire/test_wire_doctor.py",
            "wire/test_wire_import.py",
            "wire/test_wire_invite.py",
            "wire/test_wire_media.py",
            "wire/test_wire_setup.py",
        ),
    )
)
STEPS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("coverage", "erase"),
    ("coverage", "run", "-m", "pytest", "-n", WORKERS, *MEASURED, *sys.argv[1:]),
    ("pytest", "-n", WORKERS, *(f"--ignore={path}" for path in MEASURED), *sys.argv[1:]),
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
