"""A world per test, and the figures of the whole folder as tables at the end of the run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faults_harness import Note, world
from harness import Stage

TABLES = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with world(tmp_path / "world") as made:
        yield made


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Writes a line into a table that is printed at the end of the run."""
    tables = request.config.stash.setdefault(TABLES, {})

    def write(table: str, line: str) -> None:
        tables.setdefault(table, []).append(line)

    return write


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table, lines in config.stash.get(TABLES, {}).items():
        terminalreporter.section(table)
        for line in lines:
            terminalreporter.write_line(line)
