"""A call of the REST API in one shape, from JSON or a multipart body, and the table of routes it is looked up in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from aiohttp import BodyPartReader, web

from agent_channels.sandbox.discord.attachments import UploadedFile
from agent_channels.sandbox.discord.errors import DiscordError, FormErrors, refused, too_large, unknown
from agent_channels.sandbox.discord.records import DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.state import DiscordState

__all__ = ["Handler", "Request", "Routes", "read_request"]

CHUNK = 1 << 16
# Nothing larger can be sent with any boost.
MAX_BODY = 110 << 20


@dataclass
class Request:
    """The call: path parameters, query, JSON body and files."""

    state: DiscordState
    method: str = "GET"
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    files: list[UploadedFile] = field(default_factory=list)
    items: list[Any] | None = None
    """The body where it is a list."""

    def ident(self, name: str) -> int:
        """An id of the path. Raises DiscordError 50035 when it is none."""
        problems = FormErrors()
        found = problems.snowflake(self.path[name], name)
        problems.check()
        return found

    def channel(self) -> GuildChannel:
        """The channel of the path. Raises DiscordError 10003 or 50001."""
        return self.state.channel(self.ident("channel_id"))

    def message(self, channel: GuildChannel) -> Message:
        """The message of the path. Raises DiscordError 10008."""
        found = channel.messages.get(self.ident("message_id"))
        if found is None:
            raise unknown(10008)
        return found

    def user(self) -> DiscordUser:
        """The user of the path, `@me` included. Raises DiscordError 10013."""
        user = self.state.bot if self.path["user_id"] == "@me" else self.state.users.get(self.ident("user_id"))
        if user is None:
            raise unknown(10013)
        return user


# Gives the JSON answer, None for 204; raises DiscordError.
Handler: TypeAlias = Callable[[Request], Any]
H = TypeVar("H", bound=Handler)


class Routes:
    """A decorator with the table it fills: ("GET", "/channels/{channel_id}") -> (handler, needs the token)."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], tuple[Handler, bool]] = {}

    def __call__(self, *names: str, token: bool = True) -> Callable[[H], H]:
        """Enters the function under each "METHOD /path"; `token`: the call must be authorised."""

        def enter(handler: H) -> H:
            for name in names:
                method, path = name.split()
                self.table[method, path] = (handler, token)
            return handler

        return enter


async def read_request(state: DiscordState, request: web.Request) -> Request:
    """Reads the call. Raises DiscordError 40005 for too large a body, 50109 or 50035 for a broken one."""
    read = Request(state, request.method, dict(request.match_info), dict(request.query))
    if request.method in {"GET", "DELETE"} or not request.can_read_body:
        return read
    if request.content_type == "multipart/form-data":
        await _read_multipart(request, read)
    elif request.content_type == "application/json":
        body = await request.read()
        if request.path.endswith("/commands") and body.lstrip().startswith(b"["):
            read.items = list(_json(body))
        else:
            read.values = _decoded(body)
    else:
        allowed = 'Expected "Content-Type" header to be one of {"application/json", "multipart/form-data"}.'
        raise DiscordError(400, 50035, allowed)
    return read


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise refused(50109) from None


def _decoded(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    decoded = _json(body)
    if not isinstance(decoded, dict):
        problems = FormErrors()
        problems.model(decoded, "_misc")
        problems.check()
    return dict(decoded)


async def _read_multipart(request: web.Request, read: Request) -> None:
    size = 0
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise refused(50109)
        data = bytearray()
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            if size <= MAX_BODY:
                # beyond the limit the body is read and thrown away, so that the client hears the refusal
                data += chunk
        name = part.name or ""
        if part.filename is not None:
            mime = part.headers.get("Content-Type", "")
            read.files.append(UploadedFile(name, part.filename, mime, bytes(data)))
        elif name == "payload_json":
            read.values |= _decoded(bytes(data))
        else:
            read.values[name] = bytes(data).decode("utf-8", "replace")
    if size > MAX_BODY:
        raise too_large()
    read.files.sort(key=lambda upload: int("".join(re.findall(r"\d+", upload.field)) or 0))
