"""The pool for calls: whatever a server does with a connection, an answer is one call's, and a doubt is told as one."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from agent_channels.core.errors import Ambiguous, Unavailable
from agent_channels.telegram import call_pool
from agent_channels.telegram.call_pool import CallPool

Serve = Callable[["Server", int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A server on loopback that does with each connection what `serve` says, which gets the connection's number."""

    def __init__(self, serve: Serve) -> None:
        self.requests: list[tuple[int, bytes]] = []
        self.connections = 0
        self.accepted, self.closed = asyncio.Event(), asyncio.Event()
        self._serve = serve
        self._serving: set[asyncio.Task[None]] = set()

    async def request(self, number: int, reader: asyncio.StreamReader) -> None:
        """Read one request whole."""
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
        self.requests.append((number, head + body))

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        self.connections += 1
        self.accepted.set()
        self._serving.add(asyncio.create_task(self._serve_one(self.connections, reader, writer)))

    async def _serve_one(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._serve(self, number, reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.closed.set()

    async def ended(self) -> None:
        """Wait until no connection is served any more."""
        await asyncio.gather(*self._serving)


@asynccontextmanager
async def pool(serve: Serve, *, limit: int = 4, user: str = "") -> AsyncIterator[tuple[CallPool, Server]]:
    """A pool, and the server it speaks to."""
    server = Server(serve)
    async with await asyncio.start_server(server.accept, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        base = f"http://{user}127.0.0.1:{port}/bot1"
        calls = CallPool(base, ssl.create_default_context(), limit=limit, ipv4=False)
        try:
            yield calls, server
        finally:
            calls.close()
            await server.ended()


async def kept_alive(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request, as long as somebody asks."""
    while True:
        await server.request(number, reader)
        writer.write(OK)


def once(answer: bytes) -> Serve:
    """Answer the first request in one's own words, and close the connection."""

    async def serve(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(number, reader)
        writer.write(answer)

    return serve


async def test_a_call_is_one_request_of_http() -> None:
    """Its method, its length, and the user name and password that stand in the address."""
    async with pool(kept_alive, user="us%20er:p%40ss@") as (calls, server):
        assert await calls.post("sendMessage", b'{"a": 1}', 5) == (200, b"ok")
    ((_, request),) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /bot1/sendMessage HTTP/1.1"
    assert body == b'{"a": 1}'
    told = dict(line.split(": ") for line in headers)
    assert told["Host"].startswith("127.0.0.1:")
    assert told["Content-Type"] == "application/json"
    assert told["Authorization"] == "Basic dXMgZXI6cEBzcw=="


async def test_calls_one_after_the_other_share_a_connection() -> None:
    """A connection is made once; calls at the same time have one each, and at most so many as are allowed."""
    async with pool(kept_alive, limit=3) as (calls, server):
        for _ in range(5):
            await calls.post("getMe", b"{}", 5)
        assert server.connections == 1
        assert await asyncio.gather(*(calls.post("getMe", b"{}", 5) for _ in range(20))) == [(200, b"ok")] * 20
        assert server.connections == 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", (200, b"abcde")),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops", (502, b"oops")),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil it is closed", (200, b"until it is closed")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, (200, b"ok")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"")),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", (200, b"ok")),
        (b"HTTP/1.1 200 OK\r\nVia: a\r\n b\r\nContent-Length: 2\r\n\r\nok", (200, b"ok")),
    ],
    ids=["chunked", "fault", "until closed", "continue", "no content", "empty", "line feeds", "folded"],
)
async def test_an_answer_is_read_whole(answer: bytes, expected: tuple[int, bytes]) -> None:
    """However a server says where it ends."""
    async with pool(once(answer)) as (calls, _):
        assert await calls.post("getMe", b"{}", 5) == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half of the chunks", "another protocol", "no HTTP"],
)
async def test_without_a_whole_answer_a_call_may_have_been_executed(answer: bytes) -> None:
    """The request was sent, so it is not known; and it is not sent once more."""
    async with pool(once(answer)) as (calls, server):
        with pytest.raises(Ambiguous, match="ended before the answer"):
            await calls.post("sendMessage", b"{}", 5)
        assert len(server.requests) == 1


async def test_without_a_connection_a_call_was_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there, or nobody takes part in time."""
    calls = CallPool("http://127.0.0.1:1/bot1", ssl.create_default_context(), limit=1, ipv4=True)
    with pytest.raises(Unavailable, match="takes no connection"):
        await calls.post("sendMessage", b"{}", 5)
    monkeypatch.setattr(call_pool, "CONNECT_S", 0.05)
    over = asyncio.Event()

    async def deaf(_server: Server, _number: int, _reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await over.wait()

    async with pool(deaf, limit=1) as (calls, server):
        first = asyncio.create_task(calls.post("sendMessage", b"{}", 5))
        await server.accepted.wait()
        with pytest.raises(Unavailable, match="no connection in time"):
            await calls.post("sendMessage", b"{}", 5)
        over.set()
        with pytest.raises(Ambiguous):
            await first
        assert server.connections == 1


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """The next call makes another, without a doubt about it."""

    async def one_each(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(number, reader)
        writer.write(OK)

    async with pool(one_each) as (calls, server):
        for _ in range(3):
            assert await calls.post("getMe", b"{}", 5) == (200, b"ok")
            await server.closed.wait()
            server.closed.clear()
        assert [number for number, _ in server.requests] == [1, 2, 3]


async def test_a_connection_that_was_kept_too_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may be closing it at this moment."""
    monkeypatch.setattr(call_pool, "KEEP_S", 0.0)
    async with pool(kept_alive) as (calls, server):
        for _ in range(3):
            await calls.post("getMe", b"{}", 5)
        assert server.connections == 3


async def test_what_nobody_asked_for_is_no_answer() -> None:
    """A second answer is not taken for that of the next call."""

    async def twice(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.request(number, reader)
            writer.write(OK + OK.replace(b"ok", b"no"))

    async with pool(twice) as (calls, server):
        for _ in range(3):
            assert await calls.post("getMe", b"{}", 5) == (200, b"ok")
        assert server.connections == 3


async def test_a_call_that_is_given_up_takes_its_connection_with_it() -> None:
    """Its answer would be taken for the next one's. The pool goes on."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.request(number, reader)
            asked.set()
            if number == 1:
                await go_on.wait()
            writer.write(OK)

    async with pool(slow, limit=1) as (calls, server):
        call = asyncio.create_task(calls.post("sendMessage", b"1", 5))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go_on.set()
        assert await calls.post("sendMessage", b"2", 5) == (200, b"ok")
        assert [number for number, _ in server.requests] == [1, 2]


async def test_a_server_that_falls_silent_is_not_waited_for() -> None:
    """The time counts from the last piece of the answer."""
    pieces = [b"HTTP/1.1 200 OK\r\n", b"Content-Length: 6\r\n\r\n", b"ab", b"cd", b"ef"]
    over = asyncio.Event()

    async def slow(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(number, reader)
        for piece in pieces if number == 1 else pieces[:3]:
            await asyncio.sleep(0.1)
            writer.write(piece)
        await over.wait()

    async with pool(slow, limit=2) as (calls, _):
        assert await calls.post("getMe", b"{}", 0.4) == (200, b"abcdef")
        kept = asyncio.create_task(calls.post("getMe", b"{}", 0.4))
        with pytest.raises(Ambiguous, match="in time"):
            await kept
        with pytest.raises(Ambiguous, match="in time"):
            await calls.post("getMe", b"{}", 0.4)
        over.set()


async def test_connections_end_with_the_pool() -> None:
    """Those that are kept at once, one in use after its answer."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(number, reader)
        asked.set()
        await go_on.wait()
        writer.write(OK)
        assert await reader.read() == b""

    async with pool(slow) as (calls, server):
        call = asyncio.create_task(calls.post("getMe", b"{}", 5))
        await asked.wait()
        calls.close()
        go_on.set()
        assert await call == (200, b"ok")
        await server.closed.wait()


@pytest.mark.parametrize("seed", range(4))
async def test_no_call_gets_the_answer_of_another(seed: int) -> None:
    """Calls at random moments, given up at random moments, to a server that is slow, cuts off and repeats itself."""
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    done: Counter[str] = Counter()

    async def moody(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        goes_on = True
        while goes_on:
            await server.request(number, reader)
            body = server.requests[-1][1].partition(b"\r\n\r\n")[2]
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            half = len(answer) // 2
            await asyncio.sleep(chance.choice([0, 0, 0.002, 0.02]))
            pieces, goes_on = chance.choice(
                [
                    *[([answer], True)] * 5,
                    ([answer], False),
                    ([answer[:half], answer[half:]], True),
                    ([answer * 2], True),
                    ([answer[:half]], False),
                    ([], False),
                ]
            )
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.001)

    async def one(calls: CallPool, number: int) -> None:
        await asyncio.sleep(chance.random() * 0.3)
        body = f'{{"number": {number}}}'.encode()
        try:
            async with asyncio.timeout(chance.choice([0.001, 0.01, 5])):
                assert await calls.post("sendMessage", body, 0.05) == (200, body)
            done["answered"] += 1
        except TimeoutError:
            done["given up"] += 1
        except Ambiguous:
            done["in doubt"] += 1

    async with pool(moody, limit=5) as (calls, server):
        await asyncio.gather(*(one(calls, number) for number in range(400)))
        assert min(done["answered"], done["given up"], done["in doubt"]) > 10
        # Nothing went out twice, and every slot is free again.
        assert max(Counter(request for _, request in server.requests).values()) == 1
        for number in range(5):
            await calls._slots.acquire()
            assert number == 4 or not calls._slots.locked()


@pytest.mark.parametrize("late", [OK.replace(b"ok", b"no"), b""], ids=["an answer", "the end"])
async def test_what_came_while_nobody_read_is_no_answer(late: bytes) -> None:
    """A process that was busy or asleep finds it only when it asks again: then over another connection."""
    go_on, written = asyncio.Event(), asyncio.Event()

    async def serve(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(number, reader)
        writer.write(OK)
        await go_on.wait()
        if number == 1:
            writer.write(late)
            if not late:
                writer.write_eof()
            written.set()
            await reader.read()

    async with pool(serve) as (calls, server):
        assert await calls.post("sendMessage", b"1", 5) == (200, b"ok")
        go_on.set()
        await written.wait()
        assert await calls.post("sendMessage", b"2", 5) == (200, b"ok")
        assert [number for number, _ in server.requests] == [1, 2]


async def test_what_was_not_written_was_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may close a connection as soon as it is made: that is known at once."""
    async with pool(kept_alive, limit=1) as (calls, server):
        connection = await calls._connect()
        connection.abort()

        async def connect() -> object:
            return connection

        with monkeypatch.context() as patched:
            patched.setattr(calls, "_connect", connect)
            async with asyncio.timeout(2):
                with pytest.raises(Unavailable, match="safe to try again"):
                    await calls.post("sendMessage", b"{}", 60)
        assert server.requests == []
        assert await calls.post("sendMessage", b"{}", 5) == (200, b"ok")


async def test_an_answer_before_the_request_was_read_ends_the_connection() -> None:
    """The server may never read on, and the next call would wait for it in vain."""
    over = asyncio.Event()

    async def hasty(server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await over.wait()
        else:
            await kept_alive(server, number, reader, writer)

    async with pool(hasty) as (calls, _):
        assert await calls.post("sendMessage", b"x" * 30_000_000, 5) == (200, b"ok")
        assert await calls.post("sendMessage", b"{}", 1) == (200, b"ok")
        over.set()


@pytest.mark.parametrize(
    ("root", "host", "named", "path"),
    [
        ("https://api.example:443", "api.example", "api.example", "/bot1"),
        ("https://b\u00fccher:8443", "xn--bcher-kva", "xn--bcher-kva:8443", "/bot1"),
        ("https://fa\u00df.example", "xn--fa-hia.example", "xn--fa-hia.example", "/bot1"),
        ("https://[::1]:81/a", "::1", "[::1]:81", "/a/bot1"),
        ("https://gate.example?to=x", "gate.example", "gate.example", "/?to=x/bot1"),
    ],
)
def test_an_address_means_the_same_as_for_files(root: str, host: str, named: str, path: str) -> None:
    """Calls hold the token, so they go to that host and no other."""
    calls = CallPool(f"{root}/bot1", ssl.create_default_context(), limit=1, ipv4=False)
    assert (calls._host, calls._path) == (host, path)
    assert calls._headers.startswith(f"Host: {named}\r\n")
