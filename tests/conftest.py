"""What every folder of tests shares: figures noted on the way, and processes that coverage does not follow."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from harness import World
from measured import FOLLOWED
from warm import Warm

# These are about how processes start, or how large they are: theirs are started from nothing.
COLD = {
    "bench",
    "browser",
    "sandbox",
    "test_fire_host.py",
    "test_hosts_bell.py",
    "test_hosts_transparent.py",
    "test_wire_first_steps.py",
    "test_wire_handshake.py",
}
MEASURED = {path.rpartition("/")[2] for path in FOLLOWED}
# Whoever runs the tests in a shell's background ignores Ctrl-C, and so would every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
TABLES = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Writes a line into a table that is printed at the end of the run."""
    tables = request.config.stash.setdefault(TABLES, {})

    def write(table: str, line: str) -> None:
        tables.setdefault(table, []).append(line)

    return write


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """One for all tests of a worker."""
    with contextlib.closing(Warm()) as made:
        yield made


@pytest.fixture(autouse=True)
def launcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, warm: Warm) -> None:
    """How a test's processes come about: followed by coverage, from nothing, or by a fork."""
    where = {request.path.name, request.path.parent.name}
    if not MEASURED & where:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            monkeypatch.delenv(name)
        if not COLD & where:
            monkeypatch.setattr(World, "warm", warm)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table, lines in config.stash.get(TABLES, {}).items():
        terminalreporter.section(table)
        for line in lines:
            terminalreporter.write_line(line)
