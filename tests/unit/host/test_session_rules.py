"""What a host is told to allow for the session is one command, one file, or what it suggested for this tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.host.session_rules import permission_update, session_rules

RULES = {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "npm test *"}], "behavior": "allow",
         "destination": "localSettings"}  # fmt: skip
MODE = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}


def bash(command: object, *suggestions: Any, folder: Path = Path("/p")) -> list[dict[str, str]]:
    return session_rules("Bash", {"command": command}, list(suggestions), folder)


@pytest.mark.parametrize("suggestion", [RULES, MODE])
def test_a_command_is_allowed_as_it_stands(suggestion: dict[str, Any]) -> None:
    """Never the wider rule, nor the mode, that the host suggests."""
    assert bash("npm test", suggestion) == [{"toolName": "Bash", "ruleContent": "npm test"}]
    assert bash("cd a && npm test", suggestion) == [{"toolName": "Bash", "ruleContent": "cd a && npm test"}]


@pytest.mark.parametrize(
    "command",
    [
        "rm *.log",
        "npm test:*",
        "npm test | tail",
        "echo x > f",
        "cat <<E\nx\nE",
        "npm test &",
        " npm test",
        "x\n",
        "",
        5,
    ],
)
def test_a_command_that_a_rule_cannot_name_is_asked_each_time(command: object) -> None:
    """A star would allow more, and a rule for a pipe or a redirection does not hold."""
    assert bash(command, RULES) == []


def test_a_command_outside_the_folder_is_asked_each_time(tmp_path: Path) -> None:
    """The host asks again for files elsewhere, whatever the rules say."""
    inside = {"type": "addDirectories", "directories": [str(tmp_path / "a")], "destination": "session"}
    outside = {"type": "addDirectories", "directories": ["/etc"], "destination": "session"}
    assert bash("touch a/b", inside, MODE, folder=tmp_path)
    assert bash("touch /etc/b", outside, MODE, folder=tmp_path) == []


@pytest.mark.parametrize("tool", ["Edit", "MultiEdit", "Write", "NotebookEdit"])
def test_an_edit_is_allowed_for_its_file(tool: str) -> None:
    """The host's rule for all tools that edit, for this one file, and never the mode that it suggests."""
    given = {"notebook_path" if tool == "NotebookEdit" else "file_path": "/p/src/a (1).py"}
    assert session_rules(tool, given, [MODE], Path("/p")) == [{"toolName": "Edit", "ruleContent": "//p/src/a (1).py"}]


@pytest.mark.parametrize(
    "path", ["/p/a*.py", "/p/[x]", "/p/a?.py", "/p/{a}.py", "/p/a\\b", "/p/.git/x", "/p/.env", "a.py", "/p/../q", 1]
)  # fmt: skip
def test_a_file_that_a_rule_cannot_name_is_asked_each_time(path: object) -> None:
    """Patterns, hidden files, which the host protects, and what is no whole path."""
    assert session_rules("Write", {"file_path": path}, [MODE], Path("/p")) == []


def test_any_other_tool_has_the_rules_that_its_host_suggests() -> None:
    """Only if all of them allow this tool; a rule's other fields are left out."""
    web = {"toolName": "WebFetch", "ruleContent": "domain:example.com"}
    suggestion = {**RULES, "rules": [{**web, "more": 1}]}
    assert session_rules("WebFetch", {}, [suggestion], Path("/p")) == [web]
    assert session_rules("WebSearch", {}, [{**RULES, "rules": [{"toolName": "WebSearch"}]}], Path("/p")) == [
        {"toolName": "WebSearch"}
    ]
    for other in (
        MODE,
        RULES,
        {**suggestion, "behavior": "deny"},
        {**suggestion, "rules": [5]},
        {**suggestion, "rules": 5},
    ):
        assert session_rules("WebFetch", {}, [suggestion, other], Path("/p")) == []


@pytest.mark.parametrize("suggestions", [None, [], "x", {}])
def test_a_host_that_suggests_nothing_is_told_nothing(suggestions: object) -> None:
    """An older host, another one, or a request that it wants to ask each time."""
    assert session_rules("Bash", {"command": "npm test"}, suggestions, Path("/p")) == []


def test_rules_end_with_the_session() -> None:
    """Whatever destination the host suggested."""
    update = permission_update([{"toolName": "Bash", "ruleContent": "x"}])
    assert update == {
        "type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "x"}], "behavior": "allow",
        "destination": "session",
    }  # fmt: skip
