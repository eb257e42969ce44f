"""HTTP to Telegram: uploads, stalls, proxies that refuse, and files from the server's disk."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import Ambiguous, Refused, Rejected, Unauthorized, Unavailable, Unsupported
from agent_channels.core.files.storage import open_file
from agent_channels.core.files.streaming import save
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.telegram import http
from agent_channels.telegram.adapter import TelegramAdapter
from agent_channels.telegram.http import BotApi, Upload, local_file
from agent_channels.telegram.settings import TelegramSettings
from proxies import tls_front

OK = b'{"ok":true,"result":true}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(OK), OK)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """A server on loopback; its host and port."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0, limit=1 << 14)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def opened(root: str, read_timeout_s: float = 5, proxy: str | None = None) -> AsyncIterator[BotApi]:
    calls = BotApi(
        root, ssl.create_default_context(), connections=2, read_timeout_s=read_timeout_s, proxy=proxy, ipv4=False
    )
    calls.open()
    try:
        yield calls
    finally:
        await calls.close()


def upload(size: int) -> dict[str, Upload]:
    """A file of `size` bytes, as sendDocument takes it."""
    return {"document": Upload("a.bin", io.BytesIO(b"x" * size))}


async def test_an_upload_that_goes_on_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as pieces are taken, an upload is not given up; its length is announced."""
    monkeypatch.setattr(http, "WRITE_S", 0.0)
    heads: list[bytes] = []

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        left = int(heads[0].lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while left > 0:
            await asyncio.sleep(0.01)
            left -= len(await reader.read(1 << 16))
        writer.write(ANSWER)
        await writer.drain()

    async with listening(slow) as place, opened(f"http://{place}", 1.5) as calls:
        began = asyncio.get_running_loop().time()
        assert await calls.call("sendDocument", upload(1 << 24), chat_id=1) is True
        assert asyncio.get_running_loop().time() - began > 1.6
    assert b"transfer-encoding" not in heads[0].lower()


async def test_an_upload_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends soon after the last piece that was taken; whether it arrived is not known."""
    monkeypatch.setattr(http, "WRITE_S", 0.1)
    over = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader, writer
        await over.wait()

    async with listening(deaf) as place, opened(f"http://{place}", 0.2) as calls:
        async with asyncio.timeout(5):
            with pytest.raises(Ambiguous, match="in time"):
                await calls.call("sendDocument", upload(1 << 25), chat_id=1)
        over.set()


async def test_a_server_that_does_not_know_a_method_has_the_right_token() -> None:
    """Both are answered with 404; only a token that is none is told as wrong."""
    async with TelegramSandbox() as tg:
        for token, kind in ((tg.token, Unsupported), ("nonsense", Unauthorized)):
            async with opened(f"{tg.root}/bot{token}") as calls:
                with pytest.raises(kind):
                    await calls.call("sendHologram", chat_id=1)


async def test_the_first_poll_takes_the_connection_that_is_there() -> None:
    """Who the bot is, is asked over the connection that polls: a second one would cost a round of TLS first."""
    asked: list[list[str]] = []

    async def bot_api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods: list[str] = []
        asked.append(methods)
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await reader.readexactly(int(head.lower().partition("content-length: ")[2].partition("\r\n")[0]))
                methods.append(head.split()[1].rpartition("/")[2])
                me = {"id": 1, "is_bot": True, "first_name": "Bot", "username": "a_bot"}
                body = json.dumps({"ok": methods[-1] == "getMe", "result": me, "error_code": 401}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    nothing_to_put: Any = None
    async with (
        listening(bot_api) as place,
        TelegramAdapter(TelegramSettings(api_root=f"http://{place}"), "1:x") as adapter,
    ):
        assert (await adapter.identify()).username == "a_bot"
        with pytest.raises(Unauthorized):
            await adapter.listen(nothing_to_put)
    assert asked == [["getMe", "getUpdates"]]


async def test_files_arrive_under_the_name_they_have(tmp_path: Path) -> None:
    """Spaces, quotes, other scripts: nothing in a name is escaped for the person who gets the file."""
    async with TelegramSandbox() as tg:
        ann = tg.person("ann")
        ann.start()
        adapter = TelegramAdapter(TelegramSettings(api_root=tg.root), tg.token)
        async with adapter:
            for name in ("a b.txt", 'say "hi".txt', "報告 2026.txt", "50%25.txt", "été;x=1.txt"):
                (tmp_path / name).write_text("text")
                await adapter.send(Outgoing(str(ann.id), file=open_file(tmp_path / name)))
                assert (await ann.next_message())["document"]["file_name"] == name


async def refusing_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def refusing_socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"\x05\x00")
    await reader.read(1000)
    # "Connection refused" (RFC 1928).
    writer.write(b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
    await writer.drain()


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.close()


@pytest.mark.parametrize(
    ("scheme", "serve"),
    [
        ("http", refusing_http),
        ("socks5", refusing_socks),
        ("socks5", hanging_up),
        ("socks5h", refusing_socks),
        ("socks5", None),
        ("http", None),
    ],
)
async def test_a_proxy_that_does_not_pass_a_call_on_leaves_no_doubt(scheme: str, serve: Serve | None) -> None:
    """However the proxy fails before there is a connection, the call was not executed: Unavailable."""
    async with listening(serve or hanging_up) as place:
        proxy = f"{scheme}://{place}" if serve else f"{scheme}://127.0.0.1:1"
        async with opened("https://api.telegram.invalid/botTOKEN", proxy=proxy) as calls:
            with pytest.raises(Unavailable, match="cannot be reached"):
                await calls.call("getMe")


async def test_a_certificate_that_nobody_vouches_for_ends_before_the_call(tmp_path: Path) -> None:
    """Directly and through a SOCKS proxy."""
    from proxies import socks_proxy

    async with TelegramSandbox() as tg, tls_front(tg.port, tmp_path) as front, socks_proxy() as passed:
        for proxy in (None, passed.url):
            async with opened(f"https://{front.place}/bot{tg.token}", proxy=proxy) as calls:
                with pytest.raises(Unavailable):
                    await calls.call("getMe")
        assert tg.calls == []


async def test_calls_before_the_connections_are_open_fail_clearly() -> None:
    """Nothing was sent."""
    calls = BotApi(
        "http://127.0.0.1:1", ssl.create_default_context(), connections=1, read_timeout_s=1, proxy=None, ipv4=False
    )
    with pytest.raises(Unavailable, match="not open"):
        await calls.call("getMe")


async def test_a_file_on_the_servers_disk_is_read_whole_or_refused(tmp_path: Path) -> None:
    """Missing, a folder, empty, too large: each is named, and nothing is left of it."""
    (tmp_path / "good").write_bytes(b"x" * 600_000)
    (tmp_path / "empty").touch()
    target = tmp_path / "target"
    assert await save(local_file(str(tmp_path / "good"), 10**6), target, 10**6) == 600_000
    assert target.read_bytes() == b"x" * 600_000
    target.unlink()
    cases: list[tuple[str, type[Exception], str]] = [
        ("missing", Rejected, "cannot be read here"),
        ("", Rejected, "cannot be read here"),
        ("empty", Rejected, "empty file"),
        ("good", Refused, "at most 1,000"),
    ]
    for name, kind, says in cases:
        with pytest.raises(kind, match=says):
            await save(local_file(str(tmp_path / name), 1000), target, 1000)
        assert not target.exists()


def test_the_socks_library_is_imported_only_with_such_a_proxy() -> None:
    """Start-up time is a budget, so the import waits for a SOCKS proxy in the settings."""
    program = """
import asyncio, sys
from agent_channels.telegram.adapter import TelegramAdapter
from agent_channels.telegram.settings import TelegramSettings
async def enter(proxy):
    async with TelegramAdapter(TelegramSettings(), "123456:" + "x" * 35, proxy=proxy):
        return "aiohttp_socks" in sys.modules
print(asyncio.run(enter(None)), asyncio.run(enter("http://p:1")), asyncio.run(enter("socks5://p:1")))
"""
    ran: Any = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False", "True"]
