"""Qwen Code's hook JSON, as of 0.24.4: Claude Code's, but a turn goes on for a reason, and tools have other names."""

from __future__ import annotations

from typing import Any

__all__ = ["CONTEXT_MAX", "SESSION_RULES", "STEPS", "WAIT_MAX_S", "answer", "event"]

# It takes no rules from a hook.
SESSION_RULES = False
CONTEXT_MAX = 9_000
STEPS = True
# After 60 s it goes on without an answer, and after a turn's end with an error.
WAIT_MAX_S = 50.0
# Those whose input has the same fields as Claude Code's.
_TOOLS = {"run_shell_command": "Bash", "write_file": "Write", "edit": "Edit", "read_file": "Read"}


def event(values: dict[str, Any]) -> dict[str, Any]:
    """Return an event as Claude Code would write it."""
    tool = values.get("tool_name")
    return {**values, "tool_name": _TOOLS.get(tool, tool)} if isinstance(tool, str) else values


def answer(event_name: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the host reads for our answer to an event."""
    if event_name == "Stop":
        return {"decision": "block", "reason": fields.get("additionalContext", "")}
    return {"hookSpecificOutput": {"hookEventName": event_name, **fields}}
