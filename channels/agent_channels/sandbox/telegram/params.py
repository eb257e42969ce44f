"""Parameters of a Bot API call in one shape, whether they come in the query, a form, a multipart body or JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from agent_channels.sandbox.multipart import NestedMultipartError, UploadedFile, read_multipart
from agent_channels.sandbox.telegram.errors import BotApiError, bad
from agent_channels.sandbox.telegram.utf16 import is_utf8

__all__ = ["MAX_UPLOAD", "Params", "field_number", "field_text", "read_params"]

# The limit that sendDocument documents.
MAX_UPLOAD = 50 * 1024 * 1024
CHUNK = 1 << 16


@dataclass
class Params:
    """The values as they were sent (text, or JSON values), and the files by field name."""

    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, UploadedFile] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the value as text, "" when absent."""
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str, default: int = 0) -> int:
        """Return the value as a number; `default` when it is absent or not a number, which the server ignores."""
        value = self.values.get(name)
        if isinstance(value, bool) or value is None:
            return int(value) if isinstance(value, bool) else default
        try:
            return int(value)
        except (TypeError, ValueError):
            return default

    def flag(self, name: str) -> bool:
        """Return True for true, "true", "yes" and 1."""
        return str(self.values.get(name, "")).lower() in {"true", "yes", "1"}

    def decoded(self, name: str, what: str) -> Any:
        """Return the JSON value, None when absent. Raises BotApiError "can't parse `what` JSON object"."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            decoded = json.loads(value)
        except ValueError:
            raise bad(f"can't parse {what} JSON object") from None
        if not is_utf8(decoded):
            raise bad("strings must be encoded in UTF-8")
        return decoded


def field_text(item: dict[str, Any], name: str, prefix: str = "") -> str:
    """Return a string field of a JSON object, "" when absent. Raises BotApiError; `prefix` precedes the reason."""
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise bad(f'{prefix}{"Field" if prefix else "field"} "{name}" must be of type String')
    return value or ""


def field_number(item: dict[str, Any], name: str, prefix: str = "") -> int:
    """Return a number field of a JSON object, 0 when absent; a numeric string counts. Raises BotApiError."""
    try:
        return int(item.get(name) or 0)
    except (TypeError, ValueError):
        raise bad(f'{prefix}{"Field" if prefix else "field"} "{name}" must be a valid Number') from None


async def read_params(request: web.Request) -> Params:
    """Read the call. Raises BotApiError 413 for too large a body, 400 for a broken one or for wrong UTF-8."""
    pairs = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True, errors="surrogateescape")
    params = Params(dict(pairs))
    kind = request.content_type
    if request.method == "POST" and request.can_read_body:
        if kind == "multipart/form-data":
            await _read_multipart(request, params)
        else:
            _parse_body(kind, await _read_body(request), params)
    if not is_utf8(params.values):
        raise bad("strings must be encoded in UTF-8")
    return params


async def _read_body(request: web.Request) -> bytes:
    # A body over the limit is read to its end, so that the client reads the refusal.
    body = bytearray()
    size = 0
    async for chunk in request.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size <= MAX_UPLOAD:
            body += chunk
    _check_size(size)
    return bytes(body)


def _check_size(size: int) -> None:
    if size > MAX_UPLOAD:
        raise BotApiError(413, "Request Entity Too Large")


def _parse_body(kind: str, body: bytes, params: Params) -> None:
    text = body.decode("utf-8", "surrogateescape")
    if kind != "application/json":
        params.values.update(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))
        return
    if not text.strip():
        return
    try:
        decoded = json.loads(text)
    except ValueError:
        raise bad("can't parse request JSON object") from None
    if not isinstance(decoded, dict):
        raise bad("can't parse request JSON object")
    params.values.update({name: value for name, value in decoded.items() if value is not None})


async def _read_multipart(request: web.Request, params: Params) -> None:
    try:
        body = await read_multipart(request, MAX_UPLOAD)
    except NestedMultipartError:
        raise bad("nested multipart bodies are not supported") from None
    _check_size(body.size)
    params.values.update({name: value.decode("utf-8", "surrogateescape") for name, value in body.values.items()})
    params.files.update({upload.field: upload for upload in body.files})
