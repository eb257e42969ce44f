"""Kimi Code: the files that set-up writes for it, the user's configuration among them, and the JSON of its hooks."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.agents.kimi import COMMANDS, HOST
from agent_channels.core.settings.config import Environment
from agent_channels.hooks.hosts import kimi
from agent_channels.hooks.run import HOOKS

FOREIGN = (
    '# mine\ndefault_model = "x"\n\n# when it is done\n[[hooks]]\n# loud\nevent = "Stop"\n'
    'command = "notify-send done"\n\n# another\n[other]\na = 1\n'
)


def hooks_file(tmp_path: Path) -> HostFile:
    environ = {"CLAUDE_PROJECT_DIR": str(tmp_path / "project"), "HOME": str(tmp_path), "PATH": "/nowhere"}
    assert HOST.files is not None
    servers, hooks = HOST.files([Environment("telegram", environ)])
    assert servers.path == tmp_path / "project" / ".kimi-code" / "mcp.json"
    assert hooks.path == tmp_path / ".kimi-code" / "config.toml"
    return hooks


def test_the_hooks_are_written_beside_others(tmp_path: Path) -> None:
    """Each is an event, a command that names the host, and a bound; what others wrote there stays, comments too."""
    file = hooks_file(tmp_path)
    text = file.add(FOREIGN)
    found = tomllib.loads(text)
    assert text.startswith(FOREIGN)
    assert (found["default_model"], found["other"]) == ("x", {"a": 1})
    assert found["hooks"][0] == {"event": "Stop", "command": "notify-send done"}
    ours = found["hooks"][1:]
    assert [hook["event"] for hook in ours] == list(COMMANDS)
    # More than these, or a longer bound, and the whole file is refused.
    assert all(set(hook) == {"event", "command", "timeout"} and 1 <= hook["timeout"] <= 600 for hook in ours)
    words = [hook["command"].split() for hook in ours]
    assert {tuple(one[-2:]) for one in words} == {("--host", "kimi")}
    assert {one[-3] for one in words} <= set(HOOKS)
    assert file.add(text) == text


def test_what_is_out_of_date_is_replaced(tmp_path: Path) -> None:
    """A hook of ours with another bound is brought up to date, once."""
    file = hooks_file(tmp_path)
    text = file.add("")
    old = text.replace("timeout = 600", "timeout = 30")
    assert old != text
    assert file.add(old) == text


def test_the_way_back(tmp_path: Path) -> None:
    """What others wrote is left, byte for byte; a file that holds nothing else is gone."""
    file = hooks_file(tmp_path)
    assert file.remove(file.add(FOREIGN)) == FOREIGN
    theirs = '\n# later\n[[hooks]]\nevent = "Stop"\ncommand = "say bye"\n'
    assert file.remove(file.add(FOREIGN) + theirs) == FOREIGN + theirs
    assert file.remove(file.add("")) == ""
    assert file.remove(FOREIGN) == FOREIGN


def test_a_list_of_hooks_on_one_line(tmp_path: Path) -> None:
    """An empty one makes way for ours, and one with hooks is written as tables: they mean the same."""
    file = hooks_file(tmp_path)
    for text, hooks in (
        ("hooks = []\n", []),
        ('hooks = [{ event = "Stop", command = "x" }]\n', [{"event": "Stop", "command": "x"}]),
    ):
        assert tomllib.loads(file.add(text))["hooks"][: len(hooks)] == hooks
        assert tomllib.loads(file.remove(file.add(text))).get("hooks", []) == hooks


@pytest.mark.parametrize("text", ["hooks = 1", "hooks = [1]", "hooks ="])
def test_a_file_that_cannot_be_read_is_left_to_its_owner(tmp_path: Path, text: str) -> None:
    """And is named."""
    with pytest.raises(ConfigError, match=r"config\.toml"):
        hooks_file(tmp_path).add(text)


def test_what_it_says_and_reads() -> None:
    """A prompt in parts is its words; a permission is a dialog at the terminal; answers are words, or a refusal."""
    prompt = {"hook_event_name": "UserPromptSubmit", "prompt": [{"type": "text", "text": "Do it."}, {"type": "image"}]}
    assert kimi.event(prompt)["prompt"] == "Do it."
    asked = kimi.event({"hook_event_name": "PermissionRequest", "tool_name": "Bash"})
    assert (asked["notification_type"], asked["message"]) == ("permission_prompt", "Bash asks for permission")
    assert kimi.answer("Stop", {"additionalContext": "go on"}) == {
        "hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": "go on"}
    }
    assert kimi.answer("UserPromptSubmit", {"additionalContext": "news"}) == {"message": "news"}
    assert kimi.answer("SessionStart", {"additionalContext": "news"}) is None
