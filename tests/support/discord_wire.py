"""Three kinds of clients for a Discord sandbox: bare REST and gateway clients, and discord.py."""

from __future__ import annotations

import asyncio
import json
import warnings
import zlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import aiohttp
import yarl

from agent_channels.sandbox.discord.guilds import DiscordChannel
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox

with warnings.catch_warnings():
    # discord.py's voice support imports audioop, which Python 3.11 warns is deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

__all__ = [
    "CONTENT",
    "INTENTS",
    "Client",
    "Connect",
    "DiscordWebSocket",
    "Gate",
    "Rest",
    "Route",
    "Run",
    "button",
    "discord",
    "rows",
]

CONTENT = 1 << 15
# Guilds; messages, reactions and typing in guilds and direct chats; content.
INTENTS = 1 | sum(1 << bit for bit in range(9, 15)) | CONTENT


class Rest:
    """A REST client without checks of its own: `await rest("GET", "/users/@me")` returns (status, body, headers)."""

    def __init__(self, session: aiohttp.ClientSession, dc: DiscordSandbox) -> None:
        self.session = session
        self.dc = dc

    async def __call__(
        self, method: str, path: str, body: Any = None, *, auth: str | None = None, data: Any = None
    ) -> tuple[int, Any, Any]:
        headers = {"Authorization": auth if auth is not None else f"Bot {self.dc.token}"}
        if data is None and body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        url = yarl.URL(self.dc.api + path, encoded=True)
        async with self.session.request(method, url, data=data, headers=headers) as response:
            raw = await response.read()
            return response.status, json.loads(raw) if raw else None, response.headers

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        status, answer, _ = await self(method, path, body, **options)
        assert status in {200, 204}, answer
        return answer

    async def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, int]:
        status, answer, _ = await self(method, path, body, **options)
        assert status >= 400, answer
        return status, answer["code"]

    async def errors(self, method: str, path: str, body: Any = None, **options: Any) -> dict[str, str]:
        """Return the form errors of a refused call: {dotted path: code}."""
        status, answer, _ = await self(method, path, body, **options)
        assert (status, answer["code"], answer["message"]) == (400, 50035, "Invalid Form Body"), answer
        return dict(flat(answer["errors"]))

    async def send(self, place: DiscordPerson | DiscordChannel, content: str = "x", **fields: Any) -> Any:
        channel = place.dm if isinstance(place, DiscordPerson) else place
        return await self.ok("POST", f"/channels/{channel.id}/messages", {"content": content, **fields})

    async def control(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        # Without a JSON content type, as `curl -d` sends it.
        async with self.session.post(
            f"{self.dc.root}/control/{path}", data=json.dumps(body).encode(), headers=self.dc.authorization
        ) as response:
            return response.status, json.loads(await response.read())

    async def query(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self.session.get(f"{self.dc.root}/control/{path}", headers=self.dc.authorization) as response:
            return response.status, json.loads(await response.read())


def flat(tree: dict[str, Any], path: str = "") -> list[tuple[str, str]]:
    found = [(path, one["code"]) for one in tree.get("_errors", ())]
    for name, inner in tree.items():
        if name != "_errors":
            found += flat(inner, f"{path}.{name}".lstrip("."))
    return found


class Gate:
    """One gateway connection without a client library."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, dc: DiscordSandbox) -> None:
        self.ws = ws
        self.dc = dc
        self.seq = 0
        self.session_id = ""
        self._inflate = zlib.decompressobj()

    async def read(self) -> dict[str, Any]:
        """Return the next payload. Raises ConnectionError when the connection has ended."""
        message = await self.ws.receive(timeout=5)
        if message.type is aiohttp.WSMsgType.BINARY:
            assert message.data.endswith(b"\x00\x00\xff\xff")
            found = json.loads(self._inflate.decompress(message.data))
        elif message.type is aiohttp.WSMsgType.TEXT:
            found = json.loads(message.data)
        else:
            raise ConnectionError(self.ws.close_code)
        self.seq = found["s"] or self.seq
        return dict(found)

    async def event(self, name: str) -> Any:
        """Return the data of the next event of this name."""
        while (found := await self.read())["t"] != name:
            pass
        return found["d"]

    async def op(self, number: int) -> Any:
        """Return the data of the next payload with this opcode."""
        while (found := await self.read())["op"] != number:
            pass
        return found["d"]

    async def closed(self) -> int | None:
        """Read to the end; return the close code."""
        try:
            while True:
                await self.read()
        except ConnectionError:
            return self.ws.close_code

    async def write(self, op: int, data: Any) -> None:
        await self.ws.send_str(json.dumps({"op": op, "d": data}))

    async def identify(self, intents: int = INTENTS, token: str | None = None, **fields: Any) -> None:
        properties = {"os": "linux", "browser": "hand", "device": "hand"}
        token = self.dc.token if token is None else token
        await self.write(2, {"token": token, "properties": properties, "intents": intents, **fields})

    async def ready(self, intents: int = INTENTS) -> Any:
        """Identify; return the data of READY."""
        await self.identify(intents)
        ready = await self.event("READY")
        self.session_id = ready["session_id"]
        return ready

    async def resume(self, session_id: str, seq: int) -> None:
        await self.write(6, {"token": self.dc.token, "session_id": session_id, "seq": seq})


class Client(discord.Client):
    """A discord.py client that keeps events for `await client.next("message")`."""

    KEPT = """message message_edit raw_message_delete raw_reaction_add interaction thread_create resumed ready
    guild_join guild_remove typing""".split()  # noqa: SIM905

    def __init__(self, **options: Any) -> None:
        super().__init__(guild_ready_timeout=0.05, **options)
        self.heard: dict[str, asyncio.Queue[Any]] = {name: asyncio.Queue() for name in self.KEPT}

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify again at once; discord.py would wait five seconds."""

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        super().dispatch(event, *args, **kwargs)
        if event in self.heard:
            self.heard[event].put_nowait(args[-1] if args else None)

    async def next(self, event: str) -> Any:
        async with asyncio.timeout(5):
            return await self.heard[event].get()


Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Gate]]
Run: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]


def button(label: str = "Yes", custom_id: str = "y", **fields: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": label, "custom_id": custom_id, **fields}


def rows(*lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": 1, "components": line} for line in lines]
