"""MCP as lines of JSON-RPC, and what is answered without the channel: the handshake and the lists.

It imports nothing heavy: a host's start-up waits for these answers and for nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agent_channels.core.host.protocol import CHANNEL, PERMISSION

__all__ = [
    "CONNECTION_CLOSED",
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "LISTED",
    "METHOD_NOT_FOUND",
    "VERSIONS",
    "HostMessage",
    "McpConversation",
    "RequestId",
    "RpcError",
    "encode",
    "error_response",
    "parse",
    "response",
]

# The revisions with an `initialize` handshake, oldest first; a host that asks for another one is offered the latest.
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
# The tools as `tools/list` shows them, with `{formats}` where the platform's text formats stand. Written by
# `python -m tests.support.reference` from the tools' own models, which take long to import.
LISTED = "listed_tools.json"
INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32600, -32601, -32602, -32603
# Of the SDKs' own.
CONNECTION_CLOSED = -32000
METHODS = frozenset({"ping", "tools/list", "tools/call", "prompts/list", "prompts/get"})
RequestId = int | str


class HostMessage(NamedTuple):
    """A request or a notification of the host's; a notification has no id. `params` is not checked."""

    method: str
    params: Any
    id: RequestId | None


class RpcError(Exception):
    """A request is answered by an error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


def parse(line: str | bytes) -> HostMessage | None:
    """Return a request or notification; None for anything else: we ask nothing, so no response means anything here."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("jsonrpc") != "2.0" or not isinstance(found.get("method"), str):
        return None
    request_id = found.get("id")
    return HostMessage(found["method"], found.get("params"), request_id if type(request_id) in {int, str} else None)


def response(request_id: RequestId | None, result: dict[str, Any]) -> dict[str, Any]:
    """Return the response to a request, with its result."""
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def error_response(request_id: RequestId | None, error: RpcError) -> dict[str, Any]:
    """Return the response to a request that failed; `request_id` None: it could not be read."""
    told = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "id": request_id, "error": told}


def encode(message: dict[str, Any]) -> bytes:
    """Return a message that holds only what we or the host wrote as a line, in ASCII."""
    return json.dumps(message).encode() + b"\n"


class McpConversation:
    """How far the conversation with a host is, and what can be answered without the channel."""

    def __init__(self, name: str, version: str, instructions: str, prompts: Mapping[str, tuple[str, str]]) -> None:
        """`prompts`: name -> (description, text)."""
        self.name, self._version, self._instructions = name, version, instructions
        self._prompts = dict(prompts)
        # The host's name and version as it gave them.
        self.client = ""
        # Whether the host may ask for more than a ping, and whether it awaits notifications.
        self.open = self.initialized = False
        # When the host was, by this process's clock.
        self.initialized_at = 0.0
        # What the channel's texts may look like, which the descriptions of the tools say.
        self.formats = ""

    def begin(self) -> None:
        """Take in that the host is initialized."""
        self.open = self.initialized = True
        self.note_time()

    def note_time(self) -> None:
        """Take in when the host was initialized, which may be before there is time for it."""
        self.initialized_at = self.initialized_at or time.monotonic()

    def answer(self, request: HostMessage) -> dict[str, Any] | None:
        """Return the result of a request; None for a tool call, which is the channel's.

        Raises `RpcError`, and `OSError` if the list of tools cannot be read.
        """
        method, params = request.method, {} if request.params is None else request.params
        if method != "initialize" and method not in METHODS:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        if not isinstance(params, dict) or not (self.open or method in {"initialize", "ping"}):
            raise _invalid()
        match method:
            case "initialize":
                return self._initialize(params)
            case "ping":
                return {}
            case "tools/list":
                return {"tools": self._tools()}
            case "prompts/list":
                found = [{"name": name, "description": description} for name, (description, _) in self._prompts.items()]
                return {"prompts": found}
            case "prompts/get":
                return self._prompt(params.get("name"))
        if not isinstance(params.get("name"), str) or not isinstance(params.get("arguments"), dict | None):
            raise _invalid()
        return None

    def _initialize(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted, client = params.get("protocolVersion"), params.get("clientInfo")
        if not isinstance(wanted, str) or not isinstance(params.get("capabilities"), dict):
            raise _invalid()
        if not isinstance(client, dict):
            raise _invalid()
        name, version = client.get("name"), client.get("version")
        if not isinstance(name, str) or not isinstance(version, str):
            raise _invalid()
        self.client, self.open = f"{name} {version}".strip(), True
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
            "capabilities": {
                "experimental": {CHANNEL: {}, PERMISSION: {}},
                "prompts": {"listChanged": False},
                "tools": {"listChanged": False},
            },
            "serverInfo": {"name": self.name, "version": self._version},
            "instructions": self._instructions,
        }

    def _tools(self) -> list[dict[str, Any]]:
        tools: list[dict[str, Any]] = json.loads(Path(__file__).with_name(LISTED).read_bytes())
        for tool in tools:
            tool["description"] = tool["description"].replace("{formats}", self.formats)
        return tools

    def _prompt(self, name: object) -> dict[str, Any]:
        if not isinstance(name, str):
            raise _invalid()
        if name not in self._prompts:
            raise RpcError(INVALID_PARAMS, f"there is no prompt {name!r}")
        description, text = self._prompts[name]
        return {"description": description, "messages": [{"role": "user", "content": {"type": "text", "text": text}}]}


def _invalid() -> RpcError:
    return RpcError(INVALID_PARAMS, "Invalid request parameters", "")
