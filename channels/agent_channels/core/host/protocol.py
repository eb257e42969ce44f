"""The names of the contract with the agent host, as the reference channel plugins use them."""

from __future__ import annotations

__all__ = ["CHANNEL", "HOOK_TOOL", "PERMISSION", "PUSH", "REQUEST", "VERDICT"]

PUSH = "notifications/claude/channel"
VERDICT = "notifications/claude/channel/permission"
REQUEST = "notifications/claude/channel/permission_request"
CHANNEL = "claude/channel"
PERMISSION = "claude/channel/permission"
# It is not in tools/list: the model never sees it, and a host's hook calls it all the same.
HOOK_TOOL = "hook"
