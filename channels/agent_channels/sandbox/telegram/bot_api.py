"""The Bot API on the wire: `/bot<token>/<method>` and `/file/bot<token>/<path>`."""

from __future__ import annotations

import hmac
import inspect
import json
import re
import time
from typing import Any

from aiohttp import web

from agent_channels.sandbox.faults import Fault, Faults
from agent_channels.sandbox.server import Call
from agent_channels.sandbox.telegram.errors import BotApiError, too_many
from agent_channels.sandbox.telegram.methods import METHODS
from agent_channels.sandbox.telegram.params import Params, read_params
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["TOKEN", "BotApi"]

TOKEN = re.compile(r"([1-9]\d{0,15}):([A-Za-z0-9_-]{30,})")
CHUNK = 1 << 16
JSON_FIELDS = """allowed_updates caption_entities commands entities link_preview_options media message_ids options
reaction reply_markup reply_parameters scope"""
# Faults after which the bot has no answer, so that the call is recorded without a status.
UNHEARD = {"drop_before", "drop_after", "drop_body", "silence"}


class BotApi:
    """Reads calls, lets faults have their way, executes methods, records the calls. `token` is the one accepted."""

    def __init__(self, state: TelegramState, faults: Faults, token: str) -> None:
        self.state = state
        self.faults = faults
        self.token = token

    def add_routes(self, app: web.Application) -> None:
        """Enters the paths into the application, and a 404 for all others."""
        app.router.add_route("*", "/bot{token:[^/]*}/{method:[^/]*}", self._on_method)
        app.router.add_get("/file/bot{token:[^/]*}/{path:.+}", self._on_file)
        app.router.add_route("*", "/{rest:.*}", self._on_nothing)

    async def _on_method(self, request: web.Request) -> web.StreamResponse:
        return await self.faults.guard(request, lambda: self._answer(request))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        at, name, params, code = time.monotonic(), request.match_info["method"], Params(), 0
        try:
            params = await self._admit(request)
            fault = self.faults.take(name, params.integer("chat_id") or None)
            slow_down = too_many(fault.retry_after if fault else 1)
            response = await self.faults.run(
                fault, request, lambda: self._execute(name, params), lambda: _answered(slow_down)
            )
            unheard = fault is not None and fault.kind in UNHEARD
            code = 0 if unheard else response.status
        except BotApiError as refusal:
            code = refusal.code
            response = _refused(refusal)
        finally:
            # a poll whose client has gone is recorded too, as unanswered
            self.state.calls.append(Call(name, _readable(params), at, code))
            self.state.changed()
        return response

    async def _admit(self, request: web.Request) -> Params:
        try:
            params = await read_params(request)
        finally:
            self._check_token(request.match_info["token"])
        return params

    def _check_token(self, token: str) -> None:
        if TOKEN.fullmatch(token) is None:
            raise BotApiError(404, "Not Found")
        if not hmac.compare_digest(token, self.token):
            raise BotApiError(401, "Unauthorized")

    async def _execute(self, name: str, params: Params) -> web.StreamResponse:
        handler = METHODS.get(name.lower())
        if handler is None:
            return _refused(BotApiError(404, "Not Found"))
        try:
            result = handler(self.state, params)
            if inspect.isawaitable(result):
                result = await result
        except BotApiError as refusal:
            return _refused(refusal)
        return _json({"ok": True, "result": result}, 200)

    async def _on_file(self, request: web.Request) -> web.StreamResponse:
        return await self.faults.guard(request, lambda: self._download(request))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_token(request.match_info["token"])
        except BotApiError as refusal:
            return _refused(refusal)
        fault = self.faults.take("download", None)
        slow_down = too_many(fault.retry_after if fault else 1)
        return await self.faults.run(fault, request, lambda: self._stream(request, fault), lambda: _answered(slow_down))

    async def _stream(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        stored = self.state.files.by_path.get(request.match_info["path"])
        if stored is None:
            return _refused(BotApiError(404, "Not Found"))
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

    async def _on_nothing(self, _request: web.Request) -> web.StreamResponse:
        return _refused(BotApiError(404, "Not Found"))


def _readable(params: Params) -> dict[str, Any]:
    shown = {name: _decoded(name, value) for name, value in params.values.items()}
    return {**shown, **params.files}


def _decoded(name: str, value: Any) -> Any:
    if name not in JSON_FIELDS.split() or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _json(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(status=status, text=json.dumps(body), content_type="application/json")


def _refused(refusal: BotApiError) -> web.Response:
    return _json(refusal.payload(), refusal.code)


async def _answered(refusal: BotApiError) -> web.StreamResponse:
    return _refused(refusal)
