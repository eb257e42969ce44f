"""The handshake, answered before the SDK is imported: a host that starts its servers one by one waits for nothing else.

The SDK then gets the same `initialize` to read, and its answer is dropped, since the host has one. Whatever is not a
plain handshake is left to the SDK from its first byte.
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
from agent_channels.core.server.stdin import Source

__all__ = ["VERSIONS", "Handshake", "greet", "greeting"]

# The revisions with an `initialize` handshake, oldest first; a host that asks for another one is offered the latest.
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
METHOD_NOT_FOUND = -32601


@dataclass(slots=True)
class Handshake:
    """Where the conversation stands: the rest of stdin, lines the SDK must still read, requests answered already."""

    source: Source
    replay: list[bytes] = field(default_factory=list)
    answered: set[str | int] = field(default_factory=set)
    started: bool = False

    def leave_at_hangup(self) -> None:
        """Ends the process if the host goes away, with nothing left to read, before the SDK reads for itself."""
        if not hasattr(select, "poll"):
            return

        def wait() -> None:
            poll = select.poll()
            # No event asked for: only a hang-up is reported.
            poll.register(self.source.fd, 0)
            poll.poll()
            if not self.started and self.source.exhausted():
                leave()

        threading.Thread(target=wait, daemon=True, name="hangup").start()


def greet(name: str, version: str, instructions: str) -> Handshake:
    """Answers probes and `initialize` on stdin/stdout, and returns at the first line that is neither."""
    opening = Handshake(Source(_claimed()))
    while True:
        line = opening.source.readline()
        if not line:
            leave()
        message = _parsed(line)
        match message.get("method"):
            case "server/discover" if "id" in message:
                error = {"code": METHOD_NOT_FOUND, "message": "Method not found", "data": "server/discover"}
                _write({"jsonrpc": "2.0", "id": message["id"], "error": error})
            case "initialize" if _plain(message):
                result = greeting(name, version, instructions, message["params"]["protocolVersion"])
                _write({"jsonrpc": "2.0", "id": message["id"], "result": result})
                opening.answered.add(message["id"])
                opening.replay.append(line)
                opening.leave_at_hangup()
                return opening
            case _:
                opening.replay.append(line)
                return opening


def greeting(name: str, version: str, instructions: str, asked: str) -> dict[str, Any]:
    """The result of `initialize`, as the SDK's server would give it."""
    return {
        "protocolVersion": asked if asked in VERSIONS else VERSIONS[-1],
        "capabilities": {
            "experimental": {CHANNEL: {}, PERMISSION: {}},
            "prompts": {"listChanged": False},
            "tools": {"listChanged": False},
        },
        "serverInfo": {"name": name, "version": version},
        "instructions": instructions,
    }


def _plain(message: dict[str, Any]) -> bool:
    """Whether the SDK would accept this `initialize` too; if in doubt, it is asked."""
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


def _parsed(line: bytes) -> dict[str, Any]:
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


def _claimed() -> int:
    """Standard input for ourselves; the descriptor is pointed at the null device, so that no child reads the host."""
    if sys.platform == "win32":
        return 0
    private = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return private
