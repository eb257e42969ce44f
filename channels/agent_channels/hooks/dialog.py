"""The hook `dialog` (Notification): tells approvers that a dialog waits at the terminal, where no card covers it."""

from __future__ import annotations

from agent_channels.core.host.tool_words import masked_line
from agent_channels.hooks.channel import open_hook_channels
from agent_channels.hooks.event import HookEvent

__all__ = ["run"]

WORDS_MAX = 200


def run(event: HookEvent) -> int:
    """Queue a notice for each channel of the session. Returns 0."""
    message = event.values.get("message")
    if event.values.get("notification_type") != "permission_prompt" or not isinstance(message, str):
        return 0
    with open_hook_channels(event) as channels:
        for channel in channels:
            if channel.is_ours():
                channel.tell_dialog(masked_line(message, WORDS_MAX))
    return 0
