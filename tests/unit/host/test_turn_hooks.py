"""The hooks that call running servers: for exactly the servers that the host starts, and never in an older host."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.host.hook_call import EVENTS, HookCall
from agent_channels.core.host.install import add_hooks, hooks_file, turn_hooks
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


def without_commands(path: Path) -> dict[str, Any]:
    """The groups by event that hold none of our commands."""
    groups = {
        event: [group for group in groups if " hook " not in str(group["hooks"][0].get("command"))]
        for event, groups in written(path).items()
    }
    return {event: found for event, found in groups.items() if found}


def test_the_plugin_brings_the_same_hooks() -> None:
    """hooks/turns.json names the plugin's servers, and is what `channels setup` writes for a project's."""
    shipped = json.loads((ROOT / "hooks" / "turns.json").read_text())["hooks"]
    assert shipped == turn_hooks([f"plugin:agent-channels:{name}" for name in CHANNELS])
    assert json.loads((ROOT / ".claude-plugin" / "plugin.json").read_text())["hooks"] == "./hooks/turns.json"


def test_one_entry_an_event_and_server(env: Environment) -> None:
    """Written beside what others wrote; a second time nothing changes; a server that is gone leaves no entry."""
    path = hooks_file(env)
    path.parent.mkdir()
    path.write_text(json.dumps({"permissions": {"allow": []}, "hooks": {"Stop": [{"hooks": [FOREIGN]}]}}))
    assert "now" in add_hooks(env, ["telegram", "discord"])
    hooks = without_commands(path)
    assert set(hooks) == {*EVENTS, "Stop"}
    for event in EVENTS:
        (group,) = hooks[event]
        assert [entry["server"] for entry in group["hooks"]] == ["telegram", "discord"]
        assert all(entry["input"]["event"] == event for entry in group["hooks"])
    assert "already" in add_hooks(env, ["telegram", "discord"])
    add_hooks(env, ["phone"])
    called = without_commands(path)
    assert {entry["server"] for event in EVENTS for group in called[event] for entry in group["hooks"]} == {"phone"}
    add_hooks(env, [])
    assert without_commands(path) == {"Stop": [{"hooks": [FOREIGN]}]}
    assert json.loads(path.read_text())["permissions"] == {"allow": []}


def test_without_a_server_none_is_called(env: Environment) -> None:
    """A project whose host starts none of our servers gets the commands alone."""
    add_hooks(env, [])
    assert without_commands(hooks_file(env)) == {}


def test_hooks_leave_the_settings_that_are_shared(env: Environment) -> None:
    """What an earlier version wrote into settings.json moves to the user's own file; what others wrote there stays."""
    add_hooks(env, [])
    local = hooks_file(env)
    shared = local.with_name("settings.json")
    hooks = written(local)
    local.unlink()
    hooks["Stop"].append({"hooks": [FOREIGN]})
    shared.write_text(json.dumps({"model": "x", "hooks": hooks}))
    assert f"{shared} has none of them any more" in add_hooks(env, [])
    assert json.loads(shared.read_text()) == {"model": "x", "hooks": {"Stop": [{"hooks": [FOREIGN]}]}}
    assert "Stop" in written(local)
    assert "any more" not in add_hooks(env, [])


def test_the_prompt_command_goes_where_servers_are_called(env: Environment) -> None:
    """What a running server does, no process is started for; in an older host the command is there as before."""
    add_hooks(env, [])
    hooks = written(hooks_file(env))
    hooks["UserPromptSubmit"].append({"hooks": [FOREIGN]})
    hooks_file(env).write_text(json.dumps({"hooks": hooks}))
    add_hooks(env, ["telegram"])
    assert written(hooks_file(env))["UserPromptSubmit"][0] == {"hooks": [FOREIGN]}
    assert " hook prompt" not in hooks_file(env).read_text()
    add_hooks(env, [])
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
