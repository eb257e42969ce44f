"""The setting `start`: a command that asks for permissions, written as words or as a list, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.start_command import checked_start
from agent_channels.core.settings.state_folder import make_state_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_state_folder(tmp_path / "state")


def settings(folder: Path, yaml: str) -> Settings:
    (folder / "config.yaml").write_text(yaml, encoding="utf-8")
    return load(Settings, Environment("sample", {"SAMPLE_STATE_DIR": str(folder)}))


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("", None),
        ("start:", None),
        ("start: claude", ("claude",)),
        ("start: claude --model 'opus 5'", ("claude", "--model", "opus 5")),
        ("start: [/opt/codex, --ask-for-approval, on-request]", ("/opt/codex", "--ask-for-approval", "on-request")),
        ("start: [claude, never delete anything]", ("claude", "never delete anything")),
        ("start: claude --dangerously-load-development-channels server:x", None),
    ],
)
def test_off_by_default_and_words_or_a_list(folder: Path, yaml: str, words: tuple[str, ...] | None) -> None:
    """What is not written starts nothing; the flag that shows channels skips no permission."""
    found = settings(folder, yaml).start
    assert found == (words or (found if "development" in yaml else None))
    assert settings(folder, yaml).start_mode == "default"


@pytest.mark.parametrize(
    "command",
    [
        "claude --dangerously-skip-permissions",
        "claude --allow-dangerously-skip-permissions",
        """claude --settings '{"permissions": {"defaultMode": "bypassPermissions"}}'""",
        "sh -c 'exec claude --dangerously-skip-permissions'",
        "codex --dangerously-bypass-approvals-and-sandbox",
        "codex --sandbox danger-full-access",
        "codex --full-auto",
        "codex --ask-for-approval never",
        "codex -c approval_policy=never",
        """codex -c 'approval_policy="never"'""",
        "gemini --yolo",
        "gemini --approval-mode=yolo",
        "gemini -y",
        "cursor-agent --force",
    ],
)
def test_no_host_is_started_that_asks_for_nothing(folder: Path, command: str) -> None:
    """Whatever each host calls it, also inside another word; the error names the word."""
    with pytest.raises(ConfigError, match=r"'start'.* starts a host that asks for no permission"):
        settings(folder, f"start: {command!r}" if '"' not in command else f"start: >-\n  {command}\n")


@pytest.mark.parametrize("mode", ["bypassPermissions", "auto", "never"])
def test_no_mode_that_bypasses(folder: Path, mode: str) -> None:
    """The setting takes the modes that ask, and names the value that it refuses."""
    with pytest.raises(ConfigError, match=f"'start_mode' is '{mode}'"):
        settings(folder, f"start: claude\nstart_mode: {mode}")
    assert settings(folder, "start: claude\nstart_mode: acceptEdits").start_mode == "acceptEdits"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("claude --permission-mode plan", "start_mode"),
        ("claude --permission-mode=plan", "start_mode"),
        ("./run.sh", "project's files"),
        ("bin/claude", "project's files"),
        ("'claude", "quotation"),
        ({"command": "claude"}, "list of its words"),
        (["claude", 1], "list of its words"),
        ([], "such as claude"),
        (["claude", "a\0b"], "such as claude"),
        (True, "list of its words"),
    ],
)
def test_what_cannot_be_meant_is_refused(setting: object, reason: str) -> None:
    """With what would be right: a mode in two places, a path that a repository could fill, what is no command."""
    with pytest.raises(ValueError, match=reason):
        checked_start(setting)
