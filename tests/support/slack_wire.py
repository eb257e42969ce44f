"""Slack's wire without a library's opinions: the Web API, and a socket that answers what it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import aiohttp

from agent_channels.sandbox.slack.sandbox import SlackSandbox

__all__ = ["Api", "Connect", "Socket", "actions", "button", "section"]

WAIT_S = 10.0


class Api:
    """A Web API client without checks of its own: `await api("auth.test")` returns the body."""

    def __init__(self, session: aiohttp.ClientSession, slack: SlackSandbox) -> None:
        self.session, self.slack = session, slack
        self.headers: dict[str, str] = {}
        self.status = 0

    async def __call__(self, method: str, *, token: str | None = None, **params: Any) -> dict[str, Any]:
        """Call with JSON."""
        return await self.post(f"/api/{method}", token=token, json=params)

    async def form(self, method: str, *, token: str | None = None, **params: Any) -> dict[str, Any]:
        """Call with a form, whose values are texts."""
        values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        return await self.post(f"/api/{method}", token=token, data=values)

    async def ok(self, method: str, *, token: str | None = None, **params: Any) -> dict[str, Any]:
        """Call with a form; the answer must be a success."""
        body = await self.form(method, token=token, **params)
        assert body["ok"] is True, body
        return body

    async def refused(self, method: str, *, token: str | None = None, **params: Any) -> str:
        """Call with a form; return the error."""
        body = await self.form(method, token=token, **params)
        assert body["ok"] is False, body
        return str(body["error"])

    async def problems(self, method: str, **params: Any) -> list[str]:
        """Call with a form; return what was wrong with its blocks, without the pointers' brackets."""
        body = await self.form(method, **params)
        assert body["ok"] is False, body
        assert body["response_metadata"]["messages"] == [f"[ERROR] {one}" for one in body["errors"]]
        return [one.replace(" [json-pointer:", " ").rstrip("]") for one in body["errors"]]

    async def post(self, path: str, *, token: str | None = None, **options: Any) -> dict[str, Any]:
        given = self.slack.token if token is None else token
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        url = path if path.startswith("http") else self.slack.root + path
        async with self.session.post(url, headers=headers, **options) as response:
            self.headers, self.status = dict(response.headers), response.status
            body: dict[str, Any] = json.loads(await response.read())
            return body

    async def control(self, path: str, **body: Any) -> dict[str, Any]:
        # Without a JSON content type, as `curl -d` sends it.
        url, data = f"{self.slack.root}/control/{path}", json.dumps(body).encode()
        async with self.session.post(url, data=data, headers=self.slack.authorization) as response:
            self.status = response.status
            answer: dict[str, Any] = json.loads(await response.read())
            return answer

    async def query(self, path: str) -> dict[str, Any]:
        url = f"{self.slack.root}/control/{path}"
        async with self.session.get(url, headers=self.slack.authorization) as response:
            self.status = response.status
            answer: dict[str, Any] = json.loads(await response.read())
            return answer


class Socket:
    """One WebSocket, past its hello."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.hello: dict[str, Any] = {}
        self.pings: list[bytes] = []

    async def next(self, kind: str = "") -> dict[str, Any]:
        """Return the next text, which must be of this kind; pings are answered."""
        while True:
            message = await asyncio.wait_for(self.ws.receive(), WAIT_S)
            if message.type is aiohttp.WSMsgType.PING:
                self.pings.append(message.data)
                await self.ws.pong(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                body: dict[str, Any] = json.loads(message.data)
                assert kind in {"", body["type"]}, body
                return body
            elif message.type is not aiohttp.WSMsgType.PONG:
                raise ConnectionError(message.type.name)

    async def event(self, *, ack: bool = True) -> dict[str, Any]:
        """Return the next event, and acknowledge it."""
        envelope = await self.next("events_api")
        if ack:
            await self.ack(envelope)
        event: dict[str, Any] = envelope["payload"]["event"]
        return event

    async def ack(self, envelope: dict[str, Any], payload: Any = None) -> None:
        body = {"envelope_id": envelope["envelope_id"]}
        await self.ws.send_str(json.dumps(body if payload is None else {**body, "payload": payload}))

    async def ended(self) -> None:
        """Wait until the other side ends it, with a close frame or without."""
        while True:
            message = await asyncio.wait_for(self.ws.receive(), WAIT_S)
            if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}:
                return
            if message.type is aiohttp.WSMsgType.ERROR:
                return


Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Socket]]


def section(text: str, kind: str = "mrkdwn", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": kind, "text": text}, **more}


def button(label: str, action_id: str = "", **more: Any) -> dict[str, Any]:
    made = {"type": "button", "text": {"type": "plain_text", "text": label}, **more}
    return {**made, "action_id": action_id} if action_id else made


def actions(*elements: Any, **more: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements), **more}
