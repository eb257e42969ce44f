"""What every folder of tests shares: figures noted on the way, and processes that coverage does not follow."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

TABLES = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Writes a line into a table that is printed at the end of the run."""
    tables = request.config.stash.setdefault(TABLES, {})

    def write(table: str, line: str) -> None:
        tables.setdefault(table, []).append(line)

    return write


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes start as fast and as small as they are for people: measuring coverage doubles both."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table, lines in config.stash.get(TABLES, {}).items():
        terminalreporter.section(table)
        for line in lines:
            terminalreporter.write_line(line)
