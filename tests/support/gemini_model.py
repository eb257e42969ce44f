"""The same scripted model behind Google's Generative Language API, which Gemini CLI speaks."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from scripted_model import Asked, Block, ScriptedModel, say

__all__ = ["GeminiAsked", "GeminiModel"]

# Both in one path of a request: `models/NAME:METHOD`.
GENERATE, STREAM, COUNT = "generateContent", "streamGenerateContent", "countTokens"
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20}


@dataclass(frozen=True)
class GeminiAsked(Asked):
    """One request, as the Generative Language API has it."""

    @property
    def tools(self) -> list[str]:
        """The tools the model may use."""
        declared = [one for tool in self.body.get("tools") or () for one in tool.get("functionDeclarations") or ()]
        return [str(one["name"]) for one in declared]

    @property
    def turns(self) -> list[tuple[str, str]]:
        """The conversation as (role, all its text); the model's role is `assistant`, as in the other APIs."""
        said = [(str(content.get("role", "user")), content.get("parts") or ()) for content in self.body["contents"]]
        return [("assistant" if role == "model" else role, "\n".join(map(_text, parts))) for role, parts in said]


class GeminiModel(ScriptedModel):
    """Answers generateContent and streamGenerateContent by the same scripts as `ScriptedModel`."""

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds the methods of every model."""
        router.add_post("/{version:v1(beta)?}/models/{call}", self._generate)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        name, _, method = request.match_info["call"].partition(":")
        if method == COUNT:
            return web.json_response({"totalTokens": 10})
        if method not in {GENERATE, STREAM}:
            return web.json_response({"error": {"code": 404, "message": f"no method {method}"}}, status=404)
        body = await request.json()
        if schema := body.get("generationConfig", {}).get("responseJsonSchema"):
            # From 30 steps of one turn on, Gemini CLI asks so whether it runs in circles: 0 is no.
            return web.json_response(_answer(name, [say(json.dumps(_instance(schema)))]))
        answer = _answer(name, await self.blocks_for(GeminiAsked(body, time.perf_counter())))
        if method == GENERATE:
            return web.json_response(answer)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"data: {json.dumps(answer)}\n\n".encode())
        await response.write_eof()
        return response


def _answer(name: str, blocks: list[Block]) -> dict[str, Any]:
    content = {"role": "model", "parts": [_part(block) for block in blocks]}
    candidate = {"index": 0, "content": content, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": name}


def _instance(schema: dict[str, Any]) -> Any:
    """The least value of a schema."""
    match schema.get("type"):
        case "object":
            return {name: _instance(one) for name, one in schema.get("properties", {}).items()}
        case "array":
            return []
        case "number" | "integer":
            return 0
        case "boolean":
            return False
        case _:
            return schema.get("enum", ["ok"])[0]


def _part(block: Block) -> dict[str, Any]:
    if block["type"] == "tool_use":
        return {"functionCall": {"id": block["id"], "name": block["name"], "args": block["input"]}}
    return {"text": block["text"]}


def _text(part: dict[str, Any]) -> str:
    if "functionResponse" in part:
        return "\n".join(_strings(part["functionResponse"].get("response")))
    return str(part.get("text", ""))


def _strings(value: object) -> list[str]:
    """Every text in a tool's result, however the host nested it."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _strings(one)]
