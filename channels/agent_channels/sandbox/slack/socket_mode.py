"""Socket Mode: the app's WebSockets, the envelopes sent over them, and what becomes of those without an answer.

Slack keeps nothing for an app that is away: an envelope is sent while a socket is open or not at all.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from agent_channels.sandbox.slack.errors import SlackError
from agent_channels.sandbox.slack.state import SlackState

__all__ = ["Envelope", "SocketConnection", "SocketMode"]

# "Slack allows an app to have up to 10 open WebSocket connections"
MOST_CONNECTIONS = 10
# An app has three seconds; an event is then sent again at once, after a minute and after five.
ANSWER_WITHIN_S = 3.0
RETRY_AFTER_S = (0.0, 60.0, 300.0)
# How long an address from apps.connections.open can be used, and a connection lasts.
TICKET_VALID_S = 30.0
CONNECTION_S = 3600
PING_EVERY_S = 10.0
# Between a disconnect with `refresh_requested` and the end of the connection.
REFRESH_GRACE_S = 10.0

Answered = Callable[[Any], None]


@dataclass(eq=False)
class Envelope:
    """One envelope. `kind` is events_api, interactive or slash_commands.

    `sent` lists the times (monotonic) at which it went out, each time with a new id, the last of which is `id`.
    `acked_at` is when it was answered. `lost`: it was never answered and will not be sent again.
    """

    kind: str
    payload: dict[str, Any]
    accepts_payload: bool
    on_answer: Answered | None = None
    id: str = ""
    sent: list[float] = field(default_factory=list)
    acked_at: float | None = None
    lost: bool = False
    connection: SocketConnection | None = None

    def as_text(self) -> str:
        """Return the envelope as it goes over the wire."""
        made: dict[str, Any] = {"envelope_id": self.id, "payload": self.payload, "type": self.kind}
        made["accepts_response_payload"] = self.accepts_payload
        if self.kind == "events_api":
            retries = max(len(self.sent) - 1, 0)
            made |= {"retry_attempt": retries, "retry_reason": "timeout" if retries else ""}
        return json.dumps(made)


class SocketMode:
    """All sockets of one app, and every envelope by each of its ids.

    `silent`: nothing is sent, pings included; `held`: envelopes are held back. `missed` are the envelopes for which no
    socket was open.
    """

    def __init__(self, state: SlackState) -> None:
        self.state = state
        self.url = ""
        self.connections: list[SocketConnection] = []
        self.envelopes: dict[str, Envelope] = {}
        self.missed: list[Envelope] = []
        self.answer_within_s = ANSWER_WITHIN_S
        self.retry_after_s = RETRY_AFTER_S
        self.ping_every_s = PING_EVERY_S
        self.refresh_grace_s = REFRESH_GRACE_S
        self.silent = False
        self.held = False
        self.opened = 0
        self._waiting: list[Envelope] = []
        self._tickets: dict[str, float] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._turn = 0
        state.listeners.append(self._on_event)

    def _on_event(self, payload: dict[str, Any]) -> None:
        self.send("events_api", payload)

    # --- connecting

    def open_url(self) -> str:
        """Return the address for one new connection. Raises SlackError when Socket Mode is off."""
        if not self.state.app.socket_mode:
            raise SlackError("access_denied")
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = self.state.now()
        self.opened += 1
        return f"{self.url}/link/?ticket={ticket}&app_id={self.state.app.id}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket until it ends; 403 without a fresh ticket."""
        issued = self._tickets.pop(request.query.get("ticket", ""), None)
        if issued is None or self.state.now() - issued > TICKET_VALID_S:
            return web.Response(status=403, text="invalid ticket\n")
        connection = SocketConnection(self, request, is_debug=request.query.get("debug_reconnects") == "true")
        if len(self.connections) >= MOST_CONNECTIONS:
            return await connection.refuse()
        self.connections.append(connection)
        try:
            return await connection.run()
        finally:
            if connection in self.connections:
                self.connections.remove(connection)
            self._on_end(connection)
            self.state.changed()

    @property
    def connected(self) -> bool:
        """Whether a socket is open now, past its hello."""
        return any(one.greeted for one in self.connections)

    # --- envelopes

    def send(
        self, kind: str, payload: dict[str, Any], *, accepts_payload: bool = False, on_answer: Answered | None = None
    ) -> Envelope:
        """Send an envelope to one of the sockets; `on_answer` gets the payload of the answer, or None."""
        envelope = Envelope(kind, payload, accepts_payload, on_answer)
        if self.held:
            self._waiting.append(envelope)
        else:
            self._deliver(envelope)
        return envelope

    def hold(self) -> None:
        """Hold new envelopes back until `release`."""
        self.held = True

    def release(self) -> None:
        """Send the held envelopes, in order."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for envelope in waiting:
            self._deliver(envelope)
        self.state.changed()

    def on_text(self, connection: SocketConnection, text: str) -> None:
        """Take an answer."""
        connection.received.append(text)
        try:
            body = json.loads(text)
        except ValueError:
            return
        envelope = self.envelopes.get(str(body.get("envelope_id"))) if isinstance(body, dict) else None
        if envelope is None or envelope.acked_at is not None:
            return
        # An answer that comes after the last try, or over another socket, is still one.
        envelope.acked_at, envelope.lost = time.monotonic(), False
        if envelope.on_answer is not None:
            envelope.on_answer(body.get("payload"))
        self.state.changed()

    @property
    def unanswered(self) -> list[Envelope]:
        """The envelopes that were sent and are neither answered nor given up."""
        open_ = [one for one in self.envelopes.values() if one.acked_at is None and not one.lost]
        return list(dict.fromkeys(open_))

    def close(self) -> None:
        """Stop every timer."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _deliver(self, envelope: Envelope) -> None:
        connection = self._next_connection()
        if connection is None:
            envelope.lost = True
            self.missed.append(envelope)
            return
        envelope.id = str(uuid.uuid4())
        self.envelopes[envelope.id] = envelope
        envelope.sent.append(time.monotonic())
        envelope.connection = connection
        connection.push(envelope.as_text())
        self._later(self.answer_within_s, lambda: self._on_timeout(envelope))

    def _next_connection(self) -> SocketConnection | None:
        """Return the socket whose turn it is; those about to be closed only when there is no other."""
        greeted = [one for one in self.connections if one.greeted]
        able = [one for one in greeted if not one.leaving] or greeted
        self._turn += 1
        return able[self._turn % len(able)] if able else None

    def _on_timeout(self, envelope: Envelope) -> None:
        if envelope.acked_at is not None:
            return
        tries = len(envelope.sent)
        if envelope.kind != "events_api" or tries > len(self.retry_after_s):
            envelope.lost = True
            self.state.changed()
            return
        self._later(self.retry_after_s[tries - 1], lambda: self._retry(envelope))

    def _retry(self, envelope: Envelope) -> None:
        if envelope.acked_at is None:
            self._deliver(envelope)
            self.state.changed()

    def _on_end(self, connection: SocketConnection) -> None:
        """Nothing more is sent over a socket that ended; what it did not answer waits for its next try."""
        for envelope in self.unanswered:
            if envelope.connection is connection:
                envelope.connection = None

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(timer)


class SocketConnection:
    """One WebSocket. `push`, `disconnect` and `close` queue frames in order; a task of its own sends them.

    `greeted`: hello was sent. `leaving`: it was asked to be replaced. `received` holds every text that the app sent.
    """

    def __init__(self, socket: SocketMode, request: web.Request, *, is_debug: bool) -> None:
        self.socket = socket
        self.request = request
        self.greeted = False
        self.leaving = False
        self.pings = 0
        self.received: list[str] = []
        self._lifetime_s = 360 if is_debug else CONNECTION_S
        self._ws = web.WebSocketResponse(timeout=1.0, max_msg_size=1 << 22, compress=False, autoping=False)
        self._frames: asyncio.Queue[str | int] = asyncio.Queue()

    # --- sending

    def push(self, text: str) -> None:
        """Send a text, unless the sockets are silent."""
        if not self.socket.silent:
            self._frames.put_nowait(text)

    def disconnect(self, reason: str) -> None:
        """Send a disconnect with its reason: warning, refresh_requested, link_disabled or too_many_websockets."""
        self.leaving = True
        self.push(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-sandbox"}}))

    def close(self, code: int = 1000) -> None:
        """Close the WebSocket after what is queued."""
        self._frames.put_nowait(code)

    def cut(self) -> None:
        """Cut the connection without a close frame."""
        if self.request.transport is not None:
            self.request.transport.abort()

    # --- the life of a connection

    async def refuse(self) -> web.StreamResponse:
        """Say that there are too many sockets, and close."""
        await self._ws.prepare(self.request)
        self.disconnect("too_many_websockets")
        await self._ws.send_str(str(self._frames.get_nowait()))
        await self._ws.close()
        return self._ws

    async def run(self) -> web.StreamResponse:
        """Greet, and serve until one side ends it."""
        await self._ws.prepare(self.request)
        if not self.socket.silent:
            self._greet()
        sending = asyncio.create_task(self._send_frames())
        pinging = asyncio.create_task(self._ping())
        try:
            await self._receive()
        finally:
            for task in (sending, pinging):
                task.cancel()
            await asyncio.gather(sending, pinging, return_exceptions=True)
        return self._ws

    def _greet(self) -> None:
        about = {"host": "applink-sandbox", "build_number": 1, "approximate_connection_time": self._lifetime_s}
        hello: dict[str, Any] = {"type": "hello", "num_connections": len(self.socket.connections)}
        hello |= {"debug_info": about, "connection_info": {"app_id": self.socket.state.app.id}}
        self.push(json.dumps(hello))
        self.greeted = True
        self.socket.state.changed()

    async def _send_frames(self) -> None:
        while True:
            frame = await self._frames.get()
            if isinstance(frame, int):
                await self._ws.close(code=frame)
                return
            await self._ws.send_str(frame)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self.socket.ping_every_s)
            if not self.socket.silent:
                await self._ws.ping(b"Ping from applink-sandbox")

    async def _receive(self) -> None:
        while True:
            message = await self._ws.receive()
            if message.type is WSMsgType.TEXT:
                self.socket.on_text(self, message.data)
            elif message.type is WSMsgType.PING:
                self.pings += 1
                if not self.socket.silent:
                    await self._ws.pong(message.data)
            elif message.type not in {WSMsgType.PONG, WSMsgType.BINARY}:
                return
