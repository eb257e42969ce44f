"""What every folder of tests shares: figures noted on the way, and how the servers of the tests are started."""

from __future__ import annotations

import contextlib
import gc
import signal
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from harness import World
from postgres import Cluster, running_cluster
from warm import Warm

# Always the same examples, and half of the usual hundred where a test does not name a number.
settings.register_profile("complete", settings.get_profile("ci"), max_examples=50)
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


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for all tests of a worker."""
    with running_cluster() as made:
        yield made


@pytest.fixture(autouse=True)
def launcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, warm: Warm) -> None:
    """Choose how the test starts processes: `cold` from nothing, any other by forking."""
    if not request.node.get_closest_marker("cold"):
        monkeypatch.setattr(World, "warm", warm)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no search for garbage goes through it again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table, lines in config.stash.get(TABLES, {}).items():
        terminalreporter.section(table)
        for line in lines:
            terminalreporter.write_line(line)
