"""A contributor's commands: they explain themselves, and are found where the docs say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JUST = Path(sys.executable).with_name("just")
COMMANDS = [
    "tests",
    "tests.bench",
    "tests.bench.trip",
    "tests.bench.costs",
    "tests.bench.hub",
    "tests.bench.hub_growth",
    "tests.hosts.matrix",
    "tests.soak",
    "tests.soak.hub",
    "tests.support.reference",
    "tests.support.pictures",
    "tests.support.first_steps",
]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command in the repository, with a PATH on which the virtual environment is not."""
    env = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_and_does_nothing(command: str) -> None:
    """--help prints a usage and ends; it runs no check, no measurement, and writes nothing."""
    ran = run(sys.executable, "-m", command, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"usage: python -m {command} ")
    assert "$ " not in ran.stdout


@pytest.mark.parametrize(("command", "words"), [
    ("tests.bench", ["many"]), ("tests.bench", ["0"]), ("tests.bench", ["1", "nochat"]), ("tests.soak", ["long"]),
    ("tests.bench.costs", ["0"]), ("tests.bench.trip", ["python"]), ("tests.support.reference", ["docs"]),
    ("tests.support.pictures", ["nothing"]), ("tests.soak.hub", ["mysql"]),
    ("tests.support.first_steps", ["nothing"]),
])  # fmt: skip
def test_wrong_words_are_refused(command: str, words: list[str]) -> None:
    """Exit code 2 and a usage, no traceback."""
    ran = run(sys.executable, "-m", command, *words)
    assert ran.returncode == 2
    assert ran.stderr.startswith("usage: ")


@pytest.mark.skipif(not JUST.exists(), reason="just is not installed beside this Python")
def test_just_works_from_where_it_is_installed() -> None:
    """Without being on the PATH it lists its recipes, and `area` names the rooms that have tests."""
    assert "area room" in run(JUST).stdout
    ran = run(JUST, "area", "nowhere")
    assert ran.returncode == 2
    assert "tests/unit has no nowhere; it has: buttons/ cli/ " in ran.stderr


def test_every_folder_of_tests_is_described() -> None:
    """CONTRIBUTING says what each folder below tests/ holds, and names none that is not there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`tests/(\w+)`", text))
    tracked = subprocess.run(["git", "ls-files", "tests"], cwd=ROOT, capture_output=True, text=True, check=False)
    folders = {Path(line).parts[1] for line in tracked.stdout.splitlines() if line.count("/") > 1}
    assert not folders or named == folders


def test_folders_of_unit_tests_are_named_after_rooms() -> None:
    """`just area ROOM` finds what a contributor to that room looks for."""
    package = ROOT / "channels" / "agent_channels"
    rooms = {path.name for parent in (package, package / "core") for path in parent.iterdir() if path.is_dir()}
    folders = {path.parent.name for path in (ROOT / "tests" / "unit").glob("*/test_*.py")}
    assert folders <= rooms
