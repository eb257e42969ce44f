"""What the host's hooks tell the running server: an event, and the few fields of it that are asked for.

The host fills `${path}` in from the event's JSON; what an event does not have arrives as "". Nothing of a file's
contents, and of no tool's result, is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from agent_channels.core.frozen import frozen
from agent_channels.core.host.protocol import HOOK_TOOL

__all__ = ["EVENTS", "TIMEOUT_S", "HookCall", "hook_entry"]

# The host goes on without the answer after this; it comes within milliseconds.
TIMEOUT_S = 5
# Far more than any command that somebody reads; a prompt may be a pasted log.
TEXT_MAX = 100_000
# Ids and names of kinds are as long as the host makes them; nobody reads them.
ID_MAX = 200

_TOOL = {
    "tool": "${tool_name}",
    "call": "${tool_use_id}",
    "agent": "${agent_id}",
    "file": "${tool_input.file_path}${tool_input.notebook_path}",
    "subject": "${tool_input.command}${tool_input.file_path}${tool_input.notebook_path}${tool_input.path}"
    "${tool_input.url}${tool_input.query}${tool_input.skill}",
    "words": "${tool_input.pattern}${tool_input.description}${tool_input.subject}",
    "todos": "${tool_input.todos}",
}
_TEXTS = {"prompt", "file", "subject", "words", "todos"}
_TASK = {"task": "${task_id}", "words": "${task_subject}"}
# The hook events that the server takes, each with the fields it needs.
EVENTS: Mapping[str, Mapping[str, str]] = {
    "UserPromptSubmit": {"prompt": "${prompt}"},
    "PreToolUse": _TOOL,
    "PostToolBatch": {"agent": "${agent_id}"},
    "MessageDisplay": {"agent": "${agent_id}", "words": "${delta}"},
    "StopFailure": {"error": "${error}", "words": "${last_assistant_message}"},
    "Notification": {"kind": "${notification_type}", "words": "${message}"},
    "TaskCreated": _TASK,
    "TaskCompleted": _TASK,
    "SubagentStop": {"agent": "${agent_id}"},
    "PreCompact": {"kind": "${trigger}"},
    "PostCompact": {},
}


def hook_entry(event: str, server: str) -> dict[str, Any]:
    """Return the hook for an event as a host's settings hold it; `server` is our name in its list of servers."""
    given = {"event": event, "turn": "${prompt_id}", **EVENTS[event]}
    return {"type": "mcp_tool", "server": server, "tool": HOOK_TOOL, "input": given, "timeout": TIMEOUT_S}


@frozen
class HookCall:
    """One call. `turn` is the host's id of the prompt that is worked on; the other fields are named as in `EVENTS`.

    `session`: the host's own id of the session, of hosts that do not tell a server which one it serves.
    """

    event: str
    turn: str = ""
    prompt: str = ""
    tool: str = ""
    call: str = ""
    agent: str = ""
    file: str = ""
    subject: str = ""
    words: str = ""
    todos: str = ""
    task: str = ""
    kind: str = ""
    error: str = ""
    session: str = ""

    @classmethod
    def of(cls, arguments: object) -> HookCall | None:
        """Return the call that a tool call's arguments describe; None if they name no event that is known."""
        given = arguments if isinstance(arguments, dict) else {}
        event = given.get("event")
        if not isinstance(event, str) or event not in EVENTS:
            return None
        texts = {name: text for name, text in given.items() if name in _FIELDS and isinstance(text, str)}
        return cls(**{name: text[: TEXT_MAX if name in _TEXTS else ID_MAX] for name, text in texts.items()})

    def todo_list(self) -> list[tuple[str, bool]]:
        """Return the plan that the agent wrote down: each item, and whether it is done."""
        try:
            todos: Any = json.loads(self.todos)
        except (ValueError, RecursionError):
            return []
        items = [item for item in todos if isinstance(item, dict)] if isinstance(todos, list) else []
        named = [item for item in items if isinstance(item.get("content"), str)]
        return [(item["content"], item.get("status") == "completed") for item in named]


_FIELDS = frozenset(field.name for field in fields(HookCall))
