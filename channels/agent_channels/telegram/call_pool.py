"""Connections for the calls of the Bot API, which are small, many, and urgent.

aiohttp takes more than twice the processor's time for a call and a quarter of the server's start to import; it is there
for files and proxies. Here asyncio connects, httptools reads the answer, and what is sent is one request of a known
length.
"""

from __future__ import annotations

import asyncio
import base64
import select
import socket
import ssl
import time
from typing import cast
from urllib.parse import unquote, urlsplit

from aiohappyeyeballs import start_connection
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from agent_channels.core.contract.connection_errors import no_answer, not_connected, not_written
from agent_channels.core.errors import Ambiguous
from agent_channels.core.i18n.sentences import sentence

__all__ = ["KEEP_S", "CallPool"]

# For a free connection, or for a new one: a name server that does not answer takes five of these seconds.
CONNECT_S = 10.0
# Where one of a name's addresses does not answer, the next is tried meanwhile (RFC 8305 recommends this delay).
NEXT_ADDRESS_S = 0.25
# Shorter than servers keep an idle connection: of a call that meets a connection being closed, it cannot be known
# whether it was executed.
KEEP_S = 15.0
_FINAL = 200


class CallPool:
    """At most `limit` connections to one server, made as they are needed and kept for the next call."""

    def __init__(self, base: str, context: ssl.SSLContext, *, limit: int, ipv4: bool) -> None:
        """Connect nothing yet. `base`: what every address begins with. `ipv4`: connect over IPv4 only."""
        parts = urlsplit(base)
        self._context = context if parts.scheme == "https" else None
        self._host = _ascii(parts.hostname or "", base)
        usual = 443 if self._context else 80
        self._port = usual if parts.port is None else parts.port
        self._family = socket.AF_INET if ipv4 else socket.AF_UNSPEC
        self._slots = asyncio.Semaphore(limit)
        self._kept: list[tuple[float, _Connection]] = []
        self._closed = False
        named = f"[{self._host}]" if ":" in self._host else self._host
        headers = [
            f"Host: {named}" if self._port == usual else f"Host: {named}:{self._port}",
            "User-Agent: agent-channels",
            "Content-Type: application/json",
        ]
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            # As aiohttp sends it with files.
            encoded = pair.encode("latin-1" if max(pair) <= "\xff" else "utf-8")
            headers.append(f"Authorization: Basic {base64.b64encode(encoded).decode()}")
        # A gateway may take the whole address as its own parameter.
        query = f"?{parts.query}" if parts.query else ""
        self._path, self._headers = f"{parts.path or '/'}{query}", "\r\n".join(headers)

    async def post(self, name: str, body: bytes, within_s: float) -> tuple[int, bytes]:
        """Post JSON to what is called `name` below the base; return the answer's status and body.

        `within_s`: the longest pause before the answer, and in it. Raises `Unavailable` if the request was surely not
        sent, `Ambiguous` if it may have been executed.
        """
        head = f"POST {self._path}/{name} HTTP/1.1\r\n{self._headers}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection = await self._reserve()
        try:
            answer = await connection.ask(head.encode() + body, within_s)
            if self._closed:
                connection.close()
            elif not connection.has_sent_all:
                # It answered before it had read the request, and may never read on.
                connection.abort()
            elif connection.is_open:
                self._kept.append((time.monotonic(), connection))
            return answer
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close what no call uses; the others' are closed as they end."""
        self._closed = True
        for _, connection in self._kept:
            connection.close()
        self._kept.clear()

    async def _reserve(self) -> _Connection:
        """Return a connection that nobody else uses, and take one of the slots."""
        if not self._slots.locked() and (connection := self._take_kept()):
            await self._slots.acquire()
            return connection
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._slots.acquire()
                try:
                    return self._take_kept() or await self._connect()
                except BaseException:
                    self._slots.release()
                    raise
        except OSError as error:
            raise not_connected(error, self._host, self._port, "Telegram") from error

    def _take_kept(self) -> _Connection | None:
        while self._kept:
            since, connection = self._kept.pop()
            if connection.is_usable and time.monotonic() - since < KEEP_S:
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(self._host, self._port, family=self._family, type=socket.SOCK_STREAM)
        # asyncio can do this too, but leaves a connection open if it is cancelled the moment that one is made.
        connected = await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_S)
        # A certificate's names have no dot at their end.
        name = self._host.rstrip(".") if self._context else None
        _, made = await loop.create_connection(_Connection, sock=connected, ssl=self._context, server_hostname=name)
        return made


class _Connection(asyncio.Protocol):
    """One connection. Its `on_` methods are what httptools calls while it reads."""

    _transport: asyncio.Transport
    _answer: asyncio.Future[tuple[int, bytes]]

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        # What aiohttp takes too: servers that people run themselves, and proxies before them, are not all exact.
        self._parser.set_dangerous_leniencies(lenient_headers=True, lenient_optional_cr_before_lf=True)
        self._awaits = False
        self._body: list[bytes] = []
        self._has_length = False
        # Whether an answer has begun that goes on until the connection is closed.
        self._until_closed = False

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    @property
    def is_usable(self) -> bool:
        """Whether nothing came since the last answer, as its end would, of which asyncio may not have told yet."""
        return self.is_open and not _is_readable(self._transport.get_extra_info("socket").fileno())

    @property
    def has_sent_all(self) -> bool:
        return not self._transport.get_write_buffer_size()

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    async def ask(self, request: bytes, within_s: float) -> tuple[int, bytes]:
        """Send a request and return the answer's status and body. Raises `Ambiguous`, `Unavailable`."""
        if not self.is_open:
            raise not_written("Telegram")
        loop = asyncio.get_running_loop()
        self._answer, self._awaits, self._within_s = loop.create_future(), True, within_s
        self._transport.write(request)
        self._timer = loop.call_later(within_s, self._expire)
        try:
            return await self._answer
        except BaseException:
            # What is still to come would be taken for the answer to the next request.
            self._transport.abort()
            raise
        finally:
            self._timer.cancel()
            self._awaits = False

    def _expire(self) -> None:
        self._fail(Ambiguous(sentence("Telegram did not answer in time")))

    def _fail(self, error: Exception) -> None:
        if self._awaits and not self._answer.done():
            self._awaits = False
            self._answer.set_exception(error)

    def _finish(self) -> None:
        if self._awaits and not self._answer.done():
            self._awaits = False
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(no_answer(error, "Telegram"))
            self._transport.abort()
        if self._awaits:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(self._within_s, self._expire)

    def connection_lost(self, error: Exception | None) -> None:
        if self._until_closed and error is None:
            self._finish()
        self._fail(no_answer(error or ConnectionError("the server closed it"), "Telegram"))

    # ---- httptools

    def on_message_begin(self) -> None:
        self._body.clear()
        self._has_length = False
        if not self._awaits:
            # Nobody asked for it, and the next answer may be another's.
            self._transport.abort()

    def on_header(self, name: bytes, _value: bytes) -> None:
        self._has_length |= name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        self._until_closed = not self._has_length

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._until_closed = False
        # Others (1xx) only say that the answer is still to come.
        if self._parser.get_status_code() >= _FINAL:
            if not self._parser.should_keep_alive():
                self._transport.close()
            self._finish()


def _ascii(host: str, address: str) -> str:
    """Return a host's name as it is looked up, which for some letters Python's own codec turns into another name."""
    if host.isascii():
        return host
    from yarl import URL

    return URL(address).raw_host or host


def _is_readable(descriptor: int) -> bool:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])
