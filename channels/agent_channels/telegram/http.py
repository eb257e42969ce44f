"""The Bot API over HTTP: calls in JSON, uploads as forms, failures as ours; and files on this machine.

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
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import anyio

from agent_channels.core.errors import Forbidden, Rejected, Unavailable, Unsupported
from agent_channels.core.files.streaming import check_size
from agent_channels.core.frozen import frozen
from agent_channels.core.settings.certificates import no_system_certificates
from agent_channels.telegram.call_pool import KEEP_S, CallPool
from agent_channels.telegram.errors import result_of, translate

if TYPE_CHECKING:
    import aiohttp

__all__ = ["BotApi", "Feature", "Server", "Upload", "local_file"]

CONNECT_S = 5.0
POOL_S = 10.0
# An upload of which no piece is taken for this long is given up.
WRITE_S = 20.0
FILE_CONNECT_S, FILE_READ_S = 10.0, 30.0
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
        self._read_timeout_s, self._ipv4, self._proxy = read_timeout_s, ipv4, proxy
        self._is_open = False
        self._direct: CallPool | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session for files, for proxies, and for what is no method. Raises `Unavailable` while it is not open."""
        self._require_open()
        if self._session is None:
            self._session = self._over(self._connector())
        return self._session

    def open(self) -> None:
        """Open the pool; it connects with the first request."""
        self._is_open = True
        if self._proxy is not None:
            self._session = self._over(self._connector())
        else:
            self._direct = CallPool(self._base, self._context, limit=self._connections, ipv4=self._ipv4)

    async def close(self) -> None:
        """Close the pool."""
        self._is_open = False
        if self._direct is not None:
            self._direct.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _require_open(self) -> None:
        if not self._is_open:
            raise Unavailable("the connections to Telegram are not open")

    def _over(self, connector: aiohttp.BaseConnector | None, **options: Any) -> aiohttp.ClientSession:
        import aiohttp

        return aiohttp.ClientSession(
            connector=connector,
            # It speaks to HTTP proxies only; of SOCKS, its connector knows.
            proxy=None if self._socks else self._proxy,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "agent-channels"},
            **options,
        )

    @property
    def _socks(self) -> str | None:
        return self._proxy if self._proxy and self._proxy.startswith("socks") else None

    def _connector(self) -> aiohttp.BaseConnector:
        with no_system_certificates():
            import aiohttp

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
        self._require_open()
        try:
            if files:
                status, body = await self._upload(method, parameters, files, read_s)
            elif self._direct is not None:
                status, body = await self._direct.post(method, json.dumps(parameters).encode(), read_s)
            else:
                status, body = await self._post(self.session, method, read_s, json.dumps(parameters).encode(), _JSON)
        except Exception as error:
            raise translate(error) from error
        return result_of(status, body)

    def get(self, address: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Return the answer to a GET, for a file."""
        session = self.session
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(sock_connect=FILE_CONNECT_S, sock_read=FILE_READ_S)
        return session.get(address, allow_redirects=False, timeout=timeout)

    async def _post(
        self,
        session: aiohttp.ClientSession,
        method: str,
        read_s: float,
        data: bytes | aiohttp.FormData,
        headers: Mapping[str, str],
    ) -> tuple[int, bytes]:
        from aiohttp import ClientTimeout
        from yarl import URL

        # Nothing in it is to be quoted again.
        address = URL(f"{self._base}/{method}", encoded=True)
        timeout = ClientTimeout(connect=POOL_S, sock_connect=CONNECT_S, sock_read=read_s)
        answer = await session.post(address, data=data, headers=headers, timeout=timeout, allow_redirects=False)
        # Whether or not this succeeds, the connection is released or closed.
        return answer.status, await answer.read()

    async def _upload(
        self, method: str, parameters: Mapping[str, Any], files: Mapping[str, Upload], read_s: float
    ) -> tuple[int, bytes]:
        """Send a form; raise `TimeoutError` when for `WRITE_S` seconds no piece of it is taken and no answer comes."""
        pool, loop, stall_s = self.session.connector, asyncio.get_running_loop(), WRITE_S + read_s
        from aiohttp import TraceConfig

        async with asyncio.timeout(stall_s) as stalled:

            async def progressed(*_: object) -> None:
                stalled.reschedule(loop.time() + stall_s)

            trace = TraceConfig()
            trace.on_request_chunk_sent.append(progressed)
            # A session of its own over the same connections: tracing would make every other request slower.
            async with self._over(pool, connector_owner=False, trace_configs=[trace]) as session:
                return await self._post(session, method, read_s, _form(parameters, files), {})


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


def _form(parameters: Mapping[str, Any], files: Mapping[str, Upload]) -> aiohttp.FormData:
    from aiohttp import FormData

    form = FormData(quote_fields=False)
    for name, value in parameters.items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    for name, file in files.items():
        kind = mimetypes.guess_type(file.name, strict=False)[0] or "application/octet-stream"
        form.add_field(name, file.stream, filename=file.name, content_type=kind)
    return form


def _socks_connector(url: str, options: dict[str, Any]) -> aiohttp.BaseConnector:
    import aiohttp
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
