"""Requests in JSON. Answers are `{"ok": true, ...}` or `{"ok": false, "error", "next"}`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web

from agent_channels.page.guard import WebHandler, error_response, json_response

__all__ = ["Action", "Body", "ReadRequest", "RequestError", "json_body", "json_handler"]

Body: TypeAlias = dict[str, Any]
Action: TypeAlias = Callable[[Body], Awaitable[Body]]
ReadRequest: TypeAlias = Callable[[web.Request], Awaitable[Body]]


class RequestError(Exception):
    """The request cannot be carried out; `next_step` says what would work."""

    def __init__(self, error: str, next_step: str) -> None:
        super().__init__(error)
        self.next_step = next_step


async def json_body(request: web.Request) -> Body:
    """Return the JSON object of a POST, {} for an empty body. Raises `RequestError`."""
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        raise RequestError("the body is not JSON", "send a JSON object") from None
    if not isinstance(body, dict):
        raise RequestError("the body is not a JSON object", "send a JSON object")
    return body


def json_handler(action: Action, read: ReadRequest, next_step: str) -> WebHandler:
    """Return an aiohttp handler that reads the request, acts, and answers in JSON: 200, or 400 for a wrong request.

    `next_step` is what a wrong request is told if the error does not say more.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            result = await action(await read(request))
        except RequestError as error:
            return error_response(400, str(error), error.next_step)
        except (LookupError, ValueError, TypeError) as error:
            return error_response(400, str(error), next_step)
        return json_response({"ok": True, **result}, 200)

    return handle
