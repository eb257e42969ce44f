"""What "allow for this session" tells a host: rules of its own, which hold until the session ends.

Never wider than one command, one file, or what the host itself suggests for this tool; a mode is never changed.
Measured on Claude Code 2.1.328: a rule that is a whole command lets exactly that command through, and the rule
`Edit(//path)` lets every tool that edits files change that one.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any

from agent_channels.core.patterns import lazy_pattern

__all__ = ["EDIT_TOOLS", "Rule", "permission_update", "session_rules"]

# The tools that change a file, with the argument that names it.
EDIT_TOOLS = {"Edit": "file_path", "MultiEdit": "file_path", "Write": "file_path", "NotebookEdit": "notebook_path"}
Rule = dict[str, str]
# In a rule a star stands for anything. Of pipes, files that are written to and commands in the background, the host
# checks each part on its own, so a rule for the whole command does not hold.
_NOT_ONE_COMMAND = lazy_pattern(r"[*|<>\x00]|(?<!&)&(?!&)|^\s|\s$")
# Rules for files are patterns as in .gitignore.
_PATTERN = lazy_pattern(r"[*?\[\]{}\\\x00-\x1f]|\s$")


def session_rules(tool: str, tool_input: object, suggestions: object, folder: Path) -> list[Rule]:
    """Return the rules that allow this for the session; none where no narrow rule would hold.

    `suggestions` are the host's `permission_suggestions`; a host that suggests nothing wants to be asked each time.
    `folder` is the session's.
    """
    if not isinstance(suggestions, list) or not suggestions or not isinstance(tool_input, dict):
        return []
    found = [suggestion for suggestion in suggestions if isinstance(suggestion, dict)]
    if tool == "Bash":
        command = tool_input.get("command")
        if not isinstance(command, str) or _NOT_ONE_COMMAND.search(command) or _leaves(found, folder):
            return []
        return [{"toolName": tool, "ruleContent": command}] if command else []
    if tool in EDIT_TOOLS:
        path = tool_input.get(EDIT_TOOLS[tool])
        return [{"toolName": "Edit", "ruleContent": f"/{path}"}] if _is_plain(path, folder) else []
    return _suggested(tool, found)


def permission_update(rules: list[Rule]) -> dict[str, Any]:
    """Return the rules as an entry of a decision's `updatedPermissions`."""
    return {"type": "addRules", "rules": rules, "behavior": "allow", "destination": "session"}


def _leaves(suggestions: list[dict[str, Any]], folder: Path) -> bool:
    """Return whether a command touches files outside the folder, which the host asks for whatever the rules say."""
    root = os.path.realpath(folder)
    directories = [one for s in suggestions if isinstance(named := s.get("directories"), list) for one in named]
    return any(not Path(os.path.realpath(str(one))).is_relative_to(root) for one in directories)


def _is_plain(path: object, folder: Path) -> bool:
    """Return whether a rule can name a file. The host asks for hidden ones (.git, .claude) whatever the rules say."""
    if not isinstance(path, str) or not path.startswith("/") or _PATTERN.search(path):
        return False
    pure = PurePath(path)
    inside = pure.relative_to(folder) if pure.is_relative_to(folder) else pure
    return not any(part.startswith(".") for part in inside.parts)


def _suggested(tool: str, suggestions: list[dict[str, Any]]) -> list[Rule]:
    """Return the rules that the host suggests, if all of them allow this tool and nothing else."""
    rules: list[Rule] = []
    for suggestion in suggestions:
        named = suggestion.get("rules")
        if suggestion.get("type") != "addRules" or suggestion.get("behavior") != "allow" or not isinstance(named, list):
            return []
        for rule in named:
            if not isinstance(rule, dict) or rule.get("toolName") != tool:
                return []
            content = rule.get("ruleContent")
            if content is not None and not isinstance(content, str):
                return []
            rules.append({"toolName": tool} if content is None else {"toolName": tool, "ruleContent": content})
    return rules
