"""The gateway over WebSocket: HELLO, heartbeats, IDENTIFY, RESUME and dispatches of each connection."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from agent_channels.page.guard import is_secret
from agent_channels.sandbox.discord.api_objects import member_object
from agent_channels.sandbox.discord.intents import KNOWN, MEMBERS
from agent_channels.sandbox.discord.sessions import GatewaySession, GatewaySessions, Identify, Resume

__all__ = ["INVALID_SESSION", "Gateway", "GatewayConnection"]

# "Rate Limiting" in the gateway's documentation: 120 events a minute, 4096 bytes each.
EVENTS_PER_MINUTE = 120
MAX_BYTES = 4096
RECONNECT_S = 5.0

# "Gateway Opcodes"
HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME, RECONNECT, REQUEST_MEMBERS = 1, 2, 3, 4, 6, 7, 8
INVALID_SESSION, HELLO, HEARTBEAT_ACK, REQUEST_SOUNDBOARD = 9, 10, 11, 31

# "Gateway Close Event Codes"
REASONS = {
    4000: "Unknown error.",
    4001: "Unknown opcode.",
    4002: "Error while decoding payload.",
    4003: "Not authenticated.",
    4004: "Authentication failed.",
    4005: "Already authenticated.",
    4007: "Invalid seq.",
    4008: "Rate limited.",
    4009: "Session timed out.",
    4010: "Invalid shard.",
    4012: "Invalid API version.",
    4013: "Invalid intent(s).",
    4014: "Disallowed intent(s).",
}
# After these codes the session is over; after the others it can be resumed.
SESSION_ENDING_CODES = {4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014}


class GatewayClosedError(Exception):
    """The connection must be closed with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(REASONS.get(code, ""))
        self.code = code


class Gateway:
    """What all connections share: the token, the sessions, and how the gateway misbehaves right now.

    `token` is the valid token, "" after it was reset for too many IDENTIFYs. `heartbeat_s`: the interval clients are
    told. `silent`: nothing is sent; `acks`: heartbeats are answered; `resumable`: RESUME works.
    """

    def __init__(self, sessions: GatewaySessions, token: str) -> None:
        self.sessions = sessions
        self.token = token
        self.resume_url = ""
        self.heartbeat_s = 41.25
        self.silent = False
        self.acks = True
        self.resumable = True
        self.connections: set[GatewayConnection] = set()
        self.beside: list[Gateway] = []
        """Those of other bots at the same address."""

    def of_token(self, token: str) -> Gateway:
        """Return the gateway of the bot with a token; this one for any other token."""
        return next((one for one in self.beside if is_secret(token, one.token)), self)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket until it ends."""
        connection = GatewayConnection(self, request)
        self.connections.add(connection)
        try:
            return await connection.run()
        finally:
            connection.gateway.connections.discard(connection)
            connection.sessions.state.changed()

    def reset_token(self, token: str) -> None:
        """Replace the token, which ends all sessions and connections."""
        self.token = token
        for session in list(self.sessions.alive.values()):
            self.sessions.end(session)
        for connection in list(self.connections):
            connection.close(4004)


class GatewayConnection:
    """One WebSocket. `push` and `close` queue frames in order; a task of its own sends them."""

    def __init__(self, gateway: Gateway, request: web.Request) -> None:
        self.gateway = gateway
        self.sessions = gateway.sessions
        self.request = request
        self.session: GatewaySession | None = None
        self.heartbeats = 0
        self._ws = web.WebSocketResponse(timeout=1.0, max_msg_size=1 << 20, compress=False)
        self._frames: asyncio.Queue[str | bytes | int] = asyncio.Queue()
        self._zlib = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self._received: deque[float] = deque()
        self._deadline: asyncio.Timeout | None = None

    # --- sending

    def push(self, op: int, data: Any, seq: int | None = None, name: str | None = None) -> None:
        """Send one payload, unless the gateway is silent."""
        if not self.gateway.silent:
            self._frames.put_nowait(json.dumps({"t": name, "s": seq, "op": op, "d": data}))

    def push_bytes(self, data: bytes) -> None:
        """Send a binary frame that holds just this."""
        self._frames.put_nowait(data)

    def close(self, code: int) -> None:
        """Close with a code once everything queued is sent."""
        self._frames.put_nowait(code)

    def cut(self) -> None:
        """Abort the TCP connection."""
        if self.request.transport is not None:
            self.request.transport.abort()

    def garble(self, data: bytes) -> None:
        """Write bytes that are no frame to the wire, and abort the connection without a close frame."""
        if self.request.transport is not None:
            self.request.transport.write(data)
            self.request.transport.close()

    def reconnect(self) -> None:
        """Ask the client to reconnect, and time out if it does not."""
        self.push(RECONNECT, None)
        self._extend_deadline(RECONNECT_S)

    async def _write(self) -> None:
        while True:
            frame = await self._frames.get()
            if isinstance(frame, int):
                await self._close_socket(frame)
                return
            if isinstance(frame, bytes):
                await self._ws.send_bytes(frame)
            elif self._zlib is None:
                await self._ws.send_str(frame)
            else:
                packed = self._zlib.compress(frame.encode()) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                await self._ws.send_bytes(packed)

    async def _close_socket(self, code: int) -> None:
        if self.gateway.silent:
            return
        if code in SESSION_ENDING_CODES and self.session is not None:
            self.sessions.end(self.session)
        await self._ws.close(code=code, message=REASONS.get(code, "").encode())

    # --- reading

    async def run(self) -> web.WebSocketResponse:
        """Serve until either side ends the connection."""
        await self._ws.prepare(self.request)
        writer = asyncio.create_task(self._write())
        try:
            await self._read()
        except GatewayClosedError as closed:
            await self._close_socket(closed.code)
        finally:
            # Before the first await: a client that disconnects cancels this task too.
            if self.session is not None and self.session.connection is self:
                self.sessions.disconnect(self.session)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return self._ws

    def _extend_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _read(self) -> None:
        if self.request.query.get("v") != "10":
            raise GatewayClosedError(4012)
        if self.request.query.get("encoding", "json") != "json":
            raise GatewayClosedError(4002)
        self.push(HELLO, {"heartbeat_interval": int(self.gateway.heartbeat_s * 1000), "_trace": ["sandbox"]})
        try:
            # Half an interval of grace for the time that packets take.
            async with asyncio.timeout(self.gateway.heartbeat_s * 1.5) as self._deadline:
                await self._receive()
        except TimeoutError:
            if not self.gateway.silent:
                raise GatewayClosedError(4009) from None
            self._deadline = None
            await self._receive()

    async def _receive(self) -> None:
        while True:
            message = await self._ws.receive()
            if message.type is WSMsgType.TEXT:
                self._on_text(message.data)
                self.sessions.state.changed()
            elif message.type is WSMsgType.BINARY:
                raise GatewayClosedError(4002)
            else:
                if message.type is WSMsgType.CLOSE and message.data in {1000, 1001} and self.session is not None:
                    # "If you close the connection with 1000 or 1001 ... the session will be invalidated"
                    self.sessions.end(self.session)
                return

    def _on_text(self, text: str) -> None:
        now = time.monotonic()
        while self._received and self._received[0] < now - 60:
            self._received.popleft()
        self._received.append(now)
        if len(self._received) > EVENTS_PER_MINUTE:
            raise GatewayClosedError(4008)
        try:
            payload = json.loads(text) if len(text.encode()) <= MAX_BYTES else None
        except ValueError:
            payload = None
        if not isinstance(payload, dict) or not isinstance(payload.get("op"), int):
            raise GatewayClosedError(4002)
        self._on_payload(payload["op"], payload.get("d"))

    def _on_payload(self, op: int, data: Any) -> None:
        if op == HEARTBEAT:
            self.heartbeats += 1
            self._extend_deadline(self.gateway.heartbeat_s * 1.5)
            if self.gateway.acks:
                self.push(HEARTBEAT_ACK, None)
            return
        if op in {IDENTIFY, RESUME}:
            if self.session is not None:
                raise GatewayClosedError(4005)
            if not isinstance(data, dict):
                raise GatewayClosedError(4002)
            self._turn_to(self.gateway.of_token(str(data.get("token"))))
            (self._identify if op == IDENTIFY else self._resume)(data)
            return
        if op not in {PRESENCE, VOICE_STATE, REQUEST_MEMBERS, REQUEST_SOUNDBOARD}:
            raise GatewayClosedError(4001)
        if self.session is None:
            raise GatewayClosedError(4003)
        if op == REQUEST_MEMBERS:
            self._send_members(self.session, data)

    # --- sessions

    def _turn_to(self, gateway: Gateway) -> None:
        """Be a connection of this bot's gateway from now on."""
        self.gateway.connections.discard(self)
        self.gateway, self.sessions = gateway, gateway.sessions
        gateway.connections.add(self)

    def _identify(self, data: dict[str, Any]) -> None:
        intents = data.get("intents")
        asked = intents if isinstance(intents, int) else 0
        code = self._refusal_code(data)
        if code == 0 and self.sessions.too_soon:
            self.sessions.identifies.append(Identify(time.monotonic(), asked, code=9))
            self.push(INVALID_SESSION, data=False)
            return
        if code:
            self.sessions.identifies.append(Identify(time.monotonic(), asked, code=code))
            raise GatewayClosedError(code)
        session = self.sessions.start(asked, self.gateway.resume_url, data.get("shard"))
        self.sessions.identifies.append(Identify(time.monotonic(), asked, session.id))
        self._attach(session, 0)

    def _refusal_code(self, data: dict[str, Any]) -> int:
        """Return the close code for a wrong IDENTIFY, 0 for a right one."""
        intents, shard = data.get("intents"), data.get("shard", [0, 1])
        if not isinstance(intents, int) or not isinstance(data.get("properties"), dict):
            return 4002
        if not is_secret(str(data.get("token")), self.gateway.token):
            return 4004
        if shard != [0, 1]:
            return 4010
        if intents < 0 or intents & ~KNOWN:
            return 4013
        if not self.sessions.allowed(intents):
            return 4014
        if not self.sessions.start_limit()["remaining"]:
            # "all active sessions ... will be terminated, the bot token will be reset"
            self.gateway.reset_token("")
            return 4004
        return 0

    def _resume(self, data: dict[str, Any]) -> None:
        seq, session_id = data.get("seq"), data.get("session_id")
        if not isinstance(session_id, str) or not isinstance(seq, int):
            raise GatewayClosedError(4002)
        session = self.sessions.find(session_id) if self.gateway.resumable else None
        authorized = is_secret(str(data.get("token")), self.gateway.token)
        accepted = authorized and session is not None and 0 <= seq <= session.seq
        self.sessions.resumes.append(Resume(time.monotonic(), session_id, seq, self.request.path, accepted))
        if not authorized:
            raise GatewayClosedError(4004)
        if session is None:
            self.push(INVALID_SESSION, data=False)
            return
        if not accepted:
            self.sessions.end(session)
            raise GatewayClosedError(4007)
        if session.connection is not None:
            session.connection.close(4000)
        self._attach(session, seq)
        session.dispatch("RESUMED", {"_trace": ["sandbox"]})

    def _attach(self, session: GatewaySession, seq: int) -> None:
        session.connection, session.left_at = self, None
        self.session = session
        session.replay(seq)

    def _send_members(self, session: GatewaySession, data: Any) -> None:
        """Answer a request for guild members by name or by id."""
        if not isinstance(data, dict):
            raise GatewayClosedError(4002)
        state = self.sessions.state
        guild = next((guild for guild in state.guilds.values() if str(guild.id) == str(data.get("guild_id"))), None)
        if guild is None:
            return
        wanted = data.get("user_ids")
        if wanted is None and not data.get("query") and not session.intents & MEMBERS:
            raise GatewayClosedError(4014)
        ids = [str(user_id) for user_id in (wanted if isinstance(wanted, list) else [wanted])]
        users = [state.users[user_id] for user_id in guild.members if wanted is None or str(user_id) in ids]
        found = [user for user in users if user.username.startswith(str(data.get("query") or ""))]
        chunk: dict[str, Any] = {"guild_id": str(guild.id), "chunk_index": 0, "chunk_count": 1, "presences": []}
        chunk["members"] = [member_object(guild, user) for user in found]
        session.dispatch("GUILD_MEMBERS_CHUNK", {**chunk, "nonce": data.get("nonce")})
