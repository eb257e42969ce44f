"""Discord over HTTP: `/api/v10/...`, `/gateway`, `/resume`, and `/attachments/...` for downloads."""

from __future__ import annotations

import json
import math
import re
import time
from typing import Any

from aiohttp import web

from agent_channels.page.guard import WebHandler, is_secret
from agent_channels.sandbox.discord import channel_routes, message_routes
from agent_channels.sandbox.discord.errors import DiscordError, not_found, refused, too_many, unauthorized
from agent_channels.sandbox.discord.faults import DiscordFaults
from agent_channels.sandbox.discord.gateway import Gateway
from agent_channels.sandbox.discord.interactions import InteractionApi
from agent_channels.sandbox.discord.rate_limits import RateLimits
from agent_channels.sandbox.discord.request import Handler, Request, read_request
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.server import Call

__all__ = ["RestApi", "rate_limited"]

# A header of the proxy in front of Discord; discord.py takes a 429 without it for a ban.
VIA = {"Via": "1.1 google"}


class RestApi:
    """Reads calls, applies faults, executes routes and records the calls."""

    def __init__(
        self,
        state: DiscordState,
        faults: DiscordFaults,
        gateway: Gateway,
        interactions: InteractionApi,
        limits: RateLimits,
    ) -> None:
        self.state = state
        self.faults = faults
        self.gateway = gateway
        self.interactions = interactions
        self.limits = limits
        self.gateway_url = ""
        self.beside: list[RestApi] = []
        """Those of other bots at the same address."""
        self._table: dict[tuple[str, str], tuple[Handler, bool]] = {
            ("GET", "/gateway"): (self._get_gateway, False),
            ("GET", "/gateway/bot"): (self._get_gateway_bot, True),
            **channel_routes.route.table,
            **message_routes.route.table,
            **self.interactions.route.table,
            **self.interactions.commands.route.table,
        }

    def add_routes(self, app: web.Application) -> None:
        """Add the paths to the application, with a 404 for all others."""
        for method, path in self._table:
            app.router.add_route(method, f"/api/{{version}}{path}", self._web_handler(method, path))
        for path in ("/gateway", "/gateway/", "/resume", "/resume/"):
            app.router.add_get(path, self._on_gateway)
        app.router.add_get("/attachments/{rest:.+}", self._on_download)
        app.router.add_route("*", "/{rest:.*}", self._web_handler("", ""))

    def _get_gateway(self, _request: Request) -> dict[str, Any]:
        return {"url": self.gateway_url}

    def _get_gateway_bot(self, _request: Request) -> dict[str, Any]:
        limit = self.gateway.sessions.start_limit()
        return {"url": self.gateway_url, "shards": 1, "session_start_limit": limit}

    # --- calls

    def _web_handler(self, method: str, path: str) -> WebHandler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._of(request)._handle(request, method, path)  # noqa: SLF001 - of this class

        return handle

    async def _handle(self, request: web.Request, method: str, path: str) -> web.StreamResponse:
        handler, token = self._table.get((method, path), (_unknown_route, False))
        template = f"{method} {path}".strip()
        return await self.faults.guard(request, lambda: self._respond(request, template, handler, token=token))

    def _of(self, request: web.Request) -> RestApi:
        """Return the bot that a request is from, by its token or by that of an interaction; this one if by neither."""
        given, interaction = request.headers.get("Authorization", "").partition(" ")[2], request.match_info.get("token")
        for one in self.beside:
            if (given and is_secret(given, one.gateway.token)) or interaction in one.interactions.by_token:
                return one
        return self

    async def _respond(
        self, request: web.Request, template: str, handler: Handler, *, token: bool
    ) -> web.StreamResponse:
        at, code, read = time.monotonic(), 0, Request(self.state)
        name = f"{request.method} {re.sub(r'^/api/[^/]*', '', request.path)}"
        try:
            self._check_request(request, token=token)
            read = await read_request(self.state, request)
            channel = read.path.get("channel_id", "")
            fault = self.faults.take(name, int(channel) if channel.isdecimal() else None)

            async def execute() -> web.StreamResponse:
                return self._execute(name, template, handler, read)

            response = await self.faults.apply(fault, request, execute)
            code = 0 if fault is not None and fault.hides_response else response.status
        except DiscordError as refusal:
            code = refusal.status
            response = _refuse(refusal)
        finally:
            files = {"files": read.files} if read.files else {}
            items = {} if read.items is None else {"items": read.items}
            self.state.record(Call(name, {**read.query, **read.values, **items, **files}, at, code))
        return response

    def _check_request(self, request: web.Request, *, token: bool) -> None:
        if request.match_info.get("version", "v10") != "v10":
            raise refused(50041)
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if token and not (scheme == "Bot" and is_secret(given, self.gateway.token)):
            raise unauthorized()

    def _execute(self, name: str, template: str, handler: Handler, read: Request) -> web.StreamResponse:
        headers, refusal = self.limits.take(name, template, read.path)
        try:
            if refusal is not None:
                raise refusal
            result = handler(read)
        except DiscordError as error:
            return _refuse(error, headers)
        if result is None:
            return web.Response(status=204, headers={**headers, **VIA})
        return _json(result, 200, headers)

    # --- gateway and downloads

    async def _on_gateway(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("gateway", None)
        return await self.faults.guard(
            request, lambda: self.faults.apply(fault, request, lambda: self.gateway.serve(request))
        )

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("download", None)

        async def download() -> web.StreamResponse:
            stores = (one.state.files for one in (self, *self.beside))
            found = (store.find(request.path, dict(request.query)) for store in stores)
            attachment = next(filter(None, found), None)
            if attachment is None:
                return web.Response(status=404, text="This content is no longer available.")
            return web.Response(body=attachment.data, headers={"Content-Type": attachment.mime})

        return await self.faults.guard(request, lambda: self.faults.apply(fault, request, download))


def rate_limited(seconds: int) -> web.Response:
    """Return Discord's 429."""
    return _refuse(too_many(seconds))


def _unknown_route(_request: Request) -> None:
    raise not_found()


def _json(body: Any, status: int, headers: dict[str, str]) -> web.Response:
    # No charset: discord.py takes "application/json; charset=utf-8" for text.
    content_type = {"Content-Type": "application/json"}
    return web.Response(status=status, body=json.dumps(body).encode(), headers={**headers, **content_type, **VIA})


def _refuse(refusal: DiscordError, headers: dict[str, str] | None = None) -> web.Response:
    if refusal.status == 429:
        after = max(math.ceil(refusal.extra["retry_after"]), 1)
        headers = {"X-RateLimit-Scope": "user", **(headers or {}), "Retry-After": str(after)}
    return _json(refusal.payload(), refusal.status, headers or {})
