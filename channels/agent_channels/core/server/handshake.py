"""The handshake, answered before the SDK is imported: a host that starts its servers one by one waits for nothing else.

The SDK then reads the same `initialize`, and its answer is dropped, since the host has one. Anything but a plain
handshake is left to the SDK from its first byte.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from agent_channels.core.host.protocol import CHANNEL, PERMISSION
from agent_channels.core.server.exit import leave
from agent_channels.core.server.stdin import LineTooLong, Source

__all__ = ["VERSIONS", "Handshake", "answer_handshake", "initialize_result"]

# The revisions with an `initialize` handshake, oldest first; a host that asks for another one is offered the latest.
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
INVALID_REQUEST, METHOD_NOT_FOUND = -32600, -32601


@dataclass(slots=True)
class Handshake:
    """Where the conversation stands: the rest of stdin, lines the SDK must still read, ids of answered requests.

    `started`: the SDK reads for itself.
    """

    source: Source
    replay: list[bytes] = field(default_factory=list)
    answered: set[str | int] = field(default_factory=set)
    started: bool = False

    def leave_at_hangup(self) -> None:
        """End the process if the host goes away with nothing left to read, before the SDK reads for itself."""
        if not hasattr(select, "poll"):
            return

        def wait() -> None:
            poll = select.poll()
            # No event is asked for: only a hang-up is reported.
            poll.register(self.source.fd, 0)
            poll.poll()
            if not self.started and self.source.exhausted():
                leave()

        threading.Thread(target=wait, daemon=True, name="hangup").start()


def answer_handshake(name: str, version: str, instructions: str) -> Handshake:
    """Answer probes and `initialize` on stdin and stdout; return at the first line that is neither."""
    handshake = Handshake(Source(_take_stdin()))
    while True:
        try:
            line = handshake.source.readline()
        except LineTooLong as problem:
            refusal = {"code": INVALID_REQUEST, "message": str(problem)}
            _write({"jsonrpc": "2.0", "id": None, "error": refusal})
            continue
        if not line:
            leave()
        message = _parse(line)
        match message.get("method"):
            case "server/discover" if "id" in message:
                error = {"code": METHOD_NOT_FOUND, "message": "Method not found", "data": "server/discover"}
                _write({"jsonrpc": "2.0", "id": message["id"], "error": error})
            case "initialize" if _is_plain(message):
                result = initialize_result(name, version, instructions, message["params"]["protocolVersion"])
                _write({"jsonrpc": "2.0", "id": message["id"], "result": result})
                handshake.answered.add(message["id"])
                handshake.replay.append(line)
                handshake.leave_at_hangup()
                return handshake
            case _:
                handshake.replay.append(line)
                return handshake


def initialize_result(name: str, version: str, instructions: str, wanted: str) -> dict[str, Any]:
    """Return the result of `initialize` as the SDK's server would; `wanted` is the host's protocol version."""
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
        "capabilities": {
            "experimental": {CHANNEL: {}, PERMISSION: {}},
            "prompts": {"listChanged": False},
            "tools": {"listChanged": False},
        },
        "serverInfo": {"name": name, "version": version},
        "instructions": instructions,
    }


def _is_plain(message: dict[str, Any]) -> bool:
    """Return True if the SDK would accept this `initialize` too; if in doubt, the SDK decides."""
    params, client = message.get("params"), None
    if isinstance(params, dict):
        client = params.get("clientInfo")
    return (
        message.get("jsonrpc") == "2.0"
        and type(message.get("id")) in {str, int}
        and isinstance(params, dict)
        and isinstance(params.get("protocolVersion"), str)
        and isinstance(params.get("capabilities"), dict)
        and isinstance(client, dict)
        and isinstance(client.get("name"), str)
        and isinstance(client.get("version"), str)
    )


def _parse(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _write(message: dict[str, Any]) -> None:
    # ASCII, in one write: nothing else has written to this pipe yet.
    data = json.dumps(message).encode() + b"\n"
    try:
        while data:
            data = data[os.write(1, data) :]
    except BrokenPipeError:
        leave()


def _take_stdin() -> int:
    """Return a private descriptor of standard input; 0 then reads the null device, so no child reads from the host."""
    if sys.platform == "win32":
        return 0
    private = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return private
