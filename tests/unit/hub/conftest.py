"""A hub on each engine: SQLite in a folder of the test's own, and a database in this process's PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubs import ENGINES, Hub


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short name: a socket's path has a hundred characters at most."""
    with tempfile.TemporaryDirectory(prefix="hub") as name:
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)


@pytest.fixture(params=ENGINES)
def made_hub(request: pytest.FixtureRequest, tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    cluster = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    return Hub.made(request.param, tmp_path / "data", cluster)
