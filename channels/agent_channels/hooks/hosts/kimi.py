"""Kimi Code's hook JSON, as of 2.1.0: Claude Code's events; few take an answer, which is words or a refusal."""

from __future__ import annotations

from typing import Any

__all__ = ["CONTEXT_MAX", "GOES_ON_UNSEEN", "SESSION_RULES", "WAIT_MAX_S", "answer", "event"]

# It takes no answer to a permission at all.
SESSION_RULES = False
CONTEXT_MAX = 9_000
# It ends a hook after the 600 s that it may be given at most.
WAIT_MAX_S = 590.0
# A turn goes on for a reason once, and its hooks are not told when it ends then.
GOES_ON_UNSEEN = True


def event(values: dict[str, Any]) -> dict[str, Any]:
    """Return an event as Claude Code would write it; of a permission it is only told that its dialog waits."""
    found = dict(values)
    if isinstance(prompt := values.get("prompt"), list):
        texts = (part.get("text") for part in prompt if isinstance(part, dict))
        found["prompt"] = "\n".join(text for text in texts if isinstance(text, str))
    if values.get("hook_event_name") == "PermissionRequest":
        found |= {"notification_type": "permission_prompt", "message": f"{values.get('tool_name')} asks for permission"}
    return found


def answer(event_name: str, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the host reads for our answer to an event; None for one that it does not take."""
    if event_name == "Stop":
        reason = fields.get("additionalContext", "")
        return {"hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": reason}}
    if event_name == "UserPromptSubmit":
        return {"message": fields["additionalContext"]}
    return None
