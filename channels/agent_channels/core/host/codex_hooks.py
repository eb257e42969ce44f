"""Codex's hooks that call the running server: the entries, its events as ours, and our answers as it takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agent_channels.core.host.hook_call import TIMEOUT_S, HookCall
from agent_channels.core.host.protocol import HOOK_TOOL
from agent_channels.core.patterns import lazy_pattern

__all__ = ["EVENTS", "answer_for", "call_of", "hook_entry"]

_TURN = {"session": "${session_id}", "turn": "${turn_id}"}
_TOOL = {**_TURN, "tool": "${tool_name}", "call": "${tool_use_id}"}
# Codex's events that the server takes, each with the fields it needs: only such as every event of the kind has.
EVENTS: Mapping[str, Mapping[str, str]] = {
    "UserPromptSubmit": {**_TURN, "prompt": "${prompt}"},
    "PreToolUse": {**_TOOL, "arguments": "${tool_input}"},
    "PostToolUse": _TOOL,
    "SubagentStop": {**_TURN, "agent": "${agent_id}"},
    "PreCompact": {**_TURN, "kind": "${trigger}"},
    "PostCompact": _TURN,
}
_OURS = {"PostToolUse": "PostToolBatch"}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
_PATCHED = lazy_pattern(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)


def hook_entry(event: str, server: str) -> dict[str, Any]:
    """Return the hook for an event; `server` is our name in Codex's list of servers."""
    given = {"host": "codex", "event": event, **EVENTS[event]}
    return {"type": "mcp_tool", "server": server, "tool": HOOK_TOOL, "input": given, "timeout": TIMEOUT_S}


def call_of(given: Mapping[str, Any]) -> HookCall | None:
    """Return the call that a tool call's arguments describe; None if they name no event that is known."""
    event = given.get("event")
    if not isinstance(event, str) or event not in EVENTS:
        return None
    fields = {**given, "event": _OURS.get(event, event)}
    arguments = fields.pop("arguments", None)
    return HookCall.of({**fields, **_tool_fields(given.get("tool"), arguments)})


def _tool_fields(tool: object, arguments: object) -> dict[str, str]:
    """Return what people are shown of a tool's arguments."""
    given = arguments if isinstance(arguments, dict) else {}
    command = given.get("command")
    if tool == "apply_patch" and isinstance(command, str):
        file = (_PATCHED.findall(command) or [""])[0]
        return {"file": file, "subject": file}
    if tool == "update_plan" and isinstance(given.get("plan"), list):
        steps = [step for step in given["plan"] if isinstance(step, dict)]
        todos = [{"content": step.get("step"), "status": step.get("status")} for step in steps]
        return {"todos": json.dumps(todos)}
    named = next((given[name] for name in ("command", "path", "url", "query") if isinstance(given.get(name), str)), "")
    return {"subject": named}


def answer_for(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of ours as Codex takes it, which ignores one that holds a field it does not know."""
    specific = answer.get("hookSpecificOutput")
    if specific is None:
        return answer
    event = specific["hookEventName"]
    renamed = {**specific, "hookEventName": _THEIRS.get(event, event)}
    # Before a tool it takes the refusal alone.
    others = {} if event == "PreToolUse" else answer
    return {**others, "hookSpecificOutput": renamed}
