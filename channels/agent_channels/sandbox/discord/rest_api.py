"""Discord on the wire: `/api/v10/...`, `/gateway`, `/resume`, and `/attachments/...` for downloads."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from aiohttp import web

from agent_channels.sandbox.discord import channel_routes as discord_places
from agent_channels.sandbox.discord import message_routes as discord_messages
from agent_channels.sandbox.discord.errors import UNAUTHORIZED, DiscordError, refused, too_many
from agent_channels.sandbox.discord.faults import DiscordFaults
from agent_channels.sandbox.discord.gateway import Gateway
from agent_channels.sandbox.discord.interactions import InteractionApi
from agent_channels.sandbox.discord.rate_limits import RateLimits
from agent_channels.sandbox.discord.request import Handler, Request, read_request
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.server import Call

__all__ = ["TOKEN", "DiscordApi"]

# id, time and signature, each in base64
TOKEN = re.compile(r"[A-Za-z0-9_-]{24,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}")
MAJOR = ("channel_id", "guild_id", "application_id", "interaction_id")
NOT_FOUND = DiscordError(404, 0, "404: Not Found")
# Faults after which the bot has no answer, so that the call is recorded without a status.
UNHEARD = {"drop_before", "drop_after", "drop_body", "silence"}
# What stands between Discord and its clients; discord.py takes a 429 without it for a ban.
VIA = {"Via": "1.1 google"}


class DiscordApi:
    """Reads calls, lets faults have their way, executes routes, records the calls."""

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

    def add_routes(self, app: web.Application) -> None:
        """Enters the paths into the application, and a 404 for all others."""
        own = {("GET", "/gateway"): (self._gateway, False), ("GET", "/gateway/bot"): (self._gateway_bot, True)}
        own_tables = (self.interactions.route.table, self.interactions.commands.route.table)
        tables = (discord_places.route.table, discord_messages.route.table, *own_tables)
        for (method, path), (handler, token) in [*own.items(), *(one for table in tables for one in table.items())]:
            app.router.add_route(
                method, f"/api/{{version}}{path}", self._answering(f"{method} {path}", handler, token=token)
            )
        for path in ("/gateway", "/gateway/", "/resume", "/resume/"):
            app.router.add_get(path, self._on_gateway)
        app.router.add_get("/attachments/{rest:.+}", self._on_download)
        app.router.add_route("*", "/{rest:.*}", self._answering("", _missing, token=False))

    def _gateway(self, _request: Request) -> dict[str, Any]:
        return {"url": self.gateway_url}

    def _gateway_bot(self, _request: Request) -> dict[str, Any]:
        limit = self.gateway.sessions.start_limit()
        return {"url": self.gateway_url, "shards": 1, "session_start_limit": limit}

    # --- calls

    def _answering(self, template: str, handler: Handler, *, token: bool) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await self.faults.guard(request, lambda: self._answer(request, template, handler, token=token))

        return answer

    async def _answer(
        self, request: web.Request, template: str, handler: Handler, *, token: bool
    ) -> web.StreamResponse:
        at, code, read = time.monotonic(), 0, Request(self.state)
        name = f"{request.method} {re.sub(r'^/api/[^/]*', '', request.path)}"
        try:
            self._admit(request, token=token)
            read = await read_request(self.state, request)
            channel = read.path.get("channel_id", "")
            fault = self.faults.take(name, int(channel) if channel.isdecimal() else None)

            async def execute() -> web.StreamResponse:
                return self._execute(name, template, handler, read)

            async def flood() -> web.StreamResponse:
                return _refused(too_many(fault.retry_after if fault else 1))

            response = await self.faults.run(fault, request, execute, flood)
            code = 0 if fault is not None and fault.kind in UNHEARD else response.status
        except DiscordError as refusal:
            code = refusal.status
            response = _refused(refusal)
        finally:
            files = {"files": read.files} if read.files else {}
            listed = {} if read.items is None else {"items": read.items}
            self.state.calls.append(Call(name, {**read.query, **read.values, **listed, **files}, at, code))
            self.state.changed()
        return response

    def _admit(self, request: web.Request, *, token: bool) -> None:
        if request.match_info.get("version", "v10") != "v10":
            raise refused(50041)
        if token and (not self.gateway.token or request.headers.get("Authorization") != f"Bot {self.gateway.token}"):
            raise UNAUTHORIZED

    def _execute(self, name: str, template: str, handler: Handler, read: Request) -> web.StreamResponse:
        major = ":".join(read.path[one] for one in MAJOR if one in read.path)
        headers, refusal = self.limits.take(name, template, major)
        try:
            if refusal is not None:
                raise refusal
            result = handler(read)
        except DiscordError as error:
            return _refused(error, headers)
        if result is None:
            return web.Response(status=204, headers={**headers, **VIA})
        return _json(result, 200, headers)

    # --- the rest

    async def _on_gateway(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("gateway", None)

        async def serve() -> web.StreamResponse:
            return await self.gateway.serve(request)

        async def flood() -> web.StreamResponse:
            return _refused(too_many(fault.retry_after if fault else 1))

        return await self.faults.guard(request, lambda: self.faults.run(fault, request, serve, flood))

    async def _on_download(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.take("download", None)

        async def download() -> web.StreamResponse:
            file = self.state.files.found(request.path, dict(request.query))
            if file is None:
                return web.Response(status=404, text="This content is no longer available.")
            return web.Response(body=file.data, headers={"Content-Type": file.mime})

        async def flood() -> web.StreamResponse:
            return _refused(too_many(fault.retry_after if fault else 1))

        return await self.faults.guard(request, lambda: self.faults.run(fault, request, download, flood))


def _missing(_request: Request) -> None:
    raise NOT_FOUND


def _json(body: Any, status: int, headers: dict[str, str]) -> web.Response:
    # exactly this type: discord.py reads "application/json; charset=utf-8" as text
    kind = {"Content-Type": "application/json"}
    return web.Response(status=status, body=json.dumps(body).encode(), headers={**headers, **kind, **VIA})


def _refused(refusal: DiscordError, headers: dict[str, str] | None = None) -> web.Response:
    if refusal.status == 429:
        after = refusal.extra["retry_after"]
        headers = {"X-RateLimit-Scope": "user", **(headers or {}), "Retry-After": str(max(int(-(-after // 1)), 1))}
    return _json(refusal.payload(), refusal.status, headers or {})
