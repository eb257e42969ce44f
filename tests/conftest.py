"""What every folder of tests shares: figures noted on the way, and processes that coverage does not follow."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

# Measuring doubles a process's start; these go through every verb and every flow once, on each platform.
MEASURED = {"journeys", "test_wire_cli.py", "test_wire_setup.py", "test_hosts_hooks.py", "test_hosts_prompts.py"}
TABLES = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Writes a line into a table that is printed at the end of the run."""
    tables = request.config.stash.setdefault(TABLES, {})

    def write(table: str, line: str) -> None:
        tables.setdefault(table, []).append(line)

    return write


@pytest.fixture(autouse=True)
def unmeasured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes start as fast and as small as they are for people, but where coverage follows into them."""
    if not MEASURED & {request.path.name, request.path.parent.name}:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            monkeypatch.delenv(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for table, lines in config.stash.get(TABLES, {}).items():
        terminalreporter.section(table)
        for line in lines:
            terminalreporter.write_line(line)
