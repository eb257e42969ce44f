"""Attachments on the sandbox's Discord: kept by id, served at signed addresses that expire after a day."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from agent_channels.sandbox.discord.records import Snowflakes

__all__ = ["AttachmentStore", "StoredAttachment", "UploadedFile"]

# Signed attachment addresses: "ex" is when they end, a day after they were given.
SIGNED_S = 24 * 3600
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class UploadedFile:
    """A file that came with a call; `field` is its name in the form."""

    field: str
    file_name: str
    mime: str
    data: bytes


@dataclass(frozen=True)
class StoredAttachment:
    """One attachment and its bytes."""

    id: int
    channel_id: int
    name: str
    mime: str
    data: bytes
    description: str = ""

    @property
    def path(self) -> str:
        """The address without its signature, `/attachments/CHANNEL/ID/NAME`."""
        return f"/attachments/{self.channel_id}/{self.id}/{quote(self.name)}"


class AttachmentStore:
    """All attachments of one sandbox. `root` is where they are served, known once the server listens."""

    def __init__(self, now: Callable[[], float], ids: Snowflakes) -> None:
        self._now = now
        self._ids = ids
        self.by_id: dict[int, StoredAttachment] = {}
        self.root = ""

    def store(self, channel_id: int, name: str, data: bytes, mime: str = "", description: str = "") -> StoredAttachment:
        """Keeps the bytes. The name is cleaned as Discord does: nothing but letters, digits, `.`, `-` and `_`."""
        clean = "".join(char if char.isalnum() or char in ".-_" else "_" for char in name) or "unknown"
        guessed = mime or mimetypes.guess_type(clean)[0] or "application/octet-stream"
        file = StoredAttachment(self._ids(), channel_id, clean, guessed, data, description)
        self.by_id[file.id] = file
        return file

    def described(self, file_id: int) -> dict[str, Any]:
        """The Attachment object with an address that is good for a day from now."""
        file = self.by_id[file_id]
        url = self.root + file.path + self._signature(file, int(self._now()) + SIGNED_S)
        made: dict[str, Any] = {"id": str(file.id), "filename": file.name, "size": len(file.data), "url": url}
        made |= {"proxy_url": url, "content_type": file.mime}
        if file.description:
            made["description"] = file.description
        if file.data.startswith(PNG):
            made["width"] = int.from_bytes(file.data[16:20], "big")
            made["height"] = int.from_bytes(file.data[20:24], "big")
        return made

    def found(self, path: str, query: dict[str, str]) -> StoredAttachment | None:
        """The file at a signed address; None when it is unknown, wrongly signed or over."""
        parts = path.split("/")
        file = self.by_id.get(int(parts[3])) if len(parts) == 5 and parts[3].isdecimal() else None
        try:
            ends = int(query.get("ex", ""), 16)
        except ValueError:
            return None
        if file is None or ends < self._now() or query.get("hm") != _seal(file, ends):
            return None
        return file

    def _signature(self, file: StoredAttachment, ends: int) -> str:
        return f"?ex={ends:x}&is={ends - SIGNED_S:x}&hm={_seal(file, ends)}&"


def _seal(file: StoredAttachment, ends: int) -> str:
    return hashlib.sha256(f"{file.channel_id}/{file.id}/{ends}".encode()).hexdigest()
