"""Multipart request bodies, read up to a size limit."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

__all__ = ["MultipartBody", "NestedMultipartError", "UploadedFile", "read_multipart"]

CHUNK = 1 << 16


class NestedMultipartError(Exception):
    """A part of the body is itself multipart."""


@dataclass(frozen=True)
class UploadedFile:
    """A file that came with a call; `field` is its name in the form."""

    field: str
    file_name: str
    mime: str
    data: bytes


@dataclass
class MultipartBody:
    """The parts of a body: values by field name, files in order. `size` is the number of bytes of all parts."""

    values: dict[str, bytes] = field(default_factory=dict)
    files: list[UploadedFile] = field(default_factory=list)
    size: int = 0


async def read_multipart(request: web.Request, limit: int) -> MultipartBody:
    """Read a multipart body. Raises NestedMultipartError.

    Bytes beyond `limit` are read and dropped, so that the client can finish sending and reads the refusal.
    """
    body = MultipartBody()
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise NestedMultipartError
        data = bytearray()
        while chunk := await part.read_chunk(CHUNK):
            body.size += len(chunk)
            if body.size <= limit:
                data += chunk
        name = part.name or ""
        if part.filename is None:
            body.values[name] = bytes(data)
        else:
            mime = part.headers.get("Content-Type", "application/octet-stream")
            body.files.append(UploadedFile(name, part.filename, mime, bytes(data)))
    return body
