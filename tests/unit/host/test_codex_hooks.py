"""Codex's hooks: its events become ours, and our answers hold nothing that makes it ignore them."""

from __future__ import annotations

import json

import pytest

from agent_channels.core.host.codex_hooks import EVENTS, answer_for, call_of, hook_entry
from agent_channels.core.host.protocol import HOOK_TOOL
from agent_channels.hooks.hosts import codex


def test_an_entry_asks_only_for_what_every_such_event_has() -> None:
    """Codex's own names of fields; a tool's arguments as a whole."""
    entry = hook_entry("PreToolUse", "telegram")
    assert (entry["type"], entry["server"], entry["tool"]) == ("mcp_tool", "telegram", HOOK_TOOL)
    assert entry["input"]["arguments"] == "${tool_input}"
    assert {name for fields in EVENTS.values() for name in fields} <= {
        "session", "turn", "prompt", "tool", "call", "arguments", "agent", "kind"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "arguments", "field", "value"),
    [
        ("Bash", {"command": "touch x"}, "subject", "touch x"),
        ("apply_patch", {"command": "*** Begin Patch\n*** Update File: src/a.py\n+x\n"}, "file", "src/a.py"),
        ("mcp__github__get", {"query": "bugs", "deep": {"a": 1}}, "subject", "bugs"),
        ("update_plan", {"plan": [{"step": "one", "status": "completed"}, 7]}, "todos", '[{"content": "one"'),
        ("Bash", "not an object", "subject", ""),
        ("update_plan", {"plan": 3}, "todos", ""),
    ],
)
def test_what_is_shown_of_a_tool(tool: str, arguments: object, field: str, value: str) -> None:
    """A command, the first file of a patch, the plan; nothing of arguments of another shape."""
    given = {"host": "codex", "event": "PreToolUse", "session": "s", "turn": "t", "tool": tool, "arguments": arguments}
    call = call_of(given)
    assert call is not None
    assert (call.event, call.session, call.turn, call.tool) == ("PreToolUse", "s", "t", tool)
    assert str(getattr(call, field)).startswith(value)


def test_the_end_of_a_tool_is_that_of_a_batch() -> None:
    """And the answer has Codex's name of the event again."""
    call = call_of({"host": "codex", "event": "PostToolUse", "session": "s", "turn": "t", "tool": "Bash", "call": "c"})
    assert call is not None
    assert call.event == "PostToolBatch"
    added = {"hookSpecificOutput": {"hookEventName": "PostToolBatch", "additionalContext": "x"}}
    assert answer_for(added)["hookSpecificOutput"] == {"hookEventName": "PostToolUse", "additionalContext": "x"}
    stopped = {"continue": False, "stopReason": "x"}
    assert answer_for(stopped) == stopped


def test_before_a_tool_the_refusal_stands_alone() -> None:
    """With `continue` beside it Codex would run the tool."""
    refused = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "x"}
    answer = answer_for({"continue": False, "stopReason": "x", "hookSpecificOutput": refused})
    assert answer == {"hookSpecificOutput": refused}


def test_an_unknown_event_is_no_call() -> None:
    """Whatever it is."""
    for event in ("SessionStart", None, ["PreToolUse"]):
        assert call_of({"host": "codex", "event": event}) is None


def test_answers_of_commands() -> None:
    """At a turn's end Codex takes a reason to go on; anything else as Claude Code does."""
    assert codex.answer("Stop", {"additionalContext": "go"}) == {"decision": "block", "reason": "go"}
    answer = codex.answer("PermissionRequest", {"decision": {"behavior": "allow"}})
    assert json.loads(json.dumps(answer))["hookSpecificOutput"]["decision"] == {"behavior": "allow"}
    assert codex.event({"session_id": "s"}) == {"session_id": "s"}
