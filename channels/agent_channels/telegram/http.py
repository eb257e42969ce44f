"""The Bot API over aiohttp: calls in JSON, uploads as forms, failures as ours; and files on this machine.

A Bot API server that people run themselves is as old as its image: `Server` is what one turned out to know.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import os
import socket
import ssl
import stat
from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, Literal

import aiohttp
import anyio
from yarl import URL

from agent_channels.core.errors import Forbidden, Rejected, Unavailable, Unsupported
from agent_channels.core.files.streaming import check_size
from agent_channels.core.frozen import frozen
from agent_channels.telegram.errors import result_of, translate

__all__ = ["FILE_TIMEOUT", "BotApi", "Feature", "Server", "Upload", "local_file"]

CONNECT_S = 5.0
POOL_S = 10.0
# An upload of which no piece is taken for this long is given up.
WRITE_S = 20.0
# Shorter than servers keep an idle connection: of a call that meets a connection being closed, it cannot be known
# whether it was executed.
KEEP_S = 15.0
FILE_TIMEOUT = aiohttp.ClientTimeout(sock_connect=10, sock_read=30)
LOCAL_CHUNK = 256 * 1024
_JSON = {"Content-Type": "application/json"}
# Disabled buttons came with Bot API 10.3, entities for moments with 9.5, messages for one person with 10.2.
Feature = Literal["disabled buttons", "moments", "messages for one person"]


async def local_file(path: str, limit: int) -> AsyncGenerator[bytes]:
    """Yield the pieces of a file that a Bot API server in local mode keeps on this machine.

    Raises `Rejected` when it cannot be read here, `Refused` above `limit` bytes.
    """
    try:
        async with await anyio.open_file(path, "rb") as file:
            info = os.fstat(file.wrapped.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise Rejected(f"the Bot API server in local mode names {path!r}, which is not a file")
            check_size(info.st_size, limit)
            while chunk := await file.read(LOCAL_CHUNK):
                yield chunk
    except OSError as error:
        raise Rejected(
            f"the Bot API server in local mode names the file {path!r}, which cannot be read here "
            f"({error.strerror or error}): it has to run on this machine, or share its folder under the same path"
        ) from error


@frozen
class Upload:
    """A file to send: its name for people, and its content, read while it is sent."""

    name: str
    stream: BinaryIO


class BotApi:
    """One bot over one pool of connections, for calls, uploads and downloads."""

    def __init__(
        self,
        base: str,
        context: ssl.SSLContext,
        *,
        connections: int,
        read_timeout_s: float,
        proxy: str | None,
        ipv4: bool,
    ) -> None:
        """Connect nothing yet.

        `base`: the address of the Bot API with the token. `read_timeout_s`: how long an answer may take. `proxy`
        (http, https or socks) carries every request. `ipv4`: connect over IPv4 only.
        """
        self._base, self._context, self._connections = base, context, connections
        self._read_timeout_s, self._ipv4 = read_timeout_s, ipv4
        # aiohttp itself speaks to HTTP proxies only.
        self._socks = proxy if proxy and proxy.startswith("socks") else None
        self._proxy = None if self._socks else proxy
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, for requests outside the Bot API's methods. Raises `Unavailable` while it is not open."""
        if self._session is None:
            raise Unavailable("the connections to Telegram are not open")
        return self._session

    def open(self) -> None:
        """Open the pool; it connects with the first request."""
        self._session = self._over(self._connector())

    async def close(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _over(self, connector: aiohttp.BaseConnector | None, **options: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            proxy=self._proxy,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "agent-channels"},
            **options,
        )

    def _connector(self) -> aiohttp.BaseConnector:
        options: dict[str, Any] = {"ssl": self._context, "limit": self._connections, "keepalive_timeout": KEEP_S}
        if self._socks is not None:
            return _socks_connector(self._socks, options)
        return aiohttp.TCPConnector(family=socket.AF_INET if self._ipv4 else socket.AF_UNSPEC, **options)

    async def call(
        self, method: str, files: Mapping[str, Upload] | None = None, *, within_s: float | None = None, **given: Any
    ) -> Any:
        """Call a method and return its result as Telegram sent it.

        `given` are its parameters, of which those that are None are left out; `files` goes out beside them, by the
        names of parameters or as what `attach://` in them names. `within_s`: how long the answer may take.
        Raises `PlatformError`.
        """
        parameters = {name: value for name, value in given.items() if value is not None}
        read_s = self._read_timeout_s if within_s is None else within_s
        options: dict[str, Any] = {"timeout": _timeout(read_s), "allow_redirects": False}
        # Nothing in it is to be quoted again.
        address = URL(f"{self._base}/{method}", encoded=True)
        session = self.session
        try:
            if files:
                status, body = await self._upload(address, _form(parameters, files), WRITE_S + read_s, options)
            else:
                data = json.dumps(parameters).encode()
                answer = await session.post(address, data=data, headers=_JSON, **options)
                # Whether or not this succeeds, the connection is released or closed.
                status, body = answer.status, await answer.read()
        except Exception as error:
            raise translate(error) from error
        return result_of(status, body)

    async def _upload(
        self, address: URL, form: aiohttp.FormData, stall_s: float, options: dict[str, Any]
    ) -> tuple[int, bytes]:
        """Send a form; raise `TimeoutError` when for `stall_s` seconds no piece of it is taken and no answer comes."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(stall_s) as stalled:

            async def progressed(*_: object) -> None:
                stalled.reschedule(loop.time() + stall_s)

            trace = aiohttp.TraceConfig()
            trace.on_request_chunk_sent.append(progressed)
            # A session of its own over the same connections: tracing would make every small call slower.
            async with self._over(self.session.connector, connector_owner=False, trace_configs=[trace]) as session:
                answer = await session.post(address, data=form, **options)
                return answer.status, await answer.read()


class Server:
    """One server, as far as this process has got to know it."""

    def __init__(self, api: BotApi) -> None:
        self._api = api
        self.lacking: set[Feature] = set()
        """What it refused to know. It is not tried again."""
        self._sends_privately: bool | None = None

    async def sends_privately(self) -> bool:
        """Return whether a message for one person reaches nobody else. Raises `PlatformError` if it cannot be asked.

        A server ignores parameters that it does not know, and would show such a message to everybody. It refuses
        methods that it does not know, so it is asked for one of 10.4, which does nothing without parameters.
        """
        if self._sends_privately is None:
            try:
                await self._api.call("sendWidget")
            except Unsupported:
                self._sends_privately = False
            except (Rejected, Forbidden):
                self._sends_privately = True
            else:
                self._sends_privately = False
        return self._sends_privately and "messages for one person" not in self.lacking


# Of the few lengths that there are.
@lru_cache(maxsize=8)
def _timeout(read_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=POOL_S, sock_connect=CONNECT_S, sock_read=read_s)


def _form(parameters: Mapping[str, Any], files: Mapping[str, Upload]) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)
    for name, value in parameters.items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    for name, file in files.items():
        kind = mimetypes.guess_type(file.name, strict=False)[0] or "application/octet-stream"
        form.add_field(name, file.stream, filename=file.name, content_type=kind)
    return form


def _socks_connector(url: str, options: dict[str, Any]) -> aiohttp.BaseConnector:
    from aiohttp_socks import ProxyConnector

    class SocksConnector(ProxyConnector):
        async def _wrap_create_connection(self, *args: Any, req: aiohttp.ClientRequest, **more: Any) -> Any:
            try:
                return await super()._wrap_create_connection(*args, req=req, **more)
            except Exception as error:
                # As aiohttp reports every connection that does not come about: nothing was sent.
                raise aiohttp.ClientProxyConnectionError(req.connection_key, OSError(0, str(error))) from error

    # The proxy resolves the name, which others ask for as socks5h.
    return SocksConnector.from_url(url.replace("socks5h://", "socks5://", 1), rdns=True, **options)
