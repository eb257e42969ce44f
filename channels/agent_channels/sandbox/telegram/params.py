"""Parameters of a Bot API call, from the query, a form, a multipart body or JSON, in one shape."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from agent_channels.sandbox.telegram.errors import BotApiError, bad
from agent_channels.sandbox.telegram.utf16 import is_utf8

__all__ = ["MAX_UPLOAD", "Params", "Upload", "field_number", "field_text", "read_params"]

# The documentation of sendDocument says so.
MAX_UPLOAD = 50 * 1024 * 1024
CHUNK = 1 << 16


@dataclass(frozen=True)
class Upload:
    """A file that came with the call."""

    file_name: str
    mime: str
    data: bytes


@dataclass
class Params:
    """The parameters, values as they came (text, or JSON values), and the files by field name."""

    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The value as text; "" when absent."""
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str, default: int = 0) -> int:
        """The value as a number; `default` when absent or not a number, as the server reads it."""
        value = self.values.get(name)
        if isinstance(value, bool) or value is None:
            return int(value) if isinstance(value, bool) else default
        try:
            return int(value)
        except (TypeError, ValueError):
            return default

    def number(self, name: str) -> float:
        """The value as a float. Raises BotApiError when it is missing or no number."""
        try:
            return float(self.values[name])
        except (KeyError, TypeError, ValueError):
            raise bad(f"{name} is empty") from None

    def flag(self, name: str) -> bool:
        """Whether the value says yes: true, "true", "yes" or 1."""
        return str(self.values.get(name, "")).lower() in {"true", "yes", "1"}

    def decoded(self, name: str, what: str) -> Any:
        """The JSON value of a parameter, None when absent. Raises BotApiError "can't parse `what` JSON object"."""
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


def field_text(item: dict[str, Any], name: str, what: str = "") -> str:
    """A string field of a JSON object, "" when absent. Raises BotApiError; `what` comes before the reason."""
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise bad(f'{what}Field "{name}" must be of type String' if what else f'field "{name}" must be of type String')
    return value or ""


def field_number(item: dict[str, Any], name: str, what: str = "") -> int:
    """A number field of a JSON object, 0 when absent; text that is a number will do. Raises BotApiError."""
    try:
        return int(item.get(name) or 0)
    except (TypeError, ValueError):
        reason = f'"{name}" must be a valid Number'
        raise bad(f"{what}Field {reason}" if what else f"field {reason}") from None


async def read_params(request: web.Request) -> Params:
    """Reads the call. Raises BotApiError 413 for too large a body, 400 for a broken one or for wrong UTF-8."""
    pairs = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True, errors="surrogateescape")
    params = Params(dict(pairs))
    kind = request.content_type
    if request.method == "POST" and request.can_read_body:
        if kind == "multipart/form-data":
            await _read_multipart(request, params)
        else:
            _read_body(kind, await _whole_body(request), params)
    if not is_utf8(params.values):
        raise bad("strings must be encoded in UTF-8")
    return params


async def _whole_body(request: web.Request) -> bytes:
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


def _read_body(kind: str, body: bytes, params: Params) -> None:
    if kind == "application/json":
        if not body.strip():
            return
        try:
            decoded = json.loads(body.decode("utf-8", "surrogateescape"))
        except ValueError:
            raise bad("can't parse request JSON object") from None
        if not isinstance(decoded, dict):
            raise bad("can't parse request JSON object")
        params.values.update({name: value for name, value in decoded.items() if value is not None})
        return
    text = body.decode("utf-8", "surrogateescape")
    params.values.update(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))


async def _read_multipart(request: web.Request, params: Params) -> None:
    reader = await request.multipart()
    size = 0
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise bad("nested multipart bodies are not supported")
        data = bytearray()
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            if size <= MAX_UPLOAD:
                # beyond the limit the body is read and thrown away, so that the client hears the refusal
                data += chunk
        name = part.name or ""
        if part.filename is not None:
            mime = part.headers.get("Content-Type", "application/octet-stream")
            params.files[name] = Upload(part.filename, mime, bytes(data))
        else:
            params.values[name] = bytes(data).decode("utf-8", "surrogateescape")
    _check_size(size)
