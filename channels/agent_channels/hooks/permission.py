"""The hook `permission` (PermissionRequest): asks the approvers whether the agent may use a tool."""

from __future__ import annotations

import secrets
from typing import Any

from agent_channels.core.buttons.card_content import permission_spec, tool_input_body
from agent_channels.core.buttons.prompt_spec import LETTERS
from agent_channels.hooks.ask import ask, channel_with_approvers
from agent_channels.hooks.channel import open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer

__all__ = ["run"]


def run(event: HookEvent) -> int:
    """Print an approver's decision; nothing if there is none, so that the terminal's dialog stays. Returns 0."""
    tool, tool_input = event.values.get("tool_name"), event.values.get("tool_input")
    if not isinstance(tool, str):
        return 0
    with open_hook_channels(event) as channels:
        channel = channel_with_approvers(channels)
        if channel is None:
            return 0
        request_id = "".join(secrets.choice(LETTERS) for _ in range(5))
        spec = permission_spec(tool, tool_input_body(tool_input), event.project.name, request_id)
        bound_s = channel.settings().hook_bound_s
        answer = ask(channel, spec, "permission", bound_s=bound_s, request_id=request_id)
    if answer is not None:
        decision: dict[str, Any] = {"behavior": answer["value"]}
        if answer["value"] == "deny":
            decision["message"] = f"Denied from the phone by {answer['user']}."
        print_answer("PermissionRequest", decision=decision)
    return 0
