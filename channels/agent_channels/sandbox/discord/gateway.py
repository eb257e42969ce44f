"""The gateway on the wire: one connection's HELLO, heartbeats, IDENTIFY, RESUME and dispatches."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from agent_channels.sandbox.discord.api_objects import member_dict
from agent_channels.sandbox.discord.closing import ENDING, REASONS, Closed
from agent_channels.sandbox.discord.intents import KNOWN, MEMBERS
from agent_channels.sandbox.discord.sessions import GatewaySession, GatewaySessions, Identify, Resume

__all__ = ["Gateway", "GatewayConnection"]

# "Rate Limiting" in the gateway's documentation: 120 events a minute, 4096 bytes each.
EVENTS_PER_MINUTE = 120
MAX_BYTES = 4096
RECONNECT_S = 5.0


class Gateway:
    """What all connections share: the token, the sessions, and how badly the gateway behaves just now.

    `heartbeat_s`: the interval clients are told. `silent`: nothing at all is sent; `acks`: heartbeats are answered;
    `resumable`: RESUME works.
    """

    def __init__(self, sessions: GatewaySessions) -> None:
        self.sessions = sessions
        self.token = ""
        self.resume_url = ""
        self.heartbeat_s = 41.25
        self.silent = False
        self.acks = True
        self.resumable = True
        self.connections: set[GatewayConnection] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One WebSocket, until it ends."""
        connection = GatewayConnection(self, request)
        self.connections.add(connection)
        try:
            return await connection.run()
        finally:
            self.connections.discard(connection)
            self.sessions.state.changed()

    def reset_token(self, token: str) -> None:
        """Another token is good from now on: all sessions are over."""
        self.token = token
        for session in list(self.sessions.alive.values()):
            self.sessions.end(session)
        for connection in list(self.connections):
            connection.close(4004)


class GatewayConnection:
    """One WebSocket. `push` and `close` put frames in order; the writer sends them."""

    def __init__(self, gateway: Gateway, request: web.Request) -> None:
        self.gateway = gateway
        self.sessions = gateway.sessions
        self.request = request
        self.session: GatewaySession | None = None
        self.heartbeats = 0
        self._ws = web.WebSocketResponse(timeout=1.0, max_msg_size=1 << 20, compress=False)
        self._out: asyncio.Queue[str | int] = asyncio.Queue()
        self._zlib = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self._received: deque[float] = deque()
        self._patience: asyncio.Timeout | None = None

    # --- sending

    def push(self, op: int, data: Any, seq: int | None = None, name: str | None = None) -> None:
        """Sends one payload, unless the gateway is silent."""
        if not self.gateway.silent:
            self._out.put_nowait(json.dumps({"t": name, "s": seq, "op": op, "d": data}))

    def close(self, code: int) -> None:
        """Closes once everything before is sent."""
        self._out.put_nowait(code)

    def cut(self) -> None:
        """Aborts the TCP connection."""
        if self.request.transport is not None:
            self.request.transport.abort()

    def reconnect(self) -> None:
        """Asks to reconnect, and closes if nobody does."""
        self.push(7, None)
        self._wait(RECONNECT_S)

    async def _write(self) -> None:
        while True:
            frame = await self._out.get()
            if isinstance(frame, int):
                await self._shut(frame)
                return
            if self._zlib is None:
                await self._ws.send_str(frame)
            else:
                packed = self._zlib.compress(frame.encode()) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                await self._ws.send_bytes(packed)

    async def _shut(self, code: int) -> None:
        if self.gateway.silent:
            return
        if code in ENDING and self.session is not None:
            self.sessions.end(self.session)
        await self._ws.close(code=code, message=REASONS.get(code, "").encode())

    # --- life

    async def run(self) -> web.WebSocketResponse:
        """Serves until either side ends it."""
        await self._ws.prepare(self.request)
        writer = asyncio.create_task(self._write())
        try:
            await self._read()
        except Closed as closed:
            await self._shut(closed.code)
        finally:
            # before anything is awaited: a client that has gone cancels this task too
            if self.session is not None and self.session.connection is self:
                self.sessions.leave(self.session)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return self._ws

    def _wait(self, seconds: float) -> None:
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _read(self) -> None:
        if self.request.query.get("v") != "10":
            raise Closed(4012)
        if self.request.query.get("encoding", "json") != "json":
            raise Closed(4002)
        self.push(10, {"heartbeat_interval": int(self.gateway.heartbeat_s * 1000), "_trace": ["sandbox"]})
        try:
            # half an interval of grace, as packets take their time
            async with asyncio.timeout(self.gateway.heartbeat_s * 1.5) as self._patience:
                await self._receive()
        except TimeoutError:
            if not self.gateway.silent:
                raise Closed(4009) from None
            self._patience = None
            await self._receive()

    async def _receive(self) -> None:
        while True:
            message = await self._ws.receive()
            if message.type is WSMsgType.TEXT:
                self._on_text(message.data)
                self.sessions.state.changed()
            elif message.type is WSMsgType.BINARY:
                raise Closed(4002)
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
            raise Closed(4008)
        try:
            payload = json.loads(text) if len(text.encode()) <= MAX_BYTES else None
        except ValueError:
            payload = None
        if not isinstance(payload, dict) or not isinstance(payload.get("op"), int):
            raise Closed(4002)
        self._on_payload(payload["op"], payload.get("d"))

    def _on_payload(self, op: int, data: Any) -> None:
        if op == 1:
            self.heartbeats += 1
            self._wait(self.gateway.heartbeat_s * 1.5)
            if self.gateway.acks:
                self.push(11, None)
            return
        if op in {2, 6}:
            if self.session is not None:
                raise Closed(4005)
            if not isinstance(data, dict):
                raise Closed(4002)
            (self._identify if op == 2 else self._resume)(data)
            return
        if op not in {3, 4, 8, 31}:
            raise Closed(4001)
        if self.session is None:
            raise Closed(4003)
        if op == 8:
            self._members(self.session, data)

    # --- sessions

    def _identify(self, data: dict[str, Any]) -> None:
        intents = data.get("intents")
        asked = intents if isinstance(intents, int) else 0
        code = self._refusal(data)
        if code == 0 and self.sessions.too_soon:
            self.sessions.identifies.append(Identify(time.monotonic(), asked, code=9))
            self.push(9, data=False)
            return
        if code:
            self.sessions.identifies.append(Identify(time.monotonic(), asked, code=code))
            raise Closed(code)
        session = self.sessions.start(asked, self.gateway.resume_url, data.get("shard"))
        self.sessions.identifies.append(Identify(time.monotonic(), asked, session.id))
        self._attach(session, 0)

    def _refusal(self, data: dict[str, Any]) -> int:
        intents, shard = data.get("intents"), data.get("shard", [0, 1])
        if not isinstance(intents, int) or not isinstance(data.get("properties"), dict):
            return 4002
        if not self.gateway.token or data.get("token") != self.gateway.token:
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
            raise Closed(4002)
        session = self.sessions.find(session_id) if self.gateway.resumable else None
        good = data.get("token") == self.gateway.token
        accepted = good and session is not None and 0 <= seq <= session.seq
        self.sessions.resumes.append(Resume(time.monotonic(), session_id, seq, self.request.path, accepted))
        if not good:
            raise Closed(4004)
        if session is None:
            self.push(9, data=False)
            return
        if not accepted:
            self.sessions.end(session)
            raise Closed(4007)
        if session.connection is not None:
            session.connection.close(4000)
        self._attach(session, seq)
        session.dispatch("RESUMED", {"_trace": ["sandbox"]})

    def _attach(self, session: GatewaySession, seq: int) -> None:
        session.connection, session.left_at = self, None
        self.session = session
        session.replay(seq)

    def _members(self, session: GatewaySession, data: Any) -> None:
        """Answers a request for guild members: by name, or by id."""
        if not isinstance(data, dict):
            raise Closed(4002)
        state = self.sessions.state
        guild = next((one for one in state.guilds.values() if str(one.id) == str(data.get("guild_id"))), None)
        if guild is None:
            return
        wanted = data.get("user_ids")
        if wanted is None and not data.get("query") and not session.intents & MEMBERS:
            raise Closed(4014)
        ids = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
        users = [state.users[one] for one in guild.members if wanted is None or str(one) in ids]
        found = [user for user in users if user.username.startswith(str(data.get("query") or ""))]
        chunk: dict[str, Any] = {"guild_id": str(guild.id), "chunk_index": 0, "chunk_count": 1, "presences": []}
        chunk["members"] = [member_dict(guild, user) for user in found]
        session.dispatch("GUILD_MEMBERS_CHUNK", {**chunk, "nonce": data.get("nonce")})
