"""Copilot CLI: the files that set-up writes for it, the JSON of its hooks, and when people are asked at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.host.agents.copilot import HOST
from agent_channels.core.host.agents.json_files import server_entry
from agent_channels.core.host.config_files import foreign_server
from agent_channels.core.host.install import add_server
from agent_channels.core.settings.config import Environment
from agent_channels.hooks.hosts import copilot
from agent_channels.hooks.run import HOOKS, run
from agent_channels.registry import channel

FOREIGN = {"type": "command", "command": "notify-send done"}


def environment(project: Path) -> Environment:
    home = {"CLAUDE_PROJECT_DIR": str(project), "HOME": str(project / "home"), "PATH": "/nowhere"}
    return Environment("telegram", {**home, "COPILOT_HOME": str(project / "home" / ".copilot")})


def test_the_server_and_the_hooks_are_written_and_taken_out(tmp_path: Path) -> None:
    """The server where Claude Code reads it too, the hooks in the user's own file; what others wrote there stays."""
    assert HOST.files is not None
    servers, hooks = HOST.files([environment(tmp_path)])
    assert servers.path == tmp_path / ".mcp.json"
    assert hooks.path == tmp_path / ".github" / "copilot" / "settings.local.json"
    before = json.dumps({"model": "x", "hooks": {"Stop": [{"hooks": [FOREIGN]}]}}, indent=2)
    text = hooks.add(before)
    found = json.loads(text)
    assert found["model"] == "x"
    assert found["hooks"]["Stop"][0] == {"hooks": [FOREIGN]}
    commands = [hook["command"] for groups in found["hooks"].values() for group in groups for hook in group["hooks"]]
    ours = [command.split() for command in commands if "channels" in command]
    assert {words[-3] for words in ours} <= set(HOOKS)
    assert {tuple(words[-2:]) for words in ours} == {("--host", "copilot")}
    assert hooks.add(text) == text
    assert json.loads(hooks.remove(text)) == json.loads(before)
    assert hooks.remove(hooks.add("")) == ""


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A project on a machine where this program is on the PATH, as a desktop starts it."""
    program = tmp_path / "bin" / "channels"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    found = environment(tmp_path).environ | {"XDG_RUNTIME_DIR": "/run/user/1000", "PATH": str(program.parent)}
    return Environment("telegram", found)


def test_claude_code_starts_the_same_entry(tmp_path: Path, known: Environment) -> None:
    """Both read one file, which others read too: no path of this machine is in it."""
    assert HOST.files is not None
    text = HOST.files([known])[0].add("")
    assert str(tmp_path) not in text
    assert "/run/user" not in text
    assert foreign_server("telegram", json.loads(text)["mcpServers"]["telegram"], "telegram", known.environ) == ""


def test_the_entry_that_is_there_for_claude_code_stays(known: Environment) -> None:
    """Others have it too, and both hosts fill in its variables; one that has the server connect elsewhere goes."""
    assert HOST.files is not None
    add_server(channel("telegram"), known)
    (file, _) = HOST.files([known])
    text = file.path.read_text()
    assert "${TELEGRAM_BOT_TOKEN:-}" in text
    assert file.add(text) == text
    evil = text.replace("${TELEGRAM_API_ROOT:-}", "https://evil.example")
    assert evil not in {text, file.add(evil)}
    assert "evil" not in file.add(evil)


def test_where_this_users_folders_are_is_no_setting_of_a_strangers(known: Environment) -> None:
    """Earlier versions entered them, and such an entry is known; one with another folder is not."""
    assert HOST.files is not None
    entry = server_entry(known)
    assert entry["env"]["XDG_RUNTIME_DIR"] == "/run/user/1000"
    (file, _) = HOST.files([known])
    text = json.dumps({"mcpServers": {"telegram": entry}})
    assert file.add(text) == text
    other = known.environ | {"XDG_RUNTIME_DIR": "/run"}
    assert "XDG_RUNTIME_DIR" in str(foreign_server("telegram", entry, "telegram", other))


@pytest.mark.parametrize(
    ("own", "understood"),
    [
        (
            {"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "Bash", "tool_input": {"command": "ls"}},
            {"hook_event_name": "PreToolUse", "session_id": "s", "tool_name": "Bash", "tool_input": {"command": "ls"}},
        ),
        (
            {"hookName": "permissionRequest", "sessionId": "s", "toolName": "bash", "toolInput": {"command": "ls"}},
            {
                "hook_event_name": "PermissionRequest",
                "session_id": "s",
                "tool_name": "Bash",
                "tool_input": {"command": "ls"},
            },
        ),
        ({"hookName": "permissionRequest", "toolName": "telegram/reply"}, {"tool_name": "mcp__telegram__reply"}),
        ({"hook_event_name": "PreToolUse", "tool_name": "telegram-reply"}, {"tool_name": "mcp__telegram__reply"}),
        ({"hook_event_name": "PreToolUse", "tool_name": "some-other-tool"}, {"tool_name": "some-other-tool"}),
        ({"hook_event_name": "PostToolUse"}, {"hook_event_name": "PostToolBatch"}),
        ({"hook_event_name": "Notification", "sessionId": "s"}, {"hook_event_name": "Notification", "session_id": "s"}),
    ],
)
def test_what_it_says_is_understood(own: dict[str, Any], understood: dict[str, Any]) -> None:
    """Its two spellings, and its names of tools, become those of Claude Code."""
    assert understood.items() <= copilot.event(own).items()


def test_what_it_reads() -> None:
    """Answers are flat: a reason to go on, a decision, or context."""
    assert copilot.answer("Stop", {"additionalContext": "go on"}) == {"decision": "block", "reason": "go on"}
    denied = {"behavior": "deny", "message": "no"}
    assert copilot.answer("PermissionRequest", {"decision": denied}) == denied
    assert copilot.answer("PostToolBatch", {"additionalContext": "news"}) == {"additionalContext": "news"}


def test_a_host_that_asks_for_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its options, or by its variable."""
    monkeypatch.delenv("COPILOT_ALLOW_ALL", raising=False)
    assert not copilot.allows_all(["copilot", "-p", "--allow-tool=shell"])
    assert copilot.allows_all(["copilot", "--yolo"])
    monkeypatch.setenv("COPILOT_ALLOW_ALL", "true")
    assert copilot.allows_all(["copilot"])


def test_the_doctor_says_whether_the_folder_is_trusted(tmp_path: Path) -> None:
    """Copilot runs no hook of a project before."""
    env = environment(tmp_path)
    check = HOST.checks["folder trust"]
    assert check(env).state == "note"
    config = tmp_path / "home" / ".copilot" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"trusted_folders": [str(tmp_path.resolve())]}))
    assert check(env).state == "ok"
    # As version 1.0.102 writes it.
    managed = "// User settings belong in settings.json.\n// This file is managed automatically.\n"
    config.write_text(managed + json.dumps({"trustedFolders": [str(tmp_path.resolve())]}, indent=2))
    assert check(env).state == "ok"
    config.write_text(managed + json.dumps({"trustedFolders": ["/elsewhere"]}))
    assert "does not say so" in check(env).evidence
    config.write_text("[]")
    assert check(env).state == "note"


def test_claude_codes_hooks_are_silent_under_copilot(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """It runs those of .claude/settings.local.json too; there they have no effect."""
    import argparse
    import io

    monkeypatch.setenv("COPILOT_PROJECT_DIR", "/somewhere")
    monkeypatch.delenv("CLAUDE_PID", raising=False)
    unread = io.StringIO("{}")
    monkeypatch.setattr("sys.stdin", unread)
    assert run(argparse.Namespace(hook="stop", host=None)) == 0
    assert unread.tell() == 0
    assert capsys.readouterr().out == ""
