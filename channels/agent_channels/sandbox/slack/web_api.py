"""Slack over HTTP: `/api/METHOD`, uploads, private downloads, response URLs, and `/link/` for Socket Mode."""

from __future__ import annotations

import json
import math
import secrets
import time
from typing import Any

from aiohttp import web

from agent_channels.page.guard import bearer, is_secret
from agent_channels.sandbox.multipart import NestedMultipartError, read_multipart
from agent_channels.sandbox.server import Call
from agent_channels.sandbox.slack import (
    chat_methods,
    conversation_methods,
    file_methods,
    reaction_methods,
    user_methods,
)
from agent_channels.sandbox.slack.errors import RateLimitedError, SlackError, missing_scope
from agent_channels.sandbox.slack.faults import SlackFaults
from agent_channels.sandbox.slack.interactions import AppInteractions
from agent_channels.sandbox.slack.rate_limits import MethodLimits
from agent_channels.sandbox.slack.request import Method, MethodCall, read_request
from agent_channels.sandbox.slack.socket_mode import SocketMode
from agent_channels.sandbox.slack.state import SlackState

__all__ = ["Tokens", "WebApi", "rate_limited"]

MAX_UPLOAD = 1 << 27


class Tokens:
    """The app's two tokens, and those that were revoked."""

    def __init__(self, bot: str, app: str) -> None:
        self.bot, self.app = bot, app
        self.revoked: set[str] = set()

    def check(self, given: str, method: Method) -> None:
        """Raise SlackError unless a token may call a method."""
        if not given:
            raise SlackError("not_authed")
        if given in self.revoked:
            raise SlackError("token_revoked")
        right, other = (self.app, self.bot) if method.app_token else (self.bot, self.app)
        if is_secret(given, other):
            raise SlackError("not_allowed_token_type")
        if not is_secret(given, right):
            raise SlackError("invalid_auth")


class WebApi:
    """Reads calls, applies faults, executes methods and records the calls."""

    def __init__(
        self,
        state: SlackState,
        faults: SlackFaults,
        socket: SocketMode,
        interactions: AppInteractions,
        limits: MethodLimits,
        tokens: Tokens,
    ) -> None:
        self.state = state
        self.faults = faults
        self.socket = socket
        self.interactions = interactions
        self.limits = limits
        self.tokens = tokens
        self._table: dict[str, Method] = {
            "apps.connections.open": Method(self._open_connection, "connections:write", app_token=True),
            **user_methods.method.table,
            **conversation_methods.method.table,
            **chat_methods.method.table,
            **reaction_methods.method.table,
            **file_methods.method.table,
            **self.interactions.views.method.table,
        }

    def add_routes(self, app: web.Application) -> None:
        """Add the paths to the application."""
        app.router.add_route("*", "/api/{method}", self._on_call)
        app.router.add_route("*", "/upload/v1/{ticket}", self._on_upload)
        app.router.add_get("/files-pri/{rest:.+}", self._on_download)
        app.router.add_get("/signin", self._on_sign_in)
        app.router.add_post("/response/{token}", self._on_response_url)
        app.router.add_get("/link/", self._on_socket)

    def _open_connection(self, _request: MethodCall) -> dict[str, Any]:
        return {"url": self.socket.open_url()}

    # --- calls

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        return await self.faults.guard(request, lambda: self._respond(request, request.match_info["method"]))

    def _method(self, name: str) -> Method:
        if name not in self._table:
            raise SlackError("unknown_method", req_method=name)
        return self._table[name]

    async def _respond(self, request: web.Request, name: str) -> web.StreamResponse:
        at, code, read = time.monotonic(), 0, MethodCall(self.state)
        try:
            method = self._method(name)
            await read_request(read, request, takes_json=method.takes_json)
            # "passing it as a POST parameter will result in an error"
            given = bearer(request) or ("no" if method.app_token and read.text("token") else read.text("token"))
            read.values.pop("token", None)
            fault = self.faults.take(name, str(read.values.get("channel") or read.values.get("channel_id") or ""))

            async def execute() -> web.StreamResponse:
                return self._execute(name, method, given, read)

            response = await self.faults.apply(fault, request, execute)
            code = 0 if fault is not None and fault.hides_response else response.status
        except SlackError as refusal:
            response = _answer(refusal.payload(), read, {})
            code = response.status
        finally:
            self.state.record(Call(name, dict(read.values), at, code))
        return response

    def _execute(self, name: str, method: Method, given: str, read: MethodCall) -> web.StreamResponse:
        headers = {"x-slack-req-id": secrets.token_hex(16)}
        try:
            self.tokens.check(given, method)
            scopes = self.state.app.app_scopes if method.app_token else self.state.app.bot_scopes
            headers |= {"x-oauth-scopes": ",".join(scopes), "x-accepted-oauth-scopes": method.scope}
            if method.scope and method.scope not in scopes:
                raise missing_scope(method.scope, scopes)
            self.limits.take(name, read.text("channel"))
            result = method.handler(read)
        except RateLimitedError as refusal:
            return rate_limited(math.ceil(refusal.retry_after))
        except SlackError as refusal:
            return _answer(refusal.payload(), read, headers)
        return _answer({"ok": True, **(result or {})}, read, headers)

    # --- files

    async def _on_upload(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("upload", "")

        async def upload() -> web.StreamResponse:
            at, file = time.monotonic(), self.state.files.of_ticket(request.match_info["ticket"])
            if file is None or file.data is not None or request.method not in {"POST", "PUT"}:
                return web.Response(status=404, text="NOT FOUND")
            if request.content_type == "multipart/form-data":
                try:
                    body = await read_multipart(request, MAX_UPLOAD)
                except NestedMultipartError:
                    return web.Response(status=400, text="bad multipart")
                data = body.files[0].data if body.files else b""
            else:
                data = await request.read()
            code = 200 if len(data) == file.length else 400
            if code == 200:
                file.data = data
            self.state.record(Call("upload", {"file": file.id, "bytes": len(data)}, at, code))
            text = f"OK - {len(data)}" if code == 200 else f"expected {file.length} bytes, got {len(data)}"
            return web.Response(status=code, text=text)

        return await self.faults.guard(request, lambda: self.faults.apply(fault, request, upload))

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("download", "")

        async def download() -> web.StreamResponse:
            file = self.state.files.find(request.path)
            authorized = is_secret(bearer(request), self.tokens.bot) and "files:read" in self.state.app.bot_scopes
            if not authorized:
                # Slack refuses nobody here: it sends them to a page to sign in, with 200.
                raise web.HTTPFound(f"/signin?redir={request.path}")
            if file is None or file.data is None:
                return web.Response(status=404, text="not found")
            mime = str(self.state.files.file_object(file.id)["mimetype"])
            self.state.record(Call("download", {"file": file.id}, time.monotonic(), 200))
            return web.Response(body=file.data, headers={"Content-Type": mime})

        return await self.faults.guard(request, lambda: self.faults.apply(fault, request, download))

    async def _on_sign_in(self, _request: web.Request) -> web.StreamResponse:
        page = "<!DOCTYPE html><html><head><title>Slack</title></head><body>Sign in to your workspace</body></html>"
        return web.Response(text=page, content_type="text/html")

    # --- response URLs and sockets

    async def _on_response_url(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("response_url", "")

        async def respond() -> web.StreamResponse:
            at = time.monotonic()
            try:
                body = json.loads(await request.read())
            except ValueError:
                body = None
            if isinstance(body, dict):
                status, answer = self.interactions.respond(request.match_info["token"], body)
            else:
                status, answer = 400, {"ok": False, "error": "invalid_payload"}
            self.state.record(Call("response_url", body if isinstance(body, dict) else {}, at, status))
            if answer.get("ok"):
                return web.Response(text="ok")
            return web.json_response(answer, status=status)

        return await self.faults.guard(request, lambda: self.faults.apply(fault, request, respond))

    async def _on_socket(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("socket", "")
        return await self.faults.guard(
            request, lambda: self.faults.apply(fault, request, lambda: self.socket.serve(request))
        )


def rate_limited(seconds: int) -> web.Response:
    """Return Slack's 429."""
    body = json.dumps({"ok": False, "error": "ratelimited"}).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "Retry-After": str(max(seconds, 1))}
    return web.Response(status=429, body=body, headers=headers)


def _answer(body: dict[str, Any], read: MethodCall, headers: dict[str, str]) -> web.Response:
    if read.warnings:
        metadata = {**body.get("response_metadata", {}), "warnings": read.warnings}
        body = {**body, "warning": ",".join(read.warnings), "response_metadata": metadata}
    content_type = {"Content-Type": "application/json; charset=utf-8"}
    return web.Response(body=json.dumps(body).encode(), headers={**headers, **content_type})
