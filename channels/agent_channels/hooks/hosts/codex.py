"""Codex's hooks: events as Claude Code writes them, and answers that hold nothing which Codex does not know."""

from __future__ import annotations

from typing import Any

__all__ = ["CONTEXT_MAX", "SESSION_RULES", "answer", "event"]

# What is allowed for a session has to be answered at its own prompt.
SESSION_RULES = False
# It moves more than 2,500 tokens, which it counts as four bytes each, into a file; a character may have three bytes.
CONTEXT_MAX = 3_000


def event(values: dict[str, Any]) -> dict[str, Any]:
    """Return the event as it is."""
    return values


def answer(event_name: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return what Codex reads: at a turn's end it takes a reason to go on, and no context."""
    if event_name == "Stop":
        return {"decision": "block", "reason": fields["additionalContext"]}
    return {"hookSpecificOutput": {"hookEventName": event_name, **fields}}
