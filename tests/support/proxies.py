"""Proxies of the tests' own on loopback, which write down what went through them; and TLS in front of a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = [
    "Front",
    "Passed",
    "http_proxy",
    "localhost_certificate",
    "refusing_proxy",
    "refusing_socks_proxy",
    "socks_proxy",
    "tls_front",
]


@dataclass
class Passed:
    """What a proxy saw: the targets of CONNECT or SOCKS5 by host:port, and of plain requests by their whole URL."""

    url: str
    tunnels: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


LOOPBACK = ipaddress.IPv4Address("127.0.0.1")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while part := await source.read(1 << 16):
            sink.write(part)
            await sink.drain()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, first: bytes = b""
) -> None:
    """Hands on both ways until one of the two ends."""
    theirs_in, theirs_out = await asyncio.open_connection(host, port)
    try:
        theirs_out.write(first)
        ways = {asyncio.create_task(_pump(reader, theirs_out)), asyncio.create_task(_pump(theirs_in, writer))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
    finally:
        await _close(theirs_out)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def _listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    running: set[asyncio.Task[None] | None] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            await _close(writer)

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
    yield int(server.sockets[0].getsockname()[1])
    server.close()
    for task in [task for task in running if task is not None]:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def http_proxy() -> AsyncIterator[Passed]:
    """CONNECT, and plain requests with the whole URL in their first line (RFC 9110, RFC 9112 section 3.2.2)."""
    passed = Passed("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if method == "CONNECT":
            passed.tunnels.append(target)
            host, _, port = target.rpartition(":")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _join(reader, writer, host, int(port))
            return
        passed.requests.append(target)
        place, _, path = target.partition("://")[2].partition("/")
        host, _, port = place.rpartition(":")
        # One request a connection, so that each shows.
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"connection", b"proxy-"))]
        upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
        lines[0] = f"{method} /{path} HTTP/1.1".encode()
        lines.insert(1, b"Connection: Upgrade" if upgrade else b"Connection: close")
        await _join(reader, writer, host, int(port), b"\r\n".join(lines))

    async with _listening(serve) as port:
        passed.url = f"http://127.0.0.1:{port}"
        yield passed


@asynccontextmanager
async def socks_proxy() -> AsyncIterator[Passed]:
    """SOCKS5 without authentication, CONNECT only (RFC 1928)."""
    passed = Passed("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, command, _, kind = await reader.readexactly(4)
        assert command == 1
        if kind == 3:
            (length,) = await reader.readexactly(1)
            host = (await reader.readexactly(length)).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        passed.tunnels.append(f"{host}:{port}")
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        await _join(reader, writer, host, port)

    async with _listening(serve) as port:
        passed.url = f"socks5://127.0.0.1:{port}"
        yield passed


@asynccontextmanager
async def refusing_proxy(answer: str) -> AsyncIterator[str]:
    """An HTTP proxy that answers every request with a status, such as "403 Forbidden"; yields its host:port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answer}\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async with _listening(serve) as port:
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def refusing_socks_proxy() -> AsyncIterator[str]:
    """A SOCKS5 proxy that takes nobody without a user name and a password; yields its host:port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\xff")
        await writer.drain()

    async with _listening(serve) as port:
        yield f"127.0.0.1:{port}"


@dataclass
class Front:
    """TLS in front of a port: its place (host:port), the certificate to trust, how often somebody came."""

    place: str
    certificate: Path
    connections: int = 0


@asynccontextmanager
async def tls_front(
    port: int, folder: Path, *, starts_in: dt.timedelta = -dt.timedelta(days=1)
) -> AsyncIterator[Front]:
    """TLS for `localhost` in front of a port, with a certificate that is valid for two days from a moment on."""
    front = Front("", localhost_certificate(folder, starts_in))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(front.certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        front.connections += 1
        await _join(reader, writer, "127.0.0.1", port)

    async with _listening(serve, context) as own:
        front.place = f"localhost:{own}"
        yield front


def localhost_certificate(folder: Path, starts_in: dt.timedelta = -dt.timedelta(days=1)) -> Path:
    """A certificate for localhost and 127.0.0.1 that vouches for itself, with its key, in one file, for two days."""
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(LOOPBACK)])
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts_in)
        .not_valid_after(now + starts_in + dt.timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path
