"""The hooks that call running servers: for exactly the servers that the host starts, and never in an older host."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.host.hook_call import EVENTS, HookCall
from agent_channels.core.host.install import add_hooks, add_turn_hooks, hooks_file, turn_hooks, turn_hooks_file
from agent_channels.core.host.version import takes_turn_hooks
from agent_channels.core.settings.config import Environment
from agent_channels.registry import CHANNELS

ROOT = Path(__file__).parents[3]
FOREIGN = {"type": "command", "command": "notify-send done"}


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment("telegram", {"CLAUDE_PROJECT_DIR": str(tmp_path), "HOME": str(tmp_path)})


def written(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["hooks"]
    return found


def test_the_plugin_brings_the_same_hooks() -> None:
    """hooks/turns.json names the plugin's servers, and is what `channels setup` writes for a project's."""
    shipped = json.loads((ROOT / "hooks" / "turns.json").read_text())["hooks"]
    assert shipped == turn_hooks([f"plugin:agent-channels:{name}" for name in CHANNELS])
    assert json.loads((ROOT / ".claude-plugin" / "plugin.json").read_text())["hooks"] == "./hooks/turns.json"


def test_one_entry_an_event_and_server(env: Environment) -> None:
    """Written beside what others wrote; a second time nothing changes; a server that is gone leaves no entry."""
    path = turn_hooks_file(env)
    path.parent.mkdir()
    path.write_text(json.dumps({"permissions": {"allow": []}, "hooks": {"Stop": [{"hooks": [FOREIGN]}]}}))
    assert "now" in add_turn_hooks(env, ["telegram", "discord"])
    hooks = written(path)
    assert set(hooks) == {*EVENTS, "Stop"}
    for event in EVENTS:
        (group,) = hooks[event]
        assert [entry["server"] for entry in group["hooks"]] == ["telegram", "discord"]
        assert all(entry["input"]["event"] == event for entry in group["hooks"])
    assert "already" in add_turn_hooks(env, ["telegram", "discord"])
    add_turn_hooks(env, ["phone"])
    assert {entry["server"] for event in EVENTS for group in written(path)[event] for entry in group["hooks"]} == {
        "phone"
    }
    add_turn_hooks(env, [])
    assert written(path) == {"Stop": [{"hooks": [FOREIGN]}]}
    assert json.loads(path.read_text())["permissions"] == {"allow": []}


def test_without_a_server_nothing_is_written(env: Environment) -> None:
    """A project whose host starts none of our servers gets no file."""
    assert "already" in add_turn_hooks(env, [])
    assert not turn_hooks_file(env).exists()


def test_the_prompt_command_goes_where_servers_are_called(env: Environment) -> None:
    """What a running server does, no process is started for; in an older host the command is there as before."""
    add_hooks(env, calls_servers=False)
    hooks = written(hooks_file(env))
    hooks["UserPromptSubmit"].append({"hooks": [FOREIGN]})
    hooks_file(env).write_text(json.dumps({"hooks": hooks}))
    add_hooks(env, calls_servers=True)
    assert written(hooks_file(env))["UserPromptSubmit"] == [{"hooks": [FOREIGN]}]
    add_hooks(env, calls_servers=False)
    commands = [e["command"] for group in written(hooks_file(env))["UserPromptSubmit"] for e in group["hooks"]]
    assert sum(command.endswith(" hook prompt") for command in commands) == 1


@pytest.mark.parametrize(
    ("says", "takes"),
    [
        ("2.1.117 (Claude Code)", False), ("1.0.128 (Claude Code)", False), ("2.1.118 (Claude Code)", True),
        ("2.1.328 (Claude Code)", True), ("3.0.0", True), ("nothing to see", True), ("", True),
    ],
)  # fmt: skip
def test_an_older_host_is_recognised(tmp_path: Path, says: str, takes: bool) -> None:
    """By the version that its program says, with no credential in its environment."""
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/env\necho '{says}'\n")
    program.chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TELEGRAM_BOT_TOKEN": "never"}
    assert takes_turn_hooks(str(program), environ) is takes
    assert "never" not in (tmp_path / "env").read_text()


def test_a_host_that_cannot_be_asked_counts_as_current(tmp_path: Path) -> None:
    """None is installed yet, or its program does not run."""
    assert takes_turn_hooks(None, {})
    assert takes_turn_hooks("", {})
    assert takes_turn_hooks(str(tmp_path / "missing"), {})


@pytest.mark.parametrize("todos", ["", "null", "[1]", '{"a": 1}', "[" * 5000, '[{"content": 7}]'])
def test_a_plan_that_is_none_is_empty(todos: str) -> None:
    """Whatever a host fills in."""
    call = HookCall.of({"event": "PreToolUse", "todos": todos})
    assert call is not None
    assert call.todo_list() == []
