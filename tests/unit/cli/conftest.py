"""The command, run in this process, in a project of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_channels.cli import main as command
from harness import Ran


@pytest.fixture(autouse=True)
def _unbroken_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences stay in one piece, so that they can be looked for."""
    monkeypatch.setenv("COLUMNS", "10000")


@pytest.fixture
def channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs `channels WORDS`; the project is the test's folder, and its state lies in `state/`."""
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    for name in ("TELEGRAM_STATE_DIR", "TELEGRAM_BOT_TOKEN", "DISCORD_STATE_DIR", "DISCORD_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> Ran:
        with pytest.raises(SystemExit) as end:
            command.main(words)
        return Ran.of(int(end.value.code or 0), *capsys.readouterr())

    return run
