"""Files on the fake Slack: uploaded in three steps, kept by id, downloaded with the bot's token alone."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from agent_channels.sandbox.slack.records import new_id

__all__ = ["FileStore", "SlackFile"]

PNG = b"\x89PNG\r\n\x1a\n"
# `filetype` where it is not the ending of the name.
TYPES = {"txt": "text", "md": "markdown", "py": "python", "js": "javascript", "jpeg": "jpg", "": "binary"}


@dataclass
class SlackFile:
    """One file; `data` is None until it is uploaded.

    `length` is how long its uploader said it would be. `shares` maps the ids of conversations to the kind of each
    ("public" or "private") and the timestamps of the messages that hold it.
    """

    id: str
    name: str
    length: int
    user: str
    created: float
    ticket: str
    title: str = ""
    data: bytes | None = None
    completed: bool = False
    shares: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    is_voice: bool = False


class FileStore:
    """All files of one workspace. `root` is where they are served, known once the server listens."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.by_id: dict[str, SlackFile] = {}
        self.root = ""
        self.team_id = ""

    def begin(self, name: str, length: int, user: str) -> SlackFile:
        """Return a new file without content."""
        file = SlackFile(new_id("F"), name, length, user, self._now(), secrets.token_urlsafe(24))
        self.by_id[file.id] = file
        return file

    def add(self, name: str, data: bytes, user: str) -> SlackFile:
        """Return a new file with its content, which is not in any conversation yet."""
        file = self.begin(name, len(data), user)
        file.data, file.completed, file.title = data, True, name
        return file

    def upload_url(self, file: SlackFile) -> str:
        """Return the address that takes a file's content."""
        return f"{self.root}/upload/v1/{file.ticket}"

    def of_ticket(self, ticket: str) -> SlackFile | None:
        """Return the file whose content an upload address takes."""
        return next((file for file in self.by_id.values() if secrets.compare_digest(file.ticket, ticket)), None)

    def share(self, file: SlackFile, conversation_id: str, *, public: bool, ts: str) -> None:
        """Record that a message in a conversation holds a file."""
        _, times = file.shares.setdefault(conversation_id, ("public" if public else "private", []))
        times.append(ts)

    def file_object(self, file_id: str) -> dict[str, Any]:
        """Return the file object."""
        file = self.by_id[file_id]
        data = file.data or b""
        suffix = PurePath(file.name).suffix.lstrip(".").lower()
        kind = TYPES.get(suffix, suffix)
        mime = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        path = f"{self.team_id}-{file.id}"
        name = quote(file.name.lower())
        made: dict[str, Any] = {"id": file.id, "created": int(file.created), "timestamp": int(file.created)}
        made |= {"name": file.name, "title": file.title or file.name, "mimetype": mime, "filetype": kind}
        made |= {"pretty_type": kind.upper(), "user": file.user, "user_team": self.team_id, "editable": False}
        made |= {"size": len(data), "mode": "hosted", "is_external": False, "external_type": "", "is_public": False}
        made |= {"public_url_shared": False, "display_as_bot": False, "username": "", "has_rich_preview": False}
        made["url_private"] = f"{self.root}/files-pri/{path}/{name}"
        made["url_private_download"] = f"{self.root}/files-pri/{path}/download/{name}"
        made["permalink"] = f"{self.root}/files/{file.user}/{file.id}/{name}"
        made |= {"media_display_type": "unknown", "file_access": "visible"}
        if file.is_voice:
            made |= {
                "subtype": "slack_audio",
                "media_display_type": "audio",
                "duration_ms": 3000,
                "mimetype": "audio/mp4",
            }
            made |= {"transcription": {"status": "processing"}, "aac": made["url_private"]}
        if data.startswith(PNG):
            made["original_w"] = int.from_bytes(data[16:20], "big")
            made["original_h"] = int.from_bytes(data[20:24], "big")
        return made

    def with_shares(self, file_id: str) -> dict[str, Any]:
        """Return the file object with the conversations in which it is."""
        shares: dict[str, dict[str, Any]] = {}
        made: dict[str, list[str]] = {"channels": [], "groups": [], "ims": []}
        for conversation_id, (kind, times) in self.by_id[file_id].shares.items():
            entries = [{"ts": ts, "channel_name": "", "team_id": self.team_id, "reply_users": []} for ts in times]
            shares.setdefault(kind, {})[conversation_id] = entries
            made[{"C": "channels", "D": "ims"}.get(conversation_id[0], "groups")].append(conversation_id)
        return {**self.file_object(file_id), "shares": shares, **made}

    def find(self, path: str) -> SlackFile | None:
        """Return the file of a private address."""
        parts = path.split("/")
        file = self.by_id.get(parts[2].rpartition("-")[2]) if len(parts) > 3 else None
        return file if file is not None and file.completed else None
