"""Copilot CLI's hook JSON, as of 1.0.102: most events as Claude Code has them, two spelled otherwise, flat answers."""

from __future__ import annotations

from typing import Any

from agent_channels.core.settings.paths import env_value
from agent_channels.registry import CHANNELS

__all__ = [
    "ASKS_FIRST",
    "CONTEXT_MAX",
    "ENDS_TURNS",
    "SESSION_RULES",
    "STEPS",
    "allows_all",
    "answer",
    "event",
]

# It takes no rules from a hook.
SESSION_RULES = False
# It cuts what is added after a tool at 10 KB; a character may have three bytes.
CONTEXT_MAX = 3_000
STEPS = True
# A tool can be refused, but no hook ends the turn.
ENDS_TURNS = False
# Its hooks are asked before its own rules are, also for what the user has allowed.
ASKS_FIRST = True

_ALLOW_ALL = {"--allow-all-tools", "--allow-all", "--yolo"}
_FIELDS = {"sessionId": "session_id", "toolName": "tool_name", "toolInput": "tool_input"}
_TOOLS = {"bash": "Bash", "powershell": "Bash", "create": "Write", "edit": "Edit", "view": "Read"}


def event(values: dict[str, Any]) -> dict[str, Any]:
    """Return an event as Claude Code would write it."""
    found = {_FIELDS.get(name, name): value for name, value in values.items()}
    if found.pop("hookName", None) == "permissionRequest":
        found["hook_event_name"] = "PermissionRequest"
    if found.get("hook_event_name") == "PostToolUse":
        found["hook_event_name"] = "PostToolBatch"
    if isinstance(tool := found.get("tool_name"), str):
        found["tool_name"] = _tool(tool)
    return found


def answer(event_name: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the host reads for our answer to an event."""
    if event_name == "Stop":
        return {"decision": "block", "reason": fields.get("additionalContext", "")}
    if event_name == "PermissionRequest":
        return dict(fields["decision"])
    return fields


def allows_all(options: list[str]) -> bool:
    """Return whether the host asks its user for nothing."""
    return not _ALLOW_ALL.isdisjoint(options) or env_value("COPILOT_ALLOW_ALL") is not None


def _tool(name: str) -> str:
    """Return a tool's name as Claude Code has it; those of a server are SERVER/TOOL or, for ours alone, SERVER-TOOL."""
    server, separator, tool = name.partition("/")
    if not separator:
        server, separator, tool = name.partition("-")
        separator = separator if server in CHANNELS else ""
    return f"mcp__{server}__{tool}" if separator else _TOOLS.get(name, name)
