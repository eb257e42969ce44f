"""Files as the Bot API names them, in messages and in the blocks of rich ones."""

from __future__ import annotations

from typing import Any

from agent_channels.core.contract.messages import Attachment
from agent_channels.telegram.chats import Json

__all__ = ["file_of", "picture_of"]


def picture_of(sizes: Any) -> Attachment:
    """Return a photo, which comes in several sizes, in its largest one."""
    largest = max(sizes, key=lambda size: size["width"] * size["height"])
    return Attachment("photo", str(largest["file_id"]), None, "image/jpeg", largest.get("file_size"))


def file_of(kind: str, file: Json) -> Attachment:
    """Return any other file. A piece of music may have a title instead of a name."""
    name, mime, size = (file.get(key) for key in ("file_name", "mime_type", "file_size"))
    return Attachment(kind, str(file["file_id"]), name or file.get("title"), mime, size)
