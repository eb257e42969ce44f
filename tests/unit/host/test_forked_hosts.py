"""Gemini CLI and Qwen Code: the settings that set-up writes for them, and the JSON of their hooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.settings.config import Environment
from agent_channels.hooks.hosts import gemini, qwen
from agent_channels.hooks.run import HOOKS

BOTH = pytest.mark.parametrize("name", ["gemini", "qwen"])
FOREIGN = {"type": "command", "command": "notify-send done"}


def settings_file(name: str, project: Path, *channels: str) -> HostFile:
    environ = {"CLAUDE_PROJECT_DIR": str(project), "HOME": str(project), "PATH": "/nowhere"}
    files = AGENT_HOSTS[name].files
    assert files is not None
    (file,) = files([Environment(channel, environ) for channel in channels])
    return file


@BOTH
def test_the_server_and_its_hooks_are_written(name: str, tmp_path: Path) -> None:
    """Beside what others wrote; each hook names the host whose JSON it speaks, and is one that this program has."""
    file = settings_file(name, tmp_path, "telegram", "discord")
    assert file.path == tmp_path / f".{name}" / "settings.json"
    before = json.dumps({"ui": {"theme": "x"}, "hooks": {"SessionStart": [{"hooks": [FOREIGN]}]}}, indent=4)
    text = file.add(before)
    found = json.loads(text)
    assert found["ui"] == {"theme": "x"}
    assert found["hooks"]["SessionStart"][0] == {"hooks": [FOREIGN]}
    for channel in ("telegram", "discord"):
        entry = found["mcpServers"][channel]
        assert entry["args"] == ["serve", channel]
        assert entry["trust"] is True
        assert entry["env"]["CLAUDE_PROJECT_DIR"] == str(tmp_path)
    commands = [hook["command"] for groups in found["hooks"].values() for group in groups for hook in group["hooks"]]
    ours = [command.split() for command in commands if "channels" in command]
    assert {words[-3] for words in ours} <= set(HOOKS)
    assert {tuple(words[-2:]) for words in ours} == {("--host", name)}
    assert file.add(text) == text


@BOTH
def test_the_way_back(name: str, tmp_path: Path) -> None:
    """What others wrote is left byte for byte; a file that holds nothing else is gone."""
    file = settings_file(name, tmp_path, "telegram")
    before = json.dumps({"hooks": {"SessionStart": [{"hooks": [FOREIGN]}]}, "ui": {}}, indent="\t")
    assert json.loads(file.remove(file.add(before))) == json.loads(before)
    assert file.remove(file.add("")) == ""
    assert file.remove(before) == before


@pytest.mark.parametrize(
    ("own", "understood"),
    [
        ({"hook_event_name": "BeforeAgent", "prompt": "hi"}, {"hook_event_name": "UserPromptSubmit", "prompt": "hi"}),
        (
            {"hook_event_name": "AfterAgent", "prompt_response": "done", "stop_hook_active": True},
            {"hook_event_name": "Stop", "last_assistant_message": "done", "stop_hook_active": True},
        ),
        (
            {"hook_event_name": "BeforeTool", "tool_name": "run_shell_command", "tool_input": {"command": "ls"}},
            {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}},
        ),
        (
            {
                "hook_event_name": "AfterTool",
                "tool_name": "mcp_telegram_reply",
                "mcp_context": {"server_name": "telegram", "tool_name": "reply"},
            },
            {"hook_event_name": "PostToolBatch", "tool_name": "mcp__telegram__reply"},
        ),
        (
            {"hook_event_name": "Notification", "notification_type": "ToolPermission", "message": "m"},
            {"hook_event_name": "Notification", "notification_type": "permission_prompt", "message": "m"},
        ),
        ({"hook_event_name": "SessionEnd", "reason": "exit"}, {"hook_event_name": "SessionEnd", "reason": "exit"}),
    ],
)
def test_what_gemini_says_is_understood(own: dict[str, Any], understood: dict[str, Any]) -> None:
    """Its events and tools have the names, and its fields the places, that the hooks know."""
    assert understood.items() <= gemini.event(own).items()


def test_what_gemini_reads() -> None:
    """A turn goes on for a reason; what is added has the event's name in its words."""
    assert gemini.answer("Stop", {"additionalContext": "go on"}) == {"decision": "block", "reason": "go on"}
    added = gemini.answer("PostToolBatch", {"additionalContext": "news"})
    assert added == {"hookSpecificOutput": {"hookEventName": "AfterTool", "additionalContext": "news"}}


def test_qwen_speaks_as_claude_code_but_for_a_turns_end() -> None:
    """Its tools get the names that cards know."""
    asked = {"hook_event_name": "PermissionRequest", "tool_name": "run_shell_command"}
    assert qwen.event(asked) == {"hook_event_name": "PermissionRequest", "tool_name": "Bash"}
    assert qwen.event({"hook_event_name": "Stop"}) == {"hook_event_name": "Stop"}
    assert qwen.answer("Stop", {"additionalContext": "go on"}) == {"decision": "block", "reason": "go on"}
    decision = {"decision": {"behavior": "allow"}}
    assert qwen.answer("PermissionRequest", decision) == {
        "hookSpecificOutput": {"hookEventName": "PermissionRequest", **decision}
    }
