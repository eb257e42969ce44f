"""The control interface: act in a sandbox over HTTP, from a script or with curl, under `/control/`.

Every request carries the sandbox's secret: `Authorization: Bearer SECRET`. Bodies are JSON whatever the content type
says. Answers are `{"ok": true, ...}` or `{"ok": false, "error", "next"}`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from aiohttp import web

from agent_channels.page.guard import WebHandler, bearer, error_response, is_secret
from agent_channels.page.json_api import Action, Body, RequestError, json_body, json_handler
from agent_channels.sandbox.faults import KINDS, Faults
from agent_channels.sandbox.server import SandboxState

__all__ = [
    "EXAMPLES",
    "ControlError",
    "ControlInterface",
    "file_content",
    "named_place",
    "required",
    "wait_for_answer",
]

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

EXAMPLES = "GET /control/ shows examples"
MAX_WAIT_S = 60.0


class ControlError(RequestError):
    """The request cannot be carried out; `next_step` says what would work."""

    def __init__(self, error: str, next_step: str = EXAMPLES) -> None:
        super().__init__(error, next_step)


# --- requests and responses


def required(body: Body, name: str) -> Any:
    """Return a value of the body. Raises ControlError when it is missing, null or empty."""
    if body.get(name) in (None, ""):
        raise ControlError(f"{name} is missing", f'add "{name}"; {EXAMPLES}')
    return body[name]


def file_content(body: Body) -> bytes | None:
    """Return the bytes in `content` (text) or `base64`, None when there is neither. Raises ControlError."""
    if "content" in body:
        return str(body["content"]).encode()
    if "base64" not in body:
        return None
    try:
        return base64.b64decode(body["base64"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ControlError("base64 does not decode", 'use "content" for plain text') from None


def named_place(
    body: Body, kind: str, find: Callable[[str], T | None], names: Iterable[str], *, made_by: str
) -> T | None:
    """Return the place that `chat` names; None if it names nothing, or the person who acts: their chat with the bot.

    `names` are those of all such places, `made_by` the action that makes one. Raises ControlError if there is no such
    place.
    """
    name = body.get("chat")
    if name is None or str(name) == body.get("as"):
        return None
    if (place := find(str(name))) is None:
        known = ", ".join(names) or "none yet"
        raise ControlError(f"no {kind} {name!r}", f"POST /control/{made_by} first; {kind}s: {known}")
    return place


async def query_parameters(request: web.Request) -> Body:
    """Return the query of a GET."""
    return dict(request.query)


class Answerable(Protocol[T_co]):
    """A tap or command that the bot answers."""

    @property
    def answer(self) -> T_co | None:
        """The bot's answer so far."""

    async def answered(self, timeout: float) -> T_co:
        """Wait for the bot's answer. Raises TimeoutError."""


async def wait_for_answer(tap: Answerable[T], body: Body) -> T | None:
    """Return the bot's answer to a tap, waiting for `wait` seconds of the body; None when there is none by then."""
    if not (wait_s := min(float(body.get("wait") or 0), MAX_WAIT_S)):
        return tap.answer
    try:
        return await tap.answered(wait_s)
    except TimeoutError:
        return None


# --- the interface


class ControlInterface:
    """The paths of a control interface, by name: `actions` are POST, `queries` GET, each with an example.

    Holds what is the same on every platform: `faults`, `clock`, `flood`, `calls` and `wait`. A platform adds its own.
    """

    # What the platform calls an API method: "method" or "route".
    method_name = "method"
    calls_example = "?method=sendMessage"

    def __init__(
        self, state: SandboxState, faults: Faults, set_flood: Callable[[float | None, int], None], secret: str
    ) -> None:
        self.state = state
        self._secret = secret
        self._faults = faults
        self._set_flood = set_flood
        self.actions: dict[str, tuple[Action, str]] = {
            "faults": (self.faults, '{"kind": "error", "status": 500, "times": 1} or {"down": 5} or {"clear": true}'),
            "clock": (self.clock, '{"advance": 61}'),
            "flood": (self.flood, '{"per_s": 1, "burst": 3} or {"off": true}'),
        }
        self.queries: dict[str, tuple[Action, str]] = {
            "calls": (self.calls, self.calls_example),
            "wait": (self.wait, "?since=0&timeout=30"),
        }

    def add_routes(self, app: web.Application) -> None:
        """Add the paths to the application."""
        for name, (action, _) in self.actions.items():
            app.router.add_post(f"/control/{name}", self._authorized(json_handler(action, json_body, EXAMPLES)))
        for name, (query, _) in self.queries.items():
            app.router.add_get(f"/control/{name}", self._authorized(json_handler(query, query_parameters, EXAMPLES)))
        help_ = self._authorized(json_handler(self.help, query_parameters, EXAMPLES))
        app.router.add_route("*", "/control/{rest:.*}", help_)

    def _authorized(self, handler: WebHandler) -> WebHandler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if is_secret(bearer(request), self._secret):
                return await handler(request)
            problem = "the secret is wrong" if bearer(request) else "the secret is missing"
            how = (
                'send "Authorization: Bearer SECRET"; the address that `channels sandbox` prints ends in the secret, '
                "and the commands that `--keep` prints carry it"
            )
            return error_response(401, problem, how)

        return handle

    async def help(self, _body: Body) -> Body:
        """List every path with an example."""
        posts = [f"POST /control/{name} {example}" for name, (_, example) in self.actions.items()]
        return {"paths": [*posts, *(f"GET /control/{name}{example}" for name, (_, example) in self.queries.items())]}

    async def faults(self, body: Body) -> Body:
        """Clear all faults (`clear`), take the server down (`down` seconds), or add a rule (`kind`)."""
        if body.get("clear"):
            self._faults.clear()
        if "down" in body:
            self._faults.down(float(body["down"]))
        if "kind" in body or not body.keys() & {"clear", "down"}:
            kind = body.get("kind")
            if kind not in KINDS:
                raise ControlError(f"no fault kind {kind!r}", f"use one of {', '.join(KINDS)}")
            names = ("method", "chat", "times", "status", "body", "retry_after", "seconds")
            self._faults.add(kind, **{name: body[name] for name in names if name in body})
        return {"rules": len(self._faults.rules), "down": self._faults.is_down}

    async def clock(self, body: Body) -> Body:
        """Move the clock forward by `advance` seconds."""
        self.state.advance(float(required(body, "advance")))
        return {"now": self.state.now()}

    async def flood(self, body: Body) -> Body:
        """Set the flood rule: `per_s` messages a second into one chat, `burst` at once; `off` switches it off."""
        self._set_flood(None if body.get("off") else float(body.get("per_s", 1)), int(body.get("burst", 3)))
        return {}

    async def calls(self, query: Body) -> Body:
        """Return the bot's calls, all or those of one method."""
        name = self.method_name
        calls = self.state.calls_of(query[name]) if query.get(name) else self.state.calls
        return {
            "calls": [
                {name: call.method, "params": call.params, "at": call.at, "code": call.response_code} for call in calls
            ]
        }

    async def wait(self, query: Body) -> Body:
        """Wait up to `timeout` seconds until the change counter is above `since`; return the counter either way."""
        since, timeout = int(query.get("since", self.state.changes)), float(query.get("timeout", 30))
        try:
            await self.state.wait_for(lambda: self.state.changes > since or None, min(timeout, MAX_WAIT_S))
        except TimeoutError:
            return {"changes": self.state.changes, "changed": False}
        return {"changes": self.state.changes, "changed": True}
