"""A call of the Web API, read from the query, a form or JSON, and the table of methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from aiohttp import web

from agent_channels.sandbox.multipart import NestedMultipartError, read_multipart
from agent_channels.sandbox.slack.errors import SlackError, invalid_arguments
from agent_channels.sandbox.slack.records import Conversation, ts_key
from agent_channels.sandbox.slack.state import SlackState

__all__ = ["Handler", "Method", "MethodCall", "Methods", "read_request"]

MAX_BODY = 4 << 20

Handler: TypeAlias = Callable[["MethodCall"], Any]
H = TypeVar("H", bound=Handler)


@dataclass
class MethodCall:
    """The arguments of a call; forms carry all of them as texts, JSON in these too."""

    state: SlackState
    values: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        """Return an argument as a text."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        """Return an argument that must be there. Raises SlackError invalid_arguments."""
        value = self.text(name)
        if not value:
            raise invalid_arguments(f"missing required field: {name}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return an argument that is true or false."""
        value = self.values.get(name)
        return default if value is None else str(value).lower() in {"1", "true"}

    def limit(self, default: int, most: int) -> int:
        """Return `limit`, at most `most`. Raises SlackError invalid_limit."""
        value = self.text("limit")
        if not value:
            return default
        if not value.isascii() or not value.isdecimal() or int(value) < 1:
            raise SlackError("invalid_limit")
        return min(int(value), most)

    def json(self, name: str, error: str) -> Any:
        """Return an argument that is JSON, in a form as a text; None when it is missing. Raises SlackError."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise SlackError(error) from None

    def ts(self, name: str, error: str) -> int | None:
        """Return a timestamp as its key, None when it is missing. Raises SlackError."""
        value = self.text(name)
        try:
            return ts_key(value) if value else None
        except ValueError:
            raise SlackError(error) from None

    def conversation(self, scope: str = "") -> Conversation:
        """Return the conversation `channel`; `scope` is the last part of the scope it needs, such as "history".

        Raises SlackError channel_not_found or missing_scope.
        """
        found = self.state.conversation(self.required("channel"))
        if scope:
            self.state.require(f"{found.scope}:{scope}")
        return found


@dataclass(frozen=True)
class Method:
    """A method: its handler, the scope it needs ("" for none), the kind of token, and whether it reads JSON bodies."""

    handler: Handler
    scope: str = ""
    app_token: bool = False
    takes_json: bool = True


class Methods:
    """A decorator with the table it fills, by method name."""

    def __init__(self) -> None:
        self.table: dict[str, Method] = {}

    def __call__(
        self, name: str, scope: str = "", *, app_token: bool = False, takes_json: bool = True
    ) -> Callable[[H], H]:
        """Enter the function under a name."""

        def enter(handler: H) -> H:
            self.table[name] = Method(handler, scope, app_token, takes_json)
            return handler

        return enter


async def read_request(read: MethodCall, request: web.Request, *, takes_json: bool) -> None:
    """Read the arguments into a call. Raises SlackError for a body that is of another type, or is no JSON object."""
    read.values |= request.query
    if request.method == "GET" or not request.can_read_body:
        return
    if request.content_type == "application/json":
        body = await request.read()
        if request.charset is None:
            read.warnings.append("missing_charset")
        if not takes_json:
            return
        try:
            decoded = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise SlackError("invalid_json") from None
        if not isinstance(decoded, dict):
            raise SlackError("json_not_object")
        read.values |= decoded
    elif request.content_type == "multipart/form-data":
        try:
            form = await read_multipart(request, MAX_BODY)
        except NestedMultipartError:
            raise SlackError("invalid_form_data") from None
        read.values |= {name: value.decode("utf-8", "replace") for name, value in form.values.items()}
    elif request.content_type in {"application/x-www-form-urlencoded", "application/octet-stream"}:
        read.values |= {name: str(value) for name, value in (await request.post()).items()}
    else:
        raise SlackError("invalid_post_type")
