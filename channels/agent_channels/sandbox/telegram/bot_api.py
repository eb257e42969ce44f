"""The Bot API over HTTP: `/bot<token>/<method>` and `/file/bot<token>/<path>`."""

from __future__ import annotations

import inspect
import json
import re
import time
from typing import Any

from aiohttp import web

from agent_channels.page.guard import is_secret
from agent_channels.sandbox.faults import Fault, Faults
from agent_channels.sandbox.server import Call
from agent_channels.sandbox.telegram.errors import BotApiError, not_found, too_many, unauthorized, unknown_method
from agent_channels.sandbox.telegram.methods import METHODS
from agent_channels.sandbox.telegram.params import Params, read_params
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["TOKEN", "BotApiServer", "bot_api_faults"]

TOKEN = re.compile(r"([1-9]\d{0,15}):([A-Za-z0-9_-]{30,})")
CHUNK = 1 << 16
# Parameters that are JSON; they are recorded decoded.
JSON_PARAMS = """allowed_updates caption_entities commands entities ephemeral_message_parameters
link_preview_options media message_ids options reaction reply_markup reply_parameters rich_message scope"""


def bot_api_faults() -> Faults:
    """Return faults that answer in the Bot API's format."""
    return Faults(
        error_body=lambda status: BotApiError(status, "Internal Server Error").payload(),
        rate_limited=lambda seconds: _refuse(too_many(seconds)),
    )


class BotApiServer:
    """Reads calls, applies faults, executes methods and records the calls. `token` is the only one accepted.

    `beside` are other bots at the same address, each with its own token.
    """

    def __init__(self, state: TelegramState, faults: Faults, token: str) -> None:
        self.state = state
        self.faults = faults
        self.token = token
        self.beside: list[BotApiServer] = []

    def _of(self, request: web.Request) -> BotApiServer:
        """Return the bot whose token a request names; this one for any other token."""
        given = request.match_info["token"]
        return next((one for one in self.beside if is_secret(given, one.token)), self)

    def add_routes(self, app: web.Application) -> None:
        """Add the paths to the application, with a 404 for all others."""
        app.router.add_route("*", "/bot{token:[^/]*}/{method:[^/]*}", self._on_method)
        app.router.add_get("/file/bot{token:[^/]*}/{path:.+}", self._on_file)
        app.router.add_route("*", "/{rest:.*}", self._on_unknown_path)

    # --- methods

    async def _on_method(self, request: web.Request) -> web.StreamResponse:
        bot = self._of(request)
        return await bot.faults.guard(request, lambda: bot._respond(request))  # noqa: SLF001 - of this class

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        at, name, params, code = time.monotonic(), request.match_info["method"], Params(), 0
        try:
            params = await self._read_call(request)
            fault = self.faults.take(name, params.integer("chat_id") or None)
            response = await self.faults.apply(fault, request, lambda: self._execute(name, params))
            code = 0 if fault is not None and fault.hides_response else response.status
        except BotApiError as refusal:
            code = refusal.code
            response = _refuse(refusal)
        finally:
            # A poll whose client has disconnected is recorded too, as unanswered.
            self.state.record(Call(name, _recorded(params), at, code))
        return response

    async def _read_call(self, request: web.Request) -> Params:
        try:
            params = await read_params(request)
        finally:
            self._check_token(request.match_info["token"])
        return params

    def _check_token(self, token: str) -> None:
        if TOKEN.fullmatch(token) is None:
            raise not_found()
        if not is_secret(token, self.token):
            raise unauthorized()

    async def _execute(self, name: str, params: Params) -> web.StreamResponse:
        handler = METHODS.get(name.lower())
        try:
            if handler is None:
                raise unknown_method()
            result = handler(self.state, params)
            if inspect.isawaitable(result):
                result = await result
        except BotApiError as refusal:
            return _refuse(refusal)
        return _json({"ok": True, "result": result}, 200)

    # --- files

    async def _on_file(self, request: web.Request) -> web.StreamResponse:
        bot = self._of(request)
        return await bot.faults.guard(request, lambda: bot._download(request))  # noqa: SLF001 - of this class

    async def _download(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_token(request.match_info["token"])
        except BotApiError as refusal:
            return _refuse(refusal)
        fault = self.faults.take("download", None)
        return await self.faults.apply(fault, request, lambda: self._send_file(request, fault))

    async def _send_file(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        stored = self.state.files.by_path.get(request.match_info["path"])
        if stored is None:
            return _refuse(not_found())
        if fault is not None and fault.kind == "slow":
            return web.Response(body=stored.data, content_type="application/octet-stream")
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        response.content_length = stored.size
        await response.prepare(request)
        broken = fault is not None and fault.kind == "drop_body"
        data = memoryview(stored.data)[: stored.size // 2 if broken else stored.size]
        for start in range(0, len(data), CHUNK):
            await response.write(data[start : start + CHUNK])
        if broken and request.transport is not None:
            request.transport.close()
        else:
            await response.write_eof()
        return response

    async def _on_unknown_path(self, _request: web.Request) -> web.StreamResponse:
        return _refuse(not_found())


def _recorded(params: Params) -> dict[str, Any]:
    return {**{name: _decoded(name, value) for name, value in params.values.items()}, **params.files}


def _decoded(name: str, value: Any) -> Any:
    if name not in JSON_PARAMS.split() or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _json(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")


def _refuse(refusal: BotApiError) -> web.Response:
    return _json(refusal.payload(), refusal.code)
