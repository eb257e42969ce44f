"""The way to Telegram's servers: how a call travels, which addresses it takes, and files that lie on this machine.

Calls go by aiohttp, whose parser is compiled; with a file or through a proxy, as PTB has it. With httpx, which PTB
brings, a small call costs half a millisecond more each way: a good part of what a message's whole way takes.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
import httpx
from telegram import TelegramObject
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, HTTPXRequest, RequestData
from yarl import URL

from agent_channels.core.errors import Refused, Rejected

__all__ = ["Calls", "copy_local", "route"]

CONNECT_S = 5.0
POOL_S = 10.0
WRITE_S = 20.0
# Shorter than servers keep an idle connection: a call that meets one that is just being closed may or may not have
# been executed, and nobody could tell.
KEEP_S = 15.0
_HEADERS = {"User-Agent": BaseRequest.USER_AGENT, "Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def route(context: ssl.SSLContext, *, ipv4: bool, connections: int) -> dict[str, Any]:
    """What an httpx client is made with: whom it trusts, and direct connections over IPv4 only where that is wanted."""
    if not ipv4:
        return {"verify": context}
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    # A local IPv4 address leaves only IPv4 addresses to connect to.
    return {
        "transport": httpx.AsyncHTTPTransport(verify=context, local_address="0.0.0.0", limits=limits)  # noqa: S104
    }


def copy_local(path: str, target: Path, limit: int) -> int:
    """Copies a file that a Bot API server in local mode keeps on this machine; returns its size in bytes.

    Raises `Rejected` when it is not there to be read, `Refused` above `limit`.
    """
    try:
        with Path(path).open("rb") as source:
            about = os.fstat(source.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size == 0:
                raise Rejected("the Bot API server handed out an empty file; ask the sender to send it again")
            if about.st_size > limit:
                raise Refused(f"the file has {about.st_size:,} bytes; at most {limit:,} are downloaded")
            _copy(source.fileno(), target)
            return about.st_size
    except OSError as error:
        raise Rejected(
            f"the Bot API server in local mode names the file {path!r}, which cannot be read here "
            f"({error.strerror or error}): it has to run on this machine, or share its folder under the same path"
        ) from error


def _copy(source: int, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, os.fdopen(os.dup(source), "rb") as data:
            shutil.copyfileobj(data, file)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class _Values:
    """Parameters where the library has its RequestData."""

    parameters: dict[str, Any]
    contains_files: bool = False
    multipart_data: None = None

    @property
    def json_parameters(self) -> dict[str, str]:
        """As a form has them."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, default=TelegramObject.to_dict)
            for name, value in self.parameters.items()
        }


class Calls(HTTPXRequest):
    """Calls over one pool of connections."""

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
        """`base` holds the token; `proxy` carries every request; `ipv4`: direct connections are over IPv4 only."""
        super().__init__(
            connection_pool_size=connections,
            read_timeout=read_timeout_s,
            write_timeout=WRITE_S,
            connect_timeout=CONNECT_S,
            pool_timeout=POOL_S,
            proxy=proxy,
            httpx_kwargs=route(context, ipv4=ipv4, connections=connections),
        )
        self._base, self._read_timeout_s = base, read_timeout_s
        self._context, self._connections, self._proxied, self._ipv4 = context, connections, proxy is not None, ipv4
        self._session: aiohttp.ClientSession | None = None

    async def initialize(self) -> None:
        """Opens the pool."""
        await super().initialize()
        if self._session is None and not self._proxied:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._context,
                    limit=self._connections,
                    family=socket.AF_INET if self._ipv4 else socket.AF_UNSPEC,
                    keepalive_timeout=KEEP_S,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
            )

    async def shutdown(self) -> None:
        """Closes the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        await super().shutdown()

    async def api(self, method: str, *, within_s: float | None = None, **parameters: Any) -> Any:
        """Calls a method, parameters that are None left out; its result as Telegram sent it.

        For what is called with every message: making the library's objects of a result costs as much as the call.
        `within_s`: how long its answer may take. Raises the library's errors.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        values: Any = _Values(given)
        return await self.post(
            f"{self._base}/{method}",
            values,
            read_timeout=BaseRequest.DEFAULT_NONE if within_s is None else within_s,
        )

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """An answer. Raises `TelegramError` for what is none, which the library would write into the log besides."""
        try:
            found: dict[str, Any] = json.loads(payload.decode("utf-8", "replace"))
        except ValueError as error:
            raise TelegramError("the answer is no JSON") from error
        return found

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | _Values | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """The status and body of the answer. Raises `NetworkError`, with the cause, when there is none."""
        if self._session is None or (request_data is not None and request_data.contains_files):
            return await super().do_request(
                url,
                method,
                cast("RequestData | None", request_data),
                read_timeout,
                write_timeout,
                connect_timeout,
                pool_timeout,
            )
        read_s = self._read_timeout_s if read_timeout is BaseRequest.DEFAULT_NONE else read_timeout
        try:
            answer = await self._session.request(
                method,
                # As the library wrote it: nothing in it is to be quoted again.
                URL(url, encoded=True),
                data=_body(request_data) if request_data else None,
                headers=None if isinstance(request_data, _Values) else _FORM,
                timeout=aiohttp.ClientTimeout(connect=POOL_S, sock_connect=CONNECT_S, sock_read=read_s),
                allow_redirects=False,
            )
            # Read to its end, or in vain: either way its connection is given back, or closed.
            return answer.status, await answer.read()
        except TimeoutError as error:
            raise TimedOut from error
        except aiohttp.ClientError as error:
            raise NetworkError(f"{type(error).__name__}: {error}") from error


def _body(data: RequestData | _Values) -> bytes:
    if isinstance(data, _Values):
        return json.dumps(data.parameters, default=TelegramObject.to_dict).encode()
    return urlencode(data.json_parameters).encode()
