"""Files on the fake Telegram: kept by file_id, described on messages as the Bot API describes them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from agent_channels.sandbox.multipart import UploadedFile
from agent_channels.sandbox.telegram.errors import bad
from agent_channels.sandbox.telegram.images import image_size, sample_png
from agent_channels.sandbox.telegram.params import Params

__all__ = ["MEDIA", "MediaStore", "StoredFile"]

# The limit that getFile documents.
MAX_DOWNLOAD = 20 * 1024 * 1024
# "The photo must be at most 10 MB in size. The photo's width and height must not exceed 10000 in total. Width and
# height ratio must be at most 20" (sendPhoto)
MAX_PHOTO = 10 * 1024 * 1024

# kind: (folder of the file path, extension, default MIME type)
MEDIA = {
    "photo": ("photos", ".jpg", "image/jpeg"),
    "document": ("documents", "", "application/octet-stream"),
    "audio": ("music", ".mp3", "audio/mpeg"),
    "voice": ("voice", ".oga", "audio/ogg"),
    "video": ("videos", ".mp4", "video/mp4"),
    "video_note": ("video_notes", ".mp4", "video/mp4"),
    "animation": ("animations", ".mp4", "video/mp4"),
    "sticker": ("stickers", ".webp", "image/webp"),
}
# How the server names the kinds in "can't use file of type ...".
TYPE_NAMES = {kind: "".join(word.title() for word in kind.split("_")) for kind in MEDIA} | {"voice": "VoiceNote"}
# (kind of the stored file, kind it may be sent as)
CAN_BE_SENT_AS = {("animation", "document")}

DEFAULT_FACTS: dict[str, dict[str, Any]] = {
    "audio": {"duration": 0},
    "voice": {"duration": 0},
    "video": {"width": 320, "height": 240, "duration": 0},
    "video_note": {"length": 240, "duration": 0},
    "animation": {"width": 320, "height": 240, "duration": 0},
    "sticker": {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False},
}


@dataclass(frozen=True)
class StoredFile:
    """One file. `path` is the `file_path` of getFile; `facts` are the file object's own fields, such as duration."""

    file_id: str
    unique_id: str
    kind: str
    name: str
    mime: str
    path: str
    data: bytes
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    def reference(self) -> dict[str, Any]:
        """Return the fields that every file object has."""
        return {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": self.size}


class MediaStore:
    """All files of one sandbox. `local` is the working folder of a server in local mode, None without local mode."""

    def __init__(self) -> None:
        self.by_id: dict[str, StoredFile] = {}
        self.by_path: dict[str, StoredFile] = {}
        self.local: Path | None = None
        self._count = 0

    def add(self, kind: str, data: bytes, name: str = "", mime: str = "", **facts: Any) -> dict[str, Any]:
        """Store a file; return its message fields, `{kind: object}`, or a list of sizes for a photo.

        `facts`: width, height, duration, title ... for the file object.
        """
        if kind == "photo":
            return {"photo": self._add_photo(data)}
        return self.message_fields(self._store(kind, data, name, mime, **facts))

    def message_fields(self, stored: StoredFile) -> dict[str, Any]:
        """Return the message fields for a stored file."""
        if stored.kind == "photo":
            return {"photo": stored.facts["sizes"]}
        file: dict[str, Any] = {**stored.reference(), **stored.facts}
        if stored.kind not in {"video_note", "sticker"}:
            file["mime_type"] = stored.mime
        if stored.name and stored.kind not in {"voice", "video_note", "sticker"}:
            file["file_name"] = stored.name
        fields: dict[str, Any] = {stored.kind: file}
        if stored.kind == "animation":
            # Both fields are set, for clients older than animations.
            fields["document"] = {key: file[key] for key in file if key not in {"width", "height", "duration"}}
        return fields

    def _store(self, kind: str, data: bytes, name: str = "", mime: str = "", **facts: Any) -> StoredFile:
        self._count += 1
        folder, extension, default_mime = MEDIA[kind]
        if kind in {"document", "audio", "video", "animation"} and "." in name:
            extension = "." + name.rpartition(".")[2]
        unique = hashlib.sha256(f"{kind}:{self._count}".encode() + data).digest()
        stored = StoredFile(
            file_id="AgAC" + base64.urlsafe_b64encode(unique[:24] + secrets.token_bytes(12)).decode(),
            unique_id="AQAD" + base64.urlsafe_b64encode(unique[:9]).decode(),
            kind=kind,
            name=name,
            mime=mime or default_mime,
            path=f"{folder}/file_{self._count}{extension}",
            data=data,
            facts=facts,
        )
        self.by_id[stored.file_id] = stored
        self.by_path[stored.path] = stored
        return stored

    def _add_photo(self, data: bytes) -> list[dict[str, Any]]:
        width, height = image_size(data) or (1, 1)
        scale = max(width, height) / 90
        small = (max(round(width / scale), 1), max(round(height / scale), 1)) if scale > 1 else (width, height)
        sizes: list[dict[str, Any]] = []
        thumbnail = self._store("photo", sample_png(*small), sizes=sizes)
        full = self._store("photo", data, sizes=sizes)
        sizes.append({**thumbnail.reference(), "width": small[0], "height": small[1]})
        sizes.append({**full.reference(), "width": width, "height": height})
        return sizes

    def from_bot(self, params: Params, kind: str, source: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the message fields for a file that the bot sends.

        `source` is a file_id, `attach://name`, a `file://` path in local mode, or an upload. Raises BotApiError with
        the reason Telegram gives.
        """
        upload = source if isinstance(source, UploadedFile) else None
        if isinstance(source, str) and source.startswith("file://"):
            upload = self._read_local(source)
        if upload is None:
            if not isinstance(source, str) or not source:
                raise bad(f"there is no {kind.replace('_', ' ')} in the request")
            if source.startswith("attach://"):
                upload = params.files.get(source.removeprefix("attach://"))
                if upload is None:
                    raise bad("file must be non-empty")
        if upload is not None:
            _check_upload(kind, upload)
            facts = {**DEFAULT_FACTS.get(kind, {}), **facts}
            return self.add(kind, upload.data, upload.file_name, upload.mime, **facts)
        if str(source).startswith(("http://", "https://")):
            # The sandbox makes no connections, so a URL fails as an unreachable host does.
            raise bad("failed to get HTTP URL content")
        stored = self.by_id.get(str(source))
        if stored is None:
            raise bad("wrong file identifier/HTTP URL specified")
        if stored.kind != kind and (stored.kind, kind) not in CAN_BE_SENT_AS:
            raise bad(f"can't use file of type {TYPE_NAMES[stored.kind]} as {TYPE_NAMES[kind]}")
        return self.message_fields(stored)

    def info(self, file_id: str) -> dict[str, Any]:
        """Return the answer of getFile. Raises BotApiError for an unknown id or a file a bot may not download."""
        stored = self.by_id.get(file_id)
        if stored is None:
            raise bad("invalid file_id" if file_id else "file_id not specified")
        if self.local is not None:
            # "Download files without a size limit"; "receive the absolute local path as a value of file_path".
            path = self.local / stored.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stored.data)
            return {**stored.reference(), "file_path": str(path)}
        if stored.size > MAX_DOWNLOAD:
            raise bad("file is too big")
        return {**stored.reference(), "file_path": stored.path}

    def _read_local(self, source: str) -> UploadedFile:
        # In local mode only: "upload files using their local path and the file URI scheme".
        path = Path(unquote(urlsplit(source).path))
        if self.local is None or not path.is_file():
            raise bad("wrong file identifier/HTTP URL specified")
        return UploadedFile("", path.name, "", path.read_bytes())


def _check_upload(kind: str, upload: UploadedFile) -> None:
    """Raise BotApiError for an empty file, and for a photo Telegram would not process."""
    if not upload.data:
        raise bad("file must be non-empty")
    if kind != "photo":
        return
    if len(upload.data) > MAX_PHOTO:
        size_text = f"file of size {len(upload.data)} bytes"
        raise bad(f"{size_text} is too big for a photo; the maximum size is {MAX_PHOTO} bytes")
    size = image_size(upload.data)
    if size is None:
        raise bad("IMAGE_PROCESS_FAILED")
    width, height = size
    if not width or not height or width + height > 10_000 or max(size) > 20 * min(size):
        raise bad("PHOTO_INVALID_DIMENSIONS")
