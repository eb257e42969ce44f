"""Files of a message."""

from __future__ import annotations

from agent_channels.core.contract.messages import Attachment
from agent_channels.slack.chats import Json

__all__ = ["files_of", "lost_files"]

_KINDS = {"image": "photo", "video": "video", "audio": "audio"}
# "File object": what is left of a file that was deleted, or that the workspace's plan hides.
_LOST = frozenset({"tombstone", "hidden_by_limit"})


def files_of(message: Json) -> list[Attachment]:
    """Return the files in order, without those that are not there any more."""
    return [_file(raw) for raw in message.get("files") or () if raw.get("mode") not in _LOST]


def lost_files(message: Json) -> int:
    """Return how many files of a message cannot be had."""
    return sum(raw.get("mode") in _LOST for raw in message.get("files") or ())


def _file(raw: Json) -> Attachment:
    mime = str(raw.get("mimetype") or "") or None
    kind = _KINDS.get((mime or "").partition("/")[0], "document")
    if raw.get("subtype") == "slack_audio" or raw.get("media_display_type") == "audio":
        kind = "voice"
    elif raw.get("subtype") == "slack_video":
        kind = "video_note"
    name, size = raw.get("name") or raw.get("title"), raw.get("size")
    return Attachment(kind, str(raw["id"]), str(name) if name else None, mime, int(size) if size is not None else None)
