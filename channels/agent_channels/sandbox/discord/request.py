"""A call of the REST API, read from JSON or a multipart body, and the table of routes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from aiohttp import web

from agent_channels.sandbox.discord.errors import DiscordError, FormErrors, refused, too_large, unknown
from agent_channels.sandbox.discord.records import DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.multipart import NestedMultipartError, UploadedFile, read_multipart

__all__ = ["Handler", "Request", "Routes", "read_request"]

# Larger than any file that a boosted guild allows.
MAX_BODY = 110 << 20


@dataclass
class Request:
    """The call: path parameters, query, JSON body and files. `items` is the body where it is a list."""

    state: DiscordState
    method: str = "GET"
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    files: list[UploadedFile] = field(default_factory=list)
    items: list[Any] | None = None

    def path_id(self, name: str) -> int:
        """Return an id of the path. Raises DiscordError 50035 when it is malformed."""
        errors = FormErrors()
        found = errors.snowflake(self.path[name], name)
        errors.check()
        return found

    def channel(self) -> GuildChannel:
        """Return the channel of the path. Raises DiscordError 10003 or 50001."""
        return self.state.channel(self.path_id("channel_id"))

    def message(self, channel: GuildChannel) -> Message:
        """Return the message of the path. Raises DiscordError 10008."""
        message = channel.messages.get(self.path_id("message_id"))
        if message is None:
            raise unknown(10008)
        return message

    def user(self) -> DiscordUser:
        """Return the user of the path, which may be `@me`. Raises DiscordError 10013."""
        user = self.state.bot if self.path["user_id"] == "@me" else self.state.users.get(self.path_id("user_id"))
        if user is None:
            raise unknown(10013)
        return user


# Returns the JSON answer, None for 204; raises DiscordError.
Handler: TypeAlias = Callable[[Request], Any]
H = TypeVar("H", bound=Handler)


class Routes:
    """A decorator with the table it fills: ("GET", "/channels/{channel_id}") -> (handler, needs the token)."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], tuple[Handler, bool]] = {}

    def __call__(self, *names: str, token: bool = True) -> Callable[[H], H]:
        """Enter the function under each "METHOD /path"; `token`: the call must be authorised."""

        def enter(handler: H) -> H:
            for name in names:
                method, path = name.split()
                self.table[method, path] = (handler, token)
            return handler

        return enter


async def read_request(state: DiscordState, request: web.Request) -> Request:
    """Read the call. Raises DiscordError 40005 for too large a body, 50109 or 50035 for a broken one."""
    read = Request(state, request.method, dict(request.match_info), dict(request.query))
    if request.method in {"GET", "DELETE"} or not request.can_read_body:
        return read
    if request.content_type == "multipart/form-data":
        await _read_multipart(request, read)
    elif request.content_type == "application/json":
        body = await request.read()
        if request.path.endswith("/commands") and body.lstrip().startswith(b"["):
            read.items = list(_decode(body))
        else:
            read.values = _decode_object(body)
    else:
        allowed = 'Expected "Content-Type" header to be one of {"application/json", "multipart/form-data"}.'
        raise DiscordError(400, 50035, allowed)
    return read


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise refused(50109) from None


def _decode_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    decoded = _decode(body)
    if not isinstance(decoded, dict):
        errors = FormErrors()
        errors.model(decoded, "_misc")
        errors.check()
    return dict(decoded)


async def _read_multipart(request: web.Request, read: Request) -> None:
    try:
        body = await read_multipart(request, MAX_BODY)
    except NestedMultipartError:
        raise refused(50109) from None
    for name, value in body.values.items():
        if name == "payload_json":
            read.values |= _decode_object(value)
        else:
            read.values[name] = value.decode("utf-8", "replace")
    if body.size > MAX_BODY:
        raise too_large()
    read.files = sorted(body.files, key=lambda upload: int("".join(re.findall(r"\d+", upload.field)) or 0))
