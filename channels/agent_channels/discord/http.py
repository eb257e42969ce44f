"""Connections to Discord: the library's client, logged in at its first use, and a session for downloads."""

from __future__ import annotations

import asyncio
import logging
import socket
import warnings
import zlib
from collections.abc import Callable

import aiohttp

with warnings.catch_warnings():
    # The library's voice support imports audioop, which Python 3.11 and 3.12 say will go.
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord
    from discord import utils
    from discord.gateway import DiscordWebSocket, KeepAliveHandler, ReconnectWebSocket
    from discord.http import HTTPClient

from agent_channels.core.errors import Forbidden, RateLimited
from agent_channels.core.settings.certificates import tls_context
from agent_channels.discord import outbound
from agent_channels.discord.chats import Json
from agent_channels.discord.errors import INTENT_OFF, tracing, translated

__all__ = ["CONTENT_FLAGS", "Connections", "GatewaySocket", "RawParsers", "check_identify"]

# It warns of voice libraries that nobody misses, and logs as warnings the errors that we report ourselves.
logging.getLogger("discord").setLevel(logging.ERROR)

INTENTS = discord.Intents(
    guilds=True, guild_messages=True, dm_messages=True, guild_reactions=True, dm_reactions=True, message_content=True
)
# "Application Flags": set while the portal's switch for Message Content is on, for bots in many servers and in few.
CONTENT_FLAGS = 1 << 18 | 1 << 19
# Logins are rationed by the day; with fewer than this left, we wait for the next ration.
_SPARE = 5
# Bytes of one payload of the gateway; the largest, a big server's channels and roles, has a few million.
_PAYLOAD_MAX = 16 * 1024 * 1024
# A gateway whose stream broke off does not answer our closing either.
_CLOSE_WAIT_S = 1.0
# Discord asks for a heartbeat every 41 seconds.
_BEAT_MIN_S = 1.0


class RawParsers(dict[str, Callable[[Json], None]]):
    """Replaces the library's table of parsers: every event goes to `put` as it came, and no cache is filled."""

    def __init__(self, put: Callable[[str, Json], None]) -> None:
        super().__init__()
        self._put = put

    def __missing__(self, name: str) -> Callable[[Json], None]:
        return lambda data: self._put(name, data)


class _Inflater:
    """Unpacks the gateway's zlib stream, one payload after the other. Raises ValueError for one that is too large."""

    def __init__(self) -> None:
        self._packed, self._stream = bytearray(), zlib.decompressobj()

    def decompress(self, data: bytes, /) -> str | None:
        """Return the payload that `data` completes; None if more of it follows. Raises `zlib.error` for anything else.

        In a method of this name: the library calls it.
        """
        self._packed += data
        if len(self._packed) > _PAYLOAD_MAX:
            raise ValueError("a payload of the gateway is too large")
        if not data.endswith(b"\x00\x00\xff\xff"):
            return None
        packed, self._packed = bytes(self._packed), bytearray()
        payload = self._stream.decompress(packed, _PAYLOAD_MAX)
        if self._stream.unconsumed_tail:
            raise ValueError("a payload of the gateway is too large")
        return payload.decode()


class GatewaySocket(DiscordWebSocket):
    """The library's connection, with a bound on what one payload takes, and on what the gateway may ask for."""

    _beats: KeepAliveHandler | None = None

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(socket, loop=loop)
        if utils._ActiveDecompressionContext.COMPRESSION_TYPE == "zlib-stream":  # noqa: SLF001 - what it asks for
            self._decompressor = _Inflater()  # type: ignore[assignment]

    @property
    def _keep_alive(self) -> KeepAliveHandler | None:
        return self._beats

    @_keep_alive.setter
    def _keep_alive(self, beats: KeepAliveHandler | None) -> None:
        """Set the thread that sends heartbeats, made at a HELLO. Raises ValueError if it would send them all the time.

        The library would let the one before it go on.
        """
        if beats is not None and not (beats.interval and beats.interval >= _BEAT_MIN_S):
            raise ValueError("the gateway wants heartbeats all the time")
        if self._beats is not None:
            self._beats.stop()
        self._beats = beats

    async def send(self, data: str, /) -> None:
        """Send a payload, but leave a gateway that wants more answers than it takes: waiting would make us deaf."""
        if self.is_ratelimited():
            raise ReconnectWebSocket(self.shard_id)
        await super().send(data)

    @property
    def close_code(self) -> int | None:
        """The code with which the connection was closed."""
        return self._close_code or self.socket.close_code


async def check_identify(http: HTTPClient) -> None:
    """Raise `RateLimited` when the day's logins are used up, `Forbidden` when an intent is switched off."""
    gateway = await outbound.call(http, "GET", "/gateway/bot")
    application = await outbound.call(http, "GET", "/oauth2/applications/@me")
    if not int(application.get("flags", 0)) & CONTENT_FLAGS:
        raise Forbidden(INTENT_OFF)
    limit = gateway.get("session_start_limit") or {}
    if int(limit.get("remaining", _SPARE)) < _SPARE:
        seconds = float(limit.get("reset_after", 0)) / 1000
        raise RateLimited(
            f"Discord's ration of connections for today is used up; the next one is in {seconds / 3600:.1f} h. "
            "Something logs this bot in again and again",
            seconds,
        )


class _Client(discord.Client):
    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify at once: our own reader bounds how often, and the library's pause is for many shards."""


class Connections:
    """The connections of one bot."""

    def __init__(self, token: str, proxy: str | None, *, ipv4: bool) -> None:
        """`proxy` carries every connection. `ipv4`: connect over IPv4 only.

        Raises `ConfigError` if the certificates that the environment names cannot be used.
        """
        self._token, self._proxy, self._ipv4 = token, proxy, ipv4
        self._context = tls_context()
        self._client: discord.Client | None = None
        self._files: aiohttp.ClientSession | None = None
        self._login = asyncio.Lock()

    @property
    def application_id(self) -> str:
        """The id under which interactions are answered later; empty before the login."""
        return str(self._client.application_id) if self._client else ""

    async def client(self) -> discord.Client:
        """Return the library's client, logged in. Raises `PlatformError` when the login fails."""
        async with self._login:
            if self._client is None:
                client = _Client(
                    intents=INTENTS,
                    proxy=self._proxy,
                    connector=self._connector(),
                    http_trace=tracing(),
                    max_ratelimit_timeout=30.0,
                )
                try:
                    with translated():
                        await client.login(self._token)
                except BaseException:
                    await client.http.close()
                    raise
                # The library's own takes messages of any size, and waits half a minute for a closing that never comes.
                client.http.ws_connect = self._open_gateway  # type: ignore[method-assign]
                self._client = client
            return self._client

    async def _open_gateway(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        return await self.files().ws_connect(
            url,
            autoclose=False,
            compress=compress,
            max_msg_size=_PAYLOAD_MAX,
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_WAIT_S),
        )

    def files(self) -> aiohttp.ClientSession:
        """Return the session for downloads and for the gateway, whose requests carry no token."""
        if self._files is None:
            self._files = aiohttp.ClientSession(connector=self._connector(), proxy=self._proxy)
        return self._files

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.http.close()
        if self._files is not None:
            await self._files.close()

    def _connector(self) -> aiohttp.TCPConnector:
        family = socket.AF_INET if self._ipv4 else socket.AF_UNSPEC
        return aiohttp.TCPConnector(limit=0, family=family, ssl=self._context)
