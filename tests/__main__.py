"""Run the project's checks; stop at the first that fails.

python -m tests          linter, types, and every test that is not marked as long (about 20 minutes on two cores)
python -m tests all      the same with the long ones, and branch coverage (about 45 minutes)
python -m tests quick    linter, types, unit and contract tests (about three minutes)

Further arguments go to pytest: python -m tests -k albums
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Wire tests wait about as much as they compute; some take a minute, so that who is done takes over from who is not.
WORKERS = str((os.cpu_count() or 2) * 2)
# The profile plays the same examples in every complete run; plain pytest keeps looking for new ones.
PYTEST = ("pytest", "-n", WORKERS, "--dist=worksteal", "--hypothesis-profile=complete")
IN_PROCESS = ("tests/unit", "tests/contract")
STATIC = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))
# Reads every file of tests once, before each worker does: what it stores of them spares the workers three quarters of
# that. The type checker meanwhile uses one processor.
READ_ONCE = ("pytest", "--collect-only", "-qq")
# As many files as workers may read for themselves.
FEW = 20


def quick(arguments: list[str]) -> list[tuple[str, ...]]:
    """The steps for between two edits."""
    return [*STATIC, (*PYTEST, *IN_PROCESS, *arguments)]


def usual(arguments: list[str]) -> list[tuple[str, ...]]:
    """The steps before a change is handed in."""
    return [*STATIC, (*PYTEST, "-m", "not long", *arguments)]


def complete(arguments: list[str]) -> list[tuple[str, ...]]:
    """Every step. Coverage is measured where tests call the code themselves; servers and hosts run at full speed."""
    return [
        *STATIC,
        ("coverage", "erase"),
        ("coverage", "run", "-m", *PYTEST, *IN_PROCESS, *arguments),
        (*PYTEST, *(f"--ignore={folder}" for folder in IN_PROCESS), *arguments),
        ("coverage", "combine", "--quiet"),
        ("coverage", "report", "--skip-covered", "--show-missing"),
    ]


def unread() -> list[Path]:
    """Return the files of tests that were changed since pytest last stored what it made of them."""
    files = [path for name in ("test_*.py", "conftest.py") for path in (ROOT / "tests").rglob(name)]

    def stored_s(path: Path) -> float:
        stored = (path.parent / "__pycache__").glob(f"{path.stem}.*-pytest-*.pyc")
        return max((found.stat().st_mtime for found in stored), default=0.0)

    return [path for path in files if stored_s(path) < path.stat().st_mtime]


def main(arguments: list[str]) -> int:
    """Run every step, stop at the first that fails, and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests",
        usage="python -m tests [quick|all] [PYTEST ARGUMENTS]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # Everything but --help is for pytest.
    _, arguments = parser.parse_known_args(arguments)
    chosen = {"quick": quick, "all": complete}.get(arguments[0]) if arguments else None
    steps = usual(arguments) if chosen is None else chosen(arguments[1:])
    # Also where compiled files are not wanted: every worker would compile every file of tests for itself.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    reading = None
    if len(unread()) > FEW:
        reading = subprocess.Popen([sys.executable, "-m", *READ_ONCE], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    for step in steps:
        if reading and "pytest" in step:
            # What it has to say against a file, the workers say too.
            reading.wait()
        print(f"$ {' '.join(step)}", flush=True)
        code = subprocess.run([sys.executable, "-m", *step], cwd=ROOT, env=env, check=False).returncode
        if code:
            if reading:
                reading.terminate()
            print(f"failed: {' '.join(step)}", flush=True)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
