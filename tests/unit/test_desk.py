"""A contributor's commands: they explain themselves, and are found where the docs say."""

from __future__ import annotations

import json
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


# Each command in a process of its own, forked from one that has imported what most of them need: the product.
EACH = """
import json, os, runpy, sys
import agent_channels.core.services, agent_channels.sandbox.discord.sandbox, agent_channels.sandbox.telegram.sandbox
sys.path[0] = os.getcwd()
for line, out, err in json.loads(sys.argv[1]):
    pid = os.fork()
    if pid == 0:
        for number, name in ((1, out), (2, err)):
            os.dup2(os.open(name, os.O_CREAT | os.O_WRONLY), number)
        sys.argv = line
        runpy.run_module(line[0], run_name="__main__", alter_sys=True)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def run_each(lines: list[list[str]], folder: Path) -> list[tuple[int, str, str]]:
    """Runs `python -m` with each line; (exit code, output, errors)."""
    files = [(folder / f"{number}.out", folder / f"{number}.err") for number in range(len(lines))]
    asked = [(line, str(out), str(err)) for line, (out, err) in zip(lines, files, strict=True)]
    ran = run(sys.executable, "-c", EACH, json.dumps(asked))
    assert ran.stderr == ""
    codes = map(int, ran.stdout.split())
    return [(code, out.read_text(), err.read_text()) for code, (out, err) in zip(codes, files, strict=True)]


@pytest.mark.timeout(300)
def test_help_explains_and_does_nothing(tmp_path: Path) -> None:
    """--help prints a usage and ends; it runs no check, no measurement, and writes nothing."""
    for command, (code, out, err) in zip(
        COMMANDS, run_each([[command, "--help"] for command in COMMANDS], tmp_path), strict=True
    ):
        assert (code, err) == (0, ""), command
        assert out.startswith(f"usage: python -m {command} ")
        assert "$ " not in out


WRONG = [
    ["tests.bench", "many"], ["tests.bench", "0"], ["tests.bench", "1", "nochat"], ["tests.soak", "long"],
    ["tests.bench", "--only", "luck"], ["tests.bench", "1", "slack", "--against", "true"],
    ["tests.bench.trip", "python"], ["tests.support.reference", "docs"],
    ["tests.support.pictures", "nothing"], ["tests.soak.hub", "mysql"], ["tests.support.first_steps", "nothing"],
]  # fmt: skip


@pytest.mark.timeout(300)
def test_wrong_words_are_refused(tmp_path: Path) -> None:
    """Exit code 2 and a usage, no traceback."""
    for line, (code, _, err) in zip(WRONG, run_each(WRONG, tmp_path), strict=True):
        assert (line, code, err[:7]) == (line, 2, "usage: ")


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
