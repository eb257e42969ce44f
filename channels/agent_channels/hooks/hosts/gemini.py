"""Gemini CLI's hook JSON, as of 0.61.0: its own names for events and tools, and a turn that goes on for a reason."""

from __future__ import annotations

from typing import Any

__all__ = ["CONTEXT_MAX", "SESSION_RULES", "STEPS", "STOPS_AT_ONCE", "answer", "event"]

# It takes no rules from a hook.
SESSION_RULES = False
CONTEXT_MAX = 9_000
STEPS = True
# A tool that is refused with the word to stop is the last that its hooks are told of.
STOPS_AT_ONCE = True

_EVENTS = {
    "BeforeAgent": "UserPromptSubmit",
    "AfterAgent": "Stop",
    "BeforeTool": "PreToolUse",
    "AfterTool": "PostToolBatch",
}
_NAMES = {ours: own for own, ours in _EVENTS.items()}
# Those whose input has the same fields as Claude Code's.
_TOOLS = {"run_shell_command": "Bash", "write_file": "Write", "replace": "Edit", "read_file": "Read"}


def event(values: dict[str, Any]) -> dict[str, Any]:
    """Return an event as Claude Code would write it."""
    own = values.get("hook_event_name")
    found = {**values, "hook_event_name": _EVENTS.get(str(own), own)}
    if own == "AfterAgent":
        found["last_assistant_message"] = values.get("prompt_response")
    if own == "Notification" and values.get("notification_type") == "ToolPermission":
        found["notification_type"] = "permission_prompt"
    tool, server = values.get("tool_name"), values.get("mcp_context")
    if isinstance(server, dict):
        found["tool_name"] = f"mcp__{server.get('server_name')}__{server.get('tool_name')}"
    elif isinstance(tool, str):
        found["tool_name"] = _TOOLS.get(tool, tool)
    return found


def answer(event_name: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the host reads for our answer to an event; None for one that it does not take."""
    if event_name == "Stop":
        return {"decision": "block", "reason": fields.get("additionalContext", "")}
    return {"hookSpecificOutput": {"hookEventName": _NAMES.get(event_name, event_name), **fields}}
