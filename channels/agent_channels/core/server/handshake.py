"""The handshake and the list of tools, answered before the SDK is imported: a host's start-up waits for nothing else.

The SDK then reads the same requests, and its answers are dropped, since the host has one. Anything but a plain
handshake is left to the SDK from its first byte.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from agent_channels.core.host.protocol import CHANNEL, PERMISSION
from agent_channels.core.limits import files_are_scarce
from agent_channels.core.server.exit import leave
from agent_channels.core.server.stdin import LineTooLong, Source

__all__ = ["LISTED", "VERSIONS", "Handshake", "answer_handshake", "initialize_result"]

# The revisions with an `initialize` handshake, oldest first; a host that asks for another one is offered the latest.
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
# The list of tools as `tools/list` shows it, with `{formats}` where the platform's text formats stand.
LISTED = "listed_tools.json"
INVALID_REQUEST, METHOD_NOT_FOUND = -32600, -32601


@dataclass(slots=True)
class Handshake:
    """Where the conversation stands: the rest of stdin, lines the SDK must still read, ids of answered requests."""

    source: Source
    replay: list[bytes] = field(default_factory=list)
    answered: set[str | int] = field(default_factory=set)
    _listening: threading.Thread | None = None
    _stop: int = -1
    # What the channel's texts may look like, once that is known.
    _formats: str | None = None
    _known: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Answer `tools/list`, and end the process if the host goes away, until `stop_listening`."""
        if hasattr(select, "poll") and not files_are_scarce():
            stopped, self._stop = os.pipe()
            self._listening = threading.Thread(target=partial(self._listen, stopped), daemon=True, name="listening")
            self._listening.start()

    def list_tools_with(self, formats: str) -> None:
        """Say in which formats the channel takes texts, which the descriptions of the tools name."""
        self._formats = formats
        self._known.set()

    def stop_listening(self) -> None:
        """From now on the SDK reads for itself, beginning with `replay`."""
        if self._listening is not None:
            os.close(self._stop)
            self._known.set()
            self._listening.join()
            self._listening = None

    def _listen(self, stopped: int) -> None:
        """Read what a host asks while it starts; what only the SDK can answer waits for it."""
        waits = False
        while True:
            try:
                line = self.source.readline_until(stopped)
            except LineTooLong as problem:
                _refuse(problem)
                continue
            if line is None or (not line and waits):
                break
            if not line:
                leave()
            self.replay.append(line)
            message = _parse(line)
            if message.get("method") == "tools/list" and type(message.get("id")) in {str, int}:
                self._known.wait()
                if self._formats is not None and _list_tools(message["id"], self._formats):
                    self.answered.add(message["id"])
                    continue
            waits |= not str(message.get("method")).startswith("notifications/")
        os.close(stopped)


def answer_handshake(name: str, version: str, instructions: str) -> Handshake:
    """Answer probes and `initialize` on stdin and stdout; return at the first line that is neither."""
    handshake = Handshake(Source(_take_stdin()))
    while True:
        try:
            line = handshake.source.readline()
        except LineTooLong as problem:
            _refuse(problem)
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
                handshake.listen()
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


def _list_tools(request_id: str | int, formats: str) -> bool:
    """Answer `tools/list` as the SDK would; return False if that has to be left to the SDK."""
    try:
        # Written by `python -m tests.support.reference` from the tools themselves.
        tools = json.loads(Path(__file__).with_name(LISTED).read_bytes())
    except (OSError, ValueError):
        return False
    for tool in tools:
        tool["description"] = tool["description"].replace("{formats}", formats)
    _write({"jsonrpc": "2.0", "id": request_id, "result": {"tools": tools}})
    return True


def _refuse(problem: LineTooLong) -> None:
    _write({"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": str(problem)}})


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
