"""A Messages API on loopback for a real agent host: what the model says is written by the test."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

__all__ = ["Asked", "Block", "Script", "ScriptedModel", "say", "use"]

Block = dict[str, Any]


def say(text: str) -> Block:
    """The model says something."""
    return {"type": "text", "text": text}


def use(tool: str, **arguments: Any) -> Block:
    """The model uses a tool."""
    return {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:20]}", "name": tool, "input": arguments}


@dataclass(frozen=True)
class Asked:
    """One request of the agent's. `at`: when it came, as `time.perf_counter()`."""

    body: dict[str, Any]
    at: float

    @property
    def tools(self) -> list[str]:
        """The tools the model may use."""
        return [str(tool["name"]) for tool in self.body.get("tools", ())]

    @property
    def turns(self) -> list[tuple[str, str]]:
        """The conversation as (role, all its text)."""
        return [(str(message["role"]), _text(message["content"])) for message in self.body["messages"]]

    @property
    def latest(self) -> str:
        """All that came since the model last spoke."""
        found: list[str] = []
        for role, text in reversed(self.turns):
            if role == "assistant":
                break
            found.append(text)
        return "\n".join(reversed(found))

    @property
    def text(self) -> str:
        """The whole conversation."""
        return "\n".join(text for _, text in self.turns)


Script = Callable[[Asked], Awaitable[list[Block]]]


class ScriptedModel:
    """Answers the agent's requests by `script`; requests without tools (titles and the like) get a plain word."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.others: list[str] = []
        self.failed: list[BaseException] = []
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._changed = asyncio.Event()

    @property
    def root(self) -> str:
        """What the host takes for the vendor's API."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 26)
        self.add_routes(app.router)
        app.router.add_route("*", "/{rest:.*}", self._other)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds the vendor's methods; what a host asks besides is answered with an empty object."""
        router.add_post("/v1/messages", self._messages)

    async def blocks_for(self, asked: Asked) -> list[Block]:
        """What the model says to a request, which is noted."""
        if not asked.tools:
            return [say("ok")]
        self.asked.append(asked)
        self._changed.set()
        self._changed = asyncio.Event()
        try:
            return await self.script(asked)
        except Exception as error:  # noqa: BLE001 - told to the test, which fails
            self.failed.append(error)
            return [say(f"the script failed: {error!r}")]

    async def wait_for(self, predicate: Callable[[], bool], timeout: float = 30) -> None:
        """Waits until what the agent asked makes `predicate` true."""
        async with asyncio.timeout(timeout):
            while not predicate():
                await self._changed.wait()

    async def _other(self, request: web.Request) -> web.Response:
        self.others.append(f"{request.method} {request.path}")
        return web.json_response({})

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        blocks = await self.blocks_for(Asked(body, time.perf_counter()))
        if not body.get("stream"):
            return web.json_response(_message(body, blocks))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in _events(_message(body, blocks)):
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await response.write_eof()
        return response


def _message(body: dict[str, Any], blocks: list[Block]) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex[:20]}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "scripted"),
        "content": blocks,
        "stop_reason": "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }


def _events(message: dict[str, Any]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    ]
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events += [
            {"type": "content_block_start", "index": index, "content_block": start},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    return [
        *events,
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 10}},
        {"type": "message_stop"},
    ]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(part) for part in content)
    if isinstance(content, dict):
        if content.get("type") == "tool_use":
            return ""
        return _text(content.get("text", content.get("content", "")))
    return ""
