"""A hub on each engine: SQLite in a folder of the test's own, and a database in this process's PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubs import ENGINES, Hub


@pytest.fixture(params=ENGINES)
def made_hub(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    cluster = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    return Hub.made(request.param, tmp_path / "data", cluster)
