"""A small HTTP interface for acting in a sandbox, for any platform.

Bodies are JSON whatever the content type says. Answers are `{"ok": true, ...}` or `{"ok": false, "error", "next"}`.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web

__all__ = [
    "Action",
    "Body",
    "ControlError",
    "ControlInterface",
    "json_body",
    "json_handler",
    "query_parameters",
    "required",
]

Body: TypeAlias = dict[str, Any]
Action: TypeAlias = Callable[[Body], Awaitable[Body]]
Read: TypeAlias = Callable[[web.Request], Awaitable[Body]]

EXAMPLES = "GET /control/ shows examples"


class ControlError(Exception):
    """The request cannot be carried out; `next_step` says what would work."""

    def __init__(self, error: str, next_step: str = EXAMPLES) -> None:
        super().__init__(error)
        self.next_step = next_step


def required(body: Body, name: str) -> Any:
    """A value that must be there. Raises ControlError."""
    if body.get(name) in (None, ""):
        raise ControlError(f"{name} is missing", f'add "{name}"; {EXAMPLES}')
    return body[name]


async def json_body(request: web.Request) -> Body:
    """The JSON object of a POST; nothing at all is an empty one. Raises ControlError."""
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise ControlError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise ControlError("the body is not a JSON object")
    return body


async def query_parameters(request: web.Request) -> Body:
    """The query of a GET."""
    return dict(request.query)


def json_handler(act: Action, read: Read) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler that reads the request, acts, and tells what is wrong in words: 400 for the caller's mistakes.

    403 for what a web page from elsewhere asks, in the browser of whoever runs the sandbox.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        if _is_foreign(request):
            return _json({"ok": False, "error": "asked by another site's page", "next": "use curl, or a script"}, 403)
        try:
            result = await act(await read(request))
        except ControlError as error:
            return _json({"ok": False, "error": str(error), "next": error.next_step}, 400)
        except (LookupError, ValueError, TypeError) as error:
            return _json({"ok": False, "error": str(error), "next": EXAMPLES}, 400)
        return _json({"ok": True, **result}, 200)

    return answer


def _is_foreign(request: web.Request) -> bool:
    """Whether a browser asks for another site, by that site's own name or by one that it made point to loopback."""
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
        here = name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        here = False
    origin = request.headers.get("Origin")
    return not here or (origin is not None and origin != f"http://{request.host}")


def _json(body: Body, status: int) -> web.Response:
    text = json.dumps(body, ensure_ascii=False, default=str)
    return web.Response(status=status, text=text + "\n", content_type="application/json")


class ControlInterface:
    """The paths of a control interface: name -> (what it does, an example), to POST and to GET."""

    acts: dict[str, tuple[Action, str]]
    reads: dict[str, tuple[Action, str]]

    def add_routes(self, app: web.Application) -> None:
        """Enters the paths into the application."""
        for name, (act, _) in self.acts.items():
            app.router.add_post(f"/control/{name}", json_handler(act, json_body))
        for name, (read, _) in self.reads.items():
            app.router.add_get(f"/control/{name}", json_handler(read, query_parameters))
        app.router.add_route("*", "/control/{rest:.*}", json_handler(self.help, query_parameters))

    async def help(self, _body: Body) -> Body:
        """Every path with an example."""
        posts = [f"POST /control/{name} {example}" for name, (_, example) in self.acts.items()]
        return {"paths": [*posts, *(f"GET /control/{name}{example}" for name, (_, example) in self.reads.items())]}
