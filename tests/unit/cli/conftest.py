"""The command, run in this process, in a project of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent_channels.cli import main as command
from harness import Ran


@pytest.fixture(autouse=True)
def _unbroken_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences stay in one piece and in English, so that they can be looked for."""
    monkeypatch.setenv("COLUMNS", "10000")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    # Set back when the test ends, whatever was chosen.
    monkeypatch.setattr("agent_channels.cli.language._language", None)


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
