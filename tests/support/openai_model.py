"""The same scripted model behind OpenAI's Chat Completions API, which most hosts and agent libraries speak."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from scripted_model import Asked, Block, ScriptedModel

__all__ = ["OpenAIAsked", "OpenAIModel"]

MODEL = "scripted"
# Where a host's own API begins differs: some add /v1 to what they are given, some do not.
PATHS = ("/chat/completions", "/v1/chat/completions")
LISTS = ("/models", "/v1/models")


@dataclass(frozen=True)
class OpenAIAsked(Asked):
    """One request, as the Chat Completions API has it."""

    @property
    def tools(self) -> list[str]:
        """The tools the model may use."""
        return [str(tool["function"]["name"]) for tool in self.body.get("tools") or () if "function" in tool]

    @property
    def turns(self) -> list[tuple[str, str]]:
        """The conversation as (role, all its text); the result of a tool is said by `tool`."""
        return [(str(message["role"]), _text(message.get("content"))) for message in self.body["messages"]]


class OpenAIModel(ScriptedModel):
    """Answers Chat Completions, streamed or whole, by the same scripts as `ScriptedModel`."""

    @property
    def base_url(self) -> str:
        """What a host takes for the API's base URL."""
        return f"{self.root}/v1"

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds the completions, and a list of the one model."""
        for path in PATHS:
            router.add_post(path, self._completions)
        for path in LISTS:
            router.add_get(path, self._models)

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "tests", "context_length": 1_000_000}
        return web.json_response({"object": "list", "data": [model]})

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        message = _message(await self.blocks_for(OpenAIAsked(body, time.perf_counter())))
        if not body.get("stream"):
            return web.json_response(_whole(body, message))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for chunk in _chunks(body, message):
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def _message(blocks: list[Block]) -> dict[str, Any]:
    calls = [
        {
            "id": f"call_{uuid.uuid4().hex[:20]}",
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for block in blocks
        if block["type"] == "tool_use"
    ]
    said = "\n".join(block["text"] for block in blocks if block["type"] == "text")
    return {"role": "assistant", "content": said or None, **({"tool_calls": calls} if calls else {})}


def _ending(message: dict[str, Any]) -> str:
    return "tool_calls" if "tool_calls" in message else "stop"


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    made = {"id": f"chatcmpl-{uuid.uuid4().hex[:20]}", "object": kind, "created": int(time.time())}
    return {**made, "model": body.get("model", MODEL)}


USAGE = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


def _whole(body: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": _ending(message), "logprobs": None}
    return {**_head(body, "chat.completion"), "choices": [choice], "usage": USAGE}


def _chunks(body: dict[str, Any], message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = _head(body, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], ending: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": ending, "logprobs": None}]}

    yield chunk({"role": "assistant", "content": message["content"] or ""})
    for index, call in enumerate(message.get("tool_calls", ())):
        # As the real one does: the name first, then the arguments in pieces.
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        opened = {"index": index, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        yield chunk({"tool_calls": [opened]})
        middle = len(arguments) // 2
        for piece in (arguments[:middle], arguments[middle:]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _ending(message))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": USAGE}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""
