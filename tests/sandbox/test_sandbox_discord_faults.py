"""Faults, rate limits, and starting and stopping the sandbox."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from agent_channels.sandbox.discord.sandbox import DiscordSandbox

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]

SEND = "POST /channels/*/messages"


def path(place):
    return f"/channels/{getattr(place, 'dm', place).id}/messages"


async def test_errors(dc, rest, eve):
    """An error rule answers with its code and body, executes nothing, and counts down."""
    dc.faults.add("error", method=SEND, times=2, status=503)
    for _ in range(2):
        assert await rest.refused("POST", path(eve), {"content": "x"}) == (503, 0)
    dc.faults.add("error", method=SEND, times=1, status=403, body={"message": "odd", "code": 7})
    status, body, headers = await rest("POST", path(eve), {"content": "x"})
    assert (status, body, headers["Content-Type"]) == (403, {"message": "odd", "code": 7}, "application/json")
    assert eve.inbox == []
    await rest.send(eve, "y")
    assert [call.response_code for call in dc.calls_of(SEND)] == [503, 503, 403, 200]
    dc.faults.add("html", times=1, status=502)
    async with rest.session.get(f"{dc.api}/users/@me", headers={"Authorization": f"Bot {dc.token}"}) as response:
        assert (response.status, response.content_type) == (502, "text/html")


async def test_cuts_and_silence(dc, rest, eve, room):
    """Connections are cut before, after and in the middle of the answer; a silence lasts until it is cleared."""
    dc.faults.add("drop_before", method=SEND, times=1)
    dc.faults.add("drop_after", method=SEND, times=1)
    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectionError):
            await rest.send(eve, "x")
    assert [one["content"] for one in eve.inbox] == ["x"]
    dc.faults.add("drop_body", method=SEND, times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await rest.send(eve, "half")
    dc.faults.add("silence", chat=room.id, times=1)
    await rest.send(eve, "elsewhere")
    waiting = asyncio.create_task(rest.send(room, "x"))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done
    dc.faults.clear()
    with pytest.raises(aiohttp.ClientConnectionError):
        await waiting
    assert [one["content"] for one in eve.inbox] == ["x", "half", "elsewhere"]
    assert room.messages() == []


async def test_downloads_and_connecting_fail(dc, rest, connect, eve):
    """Downloads and the gateway's handshake have rules of their own."""
    url = eve.send(attachments=[b"0123456789"])["attachments"][0]["url"]
    dc.faults.add("error", method="download", times=1, status=500)
    dc.faults.add("drop_body", method="download", times=1)
    async with rest.session.get(url) as response:
        assert response.status == 500
    async with rest.session.get(url) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    dc.faults.add("error", method="gateway", times=1, status=503)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        await rest.session.ws_connect(dc.gateway_url)
    # aiohttp sends a GET twice when a kept connection turns out to be dead.
    dc.faults.add("drop_before", method="gateway")
    with pytest.raises(aiohttp.ClientConnectionError):
        await rest.session.ws_connect(dc.gateway_url)
    dc.faults.clear()
    async with connect() as gate:
        await gate.ready()


async def test_rate_limits(dc, rest, eve, room):
    """Every answer announces its bucket; too many calls are refused with Via until the clock moves on."""
    _, _, headers = await rest("POST", path(eve), {"content": "x"})
    assert int(headers["X-RateLimit-Remaining"]) > 100
    dc.set_limit(SEND, 2, 5)
    for left in ("1", "0"):
        status, _, headers = await rest("POST", path(eve), {"content": "x"})
        assert (status, headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == (200, "2", left)
        assert 4 < float(headers["X-RateLimit-Reset-After"]) <= 5
    status, body, headers = await rest("POST", path(eve), {"content": "x"})
    assert (status, body["global"], headers["X-RateLimit-Scope"]) == (429, False, "user")
    assert 4 < body["retry_after"] <= 5
    assert (headers["Retry-After"], headers["Via"]) == ("5", "1.1 google")
    bucket = headers["X-RateLimit-Bucket"]
    status, _, headers = await rest("POST", path(room), {"content": "x"})
    assert (status, headers["X-RateLimit-Bucket"]) == (200, bucket)
    dc.advance(5)
    await rest.send(eve)
    dc.set_global_limit(1)
    await rest.ok("GET", "/users/@me")
    status, body, headers = await rest("GET", f"/users/{eve.id}")
    assert (status, body["global"], headers["X-RateLimit-Global"]) == (429, True, "true")
    dc.set_global_limit(None)
    dc.faults.add("flood", method="GET *", times=1, retry_after=7)
    status, body, headers = await rest("GET", "/users/@me")
    assert (status, body["retry_after"], headers["Via"]) == (429, 7, "1.1 google")


async def test_flood(dc, rest, eve, room):
    """The flood rule counts each channel's messages, and no header announces it."""
    dc.set_flood(per_channel_per_s=1, burst=2)
    for _ in range(2):
        await rest.send(eve)
    status, body, headers = await rest("POST", path(eve), {"content": "x"})
    assert (status, body["code"], headers["X-RateLimit-Scope"]) == (429, 20028, "shared")
    assert int(headers["X-RateLimit-Remaining"]) > 100
    await rest.send(room)
    dc.advance(1)
    await rest.send(eve)
    dc.set_flood(None)
    await rest.send(eve)


async def test_down_and_closed(dc, rest, connect, eve):
    """A server that is down cuts everything, a closed one refuses connections, and a restarted one keeps its state."""
    async with connect() as gate:
        await gate.ready()
        dc.faults.down()
        assert await gate.closed() is not None
    with pytest.raises(aiohttp.ClientConnectionError):
        await rest("GET", "/users/@me")
    dc.faults.clear()
    api = dc.api
    await dc.aclose()
    with pytest.raises(aiohttp.ClientConnectionError):
        await rest("GET", "/users/@me")
    eve.send("while closed")
    await dc.start()
    assert dc.api == api
    async with connect() as again:
        await again.op(10)
        await again.resume(gate.session_id, gate.seq)
        assert (await again.event("MESSAGE_CREATE"))["content"] == "while closed"


async def test_closing_leaves_nobody_waiting(dc, rest, connect):
    """Closing the sandbox ends gateway connections and silences at once."""
    async with connect() as gate:
        await gate.ready()
        dc.faults.add("silence", times=1)
        waiting = asyncio.create_task(rest("GET", "/users/@me"))
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        assert not done
        async with asyncio.timeout(3):
            await dc.aclose()
            assert await gate.closed() is not None
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting


def test_wrong_hosts_and_tokens_are_refused():
    """Another host than loopback and a malformed token are refused."""
    with pytest.raises(ValueError, match="loopback"):
        DiscordSandbox(host="0.0.0.0")  # noqa: S104
    for token in ("", "abc", "7000000001:AAHsandboxSandboxSandboxSandboxSand", "AAAA" * 6 + ".aaaaaa." + "a" * 38):
        with pytest.raises(ValueError, match="a token is"):
            DiscordSandbox(token)
    assert DiscordSandbox().bot_id == 1144000000000000001


async def test_timeouts_name_the_last_calls(dc, rest, eve):
    """When waiting times out, the error names the bot's last calls."""
    await rest.send(eve)
    await eve.next_message()
    with pytest.raises(TimeoutError, match=r"POST /channels/\d+/messages 200"):
        await eve.next_message(timeout=0.01)
    with pytest.raises(LookupError, match="no channel 5"):
        dc.messages(5)
