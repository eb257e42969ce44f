"""The handshake and the lists, answered before anything heavy is imported: a host's start-up waits for nothing else."""

from __future__ import annotations

import os
import select
import sys
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agent_channels.core.limits import files_are_scarce
from agent_channels.core.server.exit import leave
from agent_channels.core.server.protocol import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    HostMessage,
    McpConversation,
    RpcError,
    encode,
    error_response,
    parse,
    response,
)
from agent_channels.core.server.stdin import LineTooLong, Source
from agent_channels.core.text.sanitize import decode_json_line

__all__ = ["Handshake", "answer", "answer_handshake"]

INITIALIZED = "notifications/initialized"


@dataclass(slots=True)
class Handshake:
    """The conversation so far, the rest of stdin, and the lines read from it that the session has to see."""

    conversation: McpConversation
    source: Source
    replay: list[bytes] = field(default_factory=list)
    _listening: threading.Thread | None = None
    _stop: int = -1
    # Set once it is known what the channel's texts may look like.
    _known: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Answer what needs no channel, and end the process if the host goes away, until `stop_listening`."""
        if hasattr(select, "poll") and not files_are_scarce():
            stopped, self._stop = os.pipe()
            self._listening = threading.Thread(target=partial(self._listen, stopped), daemon=True, name="listening")
            self._listening.start()

    def list_tools_with(self, formats: str) -> None:
        """Say in which formats the channel takes texts, which the descriptions of the tools name."""
        self.conversation.formats = formats
        self._known.set()

    def stop_listening(self) -> None:
        """From now on the session reads for itself, beginning with `replay`."""
        if self._listening is not None:
            os.close(self._stop)
            self._known.set()
            self._listening.join()
            self._listening = None

    def _listen(self, stopped: int) -> None:
        """Read what a host asks while the rest is imported; what only the session can answer waits for it."""
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
            message = parse(decode_json_line(line))
            if message is None:
                continue
            if message.id is None:
                if message.method == INITIALIZED:
                    self.conversation.note_time()
                self.replay.append(line)
                continue
            # A ping is answered once the server is ready: a supervisor finds that out by one.
            if message.method != "ping" and self._answer(message):
                continue
            self.replay.append(line)
            waits = True
        os.close(stopped)

    def _answer(self, request: HostMessage) -> bool:
        if request.method == "tools/list":
            self._known.wait()
            if not self.conversation.formats:
                # The import failed, and the process ends.
                return False
        answered = answer(self.conversation, request)
        if answered is not None:
            _write(answered)
        return answered is not None


def answer(conversation: McpConversation, request: HostMessage) -> dict[str, Any] | None:
    """Return the response to a request; None for a tool call, which is the channel's."""
    try:
        result = conversation.answer(request)
    except RpcError as error:
        return error_response(request.id, error)
    except OSError as error:
        return error_response(request.id, RpcError(INTERNAL_ERROR, f"the list of tools cannot be read: {error}"))
    return None if result is None else response(request.id, result)


def answer_handshake(conversation: McpConversation) -> Handshake:
    """Answer on stdin and stdout until the host has opened the conversation, then go on beside the caller."""
    handshake = Handshake(conversation, Source(_take_stdin()))
    while not conversation.open:
        try:
            line = handshake.source.readline()
        except LineTooLong as problem:
            _refuse(problem)
            continue
        if not line:
            leave()
        message = parse(decode_json_line(line))
        if message is None:
            continue
        if message.id is not None and (answered := answer(conversation, message)) is not None:
            _write(answered)
        elif message.method == INITIALIZED:
            # Some ask for nothing before that; what they are is not known then.
            conversation.begin()
    handshake.listen()
    return handshake


def _refuse(problem: LineTooLong) -> None:
    _write(error_response(None, RpcError(INVALID_REQUEST, str(problem))))


def _write(message: dict[str, Any]) -> None:
    # Nothing else has written to this pipe yet.
    data = encode(message)
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
