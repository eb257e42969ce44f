"""Attachments on the fake Discord: kept by id, served at signed URLs that expire after a day."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from agent_channels.page.guard import is_secret
from agent_channels.sandbox.discord.records import SnowflakeGenerator

__all__ = ["AttachmentStore", "StoredAttachment"]

# Signed attachment URLs: "ex" is the time they expire.
SIGNED_S = 24 * 3600
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class StoredAttachment:
    """One attachment and its bytes."""

    id: int
    channel_id: int
    name: str
    mime: str
    data: bytes
    description: str = ""
    title: str = ""

    @property
    def path(self) -> str:
        """The URL's path, `/attachments/CHANNEL/ID/NAME`."""
        return f"/attachments/{self.channel_id}/{self.id}/{quote(self.name)}"


class AttachmentStore:
    """All attachments of one sandbox. `root` is where they are served, known once the server listens."""

    def __init__(self, now: Callable[[], float], ids: SnowflakeGenerator) -> None:
        self._now = now
        self._ids = ids
        self.by_id: dict[int, StoredAttachment] = {}
        self.root = ""
        self._key = secrets.token_bytes(32)

    def add(self, channel_id: int, name: str, data: bytes, mime: str = "", description: str = "") -> StoredAttachment:
        """Store the bytes. As Discord does, replace everything in the name but letters, digits, `.`, `-` and `_`.

        A stem with other than ASCII letters becomes a meaningless one, and is then the title.
        """
        clean = "".join(char if char.isalnum() or char in ".-_" else "_" for char in name) or "unknown"
        stem, title = PurePath(clean).stem, ""
        if not stem.isascii():
            digest = hashlib.sha256(stem.encode()).hexdigest()[:4]
            clean, title = f"{digest}{PurePath(clean).suffix}", PurePath(name).stem
        guessed = mime or mimetypes.guess_type(clean)[0] or "application/octet-stream"
        attachment = StoredAttachment(self._ids(), channel_id, clean, guessed, data, description, title)
        self.by_id[attachment.id] = attachment
        return attachment

    def attachment_object(self, attachment_id: int) -> dict[str, Any]:
        """Return the Attachment object with a URL that is valid for a day from now."""
        attachment = self.by_id[attachment_id]
        url = self.root + attachment.path + self._signature(attachment, int(self._now()) + SIGNED_S)
        made: dict[str, Any] = {"id": str(attachment.id), "filename": attachment.name, "size": len(attachment.data)}
        made |= {"url": url, "proxy_url": url, "content_type": attachment.mime}
        if attachment.title:
            made["title"] = attachment.title
        if attachment.description:
            made["description"] = attachment.description
        if attachment.data.startswith(PNG):
            made["width"] = int.from_bytes(attachment.data[16:20], "big")
            made["height"] = int.from_bytes(attachment.data[20:24], "big")
        return made

    def find(self, path: str, query: dict[str, str]) -> StoredAttachment | None:
        """Return the attachment of a signed URL; None when it is unknown, wrongly signed or expired."""
        parts = path.split("/")
        attachment = self.by_id.get(int(parts[3])) if len(parts) == 5 and parts[3].isdecimal() else None
        try:
            expires = int(query.get("ex", ""), 16)
        except ValueError:
            return None
        if (
            attachment is None
            or expires < self._now()
            or not is_secret(query.get("hm", ""), self._digest(attachment, expires))
        ):
            return None
        return attachment

    def _signature(self, attachment: StoredAttachment, expires: int) -> str:
        return f"?ex={expires:x}&is={expires - SIGNED_S:x}&hm={self._digest(attachment, expires)}&"

    def _digest(self, attachment: StoredAttachment, expires: int) -> str:
        signed = f"{attachment.channel_id}/{attachment.id}/{expires}"
        return hmac.new(self._key, signed.encode(), hashlib.sha256).hexdigest()
