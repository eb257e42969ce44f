"""A Responses API on loopback for a real agent host, streaming: what the model says is written by the test."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from scripted_model import Asked, Block, ScriptedModel

__all__ = ["ResponsesAsked", "ResponsesModel"]


@dataclass(frozen=True)
class ResponsesAsked(Asked):
    """One request of the agent's."""

    @property
    def tools(self) -> list[str]:
        """The tools the model may use; those of an MCP server by their full names."""
        return [name for tool in self.body.get("tools", ()) for name in _names(tool)]

    @property
    def turns(self) -> list[tuple[str, str]]:
        """The conversation as (role, all its text); what tools return counts as the user's."""
        turns: list[tuple[str, str]] = []
        for item in self.body["input"]:
            if item["type"] == "message":
                turns.append((item["role"], "\n".join(part.get("text", "") for part in item["content"])))
            elif item["type"] == "function_call_output":
                turns.append(("user", _output(item["output"])))
            else:
                turns.append(("assistant", ""))
        return turns


class ResponsesModel(ScriptedModel):
    """As `ScriptedModel`, for hosts that speak the Responses API."""

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds the vendor's methods."""
        router.add_post("/v1/responses", self._responses)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        asked = ResponsesAsked(await request.json(), time.perf_counter())
        items = [_item(block, asked.body) for block in await self.blocks_for(asked)]
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in _events(items):
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await response.write_eof()
        return response


def _names(tool: dict[str, Any]) -> list[str]:
    if tool["type"] == "namespace":
        return [f"{tool['name']}__{inner['name']}" for inner in tool["tools"]]
    return [str(tool.get("name", tool["type"]))]


def _output(output: Any) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(str(part.get("text", "")) for part in output if isinstance(part, dict))


def _item(block: Block, body: dict[str, Any]) -> dict[str, Any]:
    """A block of the Messages API as an item of this one."""
    if block["type"] == "text":
        content = [{"type": "output_text", "text": block["text"], "annotations": []}]
        return {"type": "message", "id": _id("msg"), "role": "assistant", "status": "completed", "content": content}
    called = {"name": block["name"]}
    for tool in body.get("tools", ()):
        if tool["type"] == "namespace" and block["name"].startswith(f"{tool['name']}__"):
            called = {"name": block["name"].removeprefix(f"{tool['name']}__"), "namespace": tool["name"]}
    return {
        "type": "function_call",
        "id": _id("fc"),
        "call_id": _id("call"),
        "status": "completed",
        "arguments": json.dumps(block["input"]),
        **called,
    }


def _events(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    usage = {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    response = {"id": _id("resp"), "object": "response", "status": "completed", "output": items, "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}
    ]
    for index, item in enumerate(items):
        events += [
            {"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "in_progress"}},
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]
    return [*events, {"type": "response.completed", "response": response}]


def _id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:24]}"
