"""The names of the contract with the agent host, as the reference channel plugins use them."""

from __future__ import annotations

__all__ = ["CHANNEL", "META_KEYS", "PERMISSION", "PUSH", "REQUEST", "VERDICT"]

PUSH = "notifications/claude/channel"
VERDICT = "notifications/claude/channel/permission"
REQUEST = "notifications/claude/channel/permission_request"
CHANNEL = "claude/channel"
PERMISSION = "claude/channel/permission"

META_KEYS = frozenset(
    {
        "chat_id", "message_id", "user", "user_id", "ts", "image_path", "attachment_kind", "attachment_file_id",
        "attachment_size", "attachment_mime", "attachment_name", "attachment_count", "attachments", "thread_id",
        "thread_name", "parent_chat_id", "reply_to_message_id", "reply_to_user", "reply_to_text", "forward_from",
        "edited", "reaction", "button", "button_label", "button_value", "button_row", "button_col", "panel_id",
        "delivery_id", "delivery_ids", "redelivered",
    }
)  # fmt: skip
