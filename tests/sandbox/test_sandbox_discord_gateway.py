"""The gateway without a client library: handshake, sequence, resuming, intents, close codes, the IDENTIFY budget."""

from __future__ import annotations

import asyncio

import pytest

from discord_wire import INTENTS

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]


async def test_handshake(dc, rest, connect, eve, room):
    """HELLO, heartbeat and its ACK, READY, then a GUILD_CREATE for each guild."""
    bot = await rest.ok("GET", "/gateway/bot")
    assert (bot["url"], bot["shards"]) == (dc.gateway_url, 1)
    assert bot["session_start_limit"] == {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
    async with connect(url=bot["url"]) as gate:
        assert (await gate.op(10))["heartbeat_interval"] == 41250
        await gate.write(1, None)
        assert await gate.op(11) is None
        ready = await gate.ready()
        assert (ready["v"], ready["user"]["id"], ready["resume_gateway_url"]) == (
            10,
            str(dc.bot_id),
            dc.gateway_url.replace("gateway", "resume"),
        )
        assert ready["guilds"] == [{"id": str(room.guild.id), "unavailable": True}]
        guild = await gate.event("GUILD_CREATE")
        assert ([one["name"] for one in guild["channels"]], guild["unavailable"]) == (["general"], False)
        eve.send("hi", channel=room)
        message = await gate.event("MESSAGE_CREATE")
        assert (message["content"], message["guild_id"], gate.seq) == ("hi", str(room.guild.id), 3)
    assert (await rest.ok("GET", "/gateway/bot"))["session_start_limit"]["remaining"] == 999


async def test_compressed(dc, connect, eve):
    """zlib-stream: one context for the whole connection, every payload flushed."""
    async with connect("v=10&encoding=json&compress=zlib-stream") as gate:
        await gate.ready()
        for text in ("one", "two", "three"):
            eve.send(text)
            assert (await gate.event("MESSAGE_CREATE"))["content"] == text


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ((2, {"token": "wrong", "properties": {}, "intents": 0}), 4004),
        ((2, {"properties": {}, "intents": 0}), 4004),
        ((2, {"intents": "all", "properties": {}}), 4002),
        ((2, []), 4002),
        ((3, {}), 4003),
        ((8, {}), 4003),
        ((99, {}), 4001),
        (("x", {}), 4002),
        ((6, {"session_id": 5, "seq": 0}), 4002),
        ((6, {"session_id": "x", "seq": 0, "token": "wrong"}), 4004),
    ],
)
async def test_close_codes(connect, payload, code):
    """A forbidden payload ends the connection with Discord's code."""
    async with connect() as gate:
        await gate.write(*payload)
        assert await gate.closed() == code


async def test_more_close_codes(dc, connect):
    """Wrong versions and intents, a second IDENTIFY, broken JSON, too many and too large payloads have their codes."""
    for query, code in (("v=9", 4012), ("v=10&encoding=etf", 4002)):
        async with connect(query) as gate:
            assert await gate.closed() == code
    for intents, code in ((1 << 40, 4013), (-1, 4013), (1 << 1, 4014), (1 << 8, 4014), (INTENTS, 0)):
        async with connect() as gate:
            await gate.identify(intents)
            if code:
                assert await gate.closed() == code
                continue
            await gate.event("READY")
            await gate.identify()
            assert await gate.closed() == 4005
    async with connect() as gate:
        await gate.identify(shard=[1, 2])
        assert await gate.closed() == 4010
    for text in ("{", "[]", '{"op": 1, "d": "' + "x" * 4096 + '"}'):
        async with connect() as gate:
            await gate.ws.send_str(text)
            assert await gate.closed() == 4002
    async with connect() as gate:
        for _ in range(121):
            await gate.write(1, None)
        assert await gate.closed() == 4008
    assert [one.code for one in dc.identifies] == [4013, 4013, 4014, 4014, 0, 4010]


async def test_resume(dc, connect, eve):
    """RESUME replays the events after the sequence, in order, then sends RESUMED; later events follow."""
    async with connect() as gate:
        await gate.ready()
        eve.send("heard")
        await gate.event("MESSAGE_CREATE")
        seq, session_id = gate.seq, gate.session_id
        dc.faults.drop_gateway()
        await gate.closed()
    await dc.wait_for(lambda: not dc.connected)
    for text in ("one", "two"):
        eve.send(text)
    async with connect(url=dc.gateway_url.replace("gateway", "resume")) as gate:
        await gate.op(10)
        await gate.resume(session_id, seq)
        missed = [await gate.read() for _ in range(3)]
        assert [(one["t"], one["s"], one["d"].get("content")) for one in missed] == [
            ("MESSAGE_CREATE", seq + 1, "one"),
            ("MESSAGE_CREATE", seq + 2, "two"),
            ("RESUMED", seq + 3, None),
        ]
        eve.send("three")
        assert (await gate.event("MESSAGE_CREATE"))["content"] == "three"
        assert gate.seq == seq + 4
    assert [(one.seq, one.path, one.accepted) for one in dc.resumes] == [(seq, "/resume", True)]


async def test_what_cannot_be_resumed(dc, connect):
    """A clean close, time, an unknown id and a sequence from the future end a session."""

    async def left(code):
        async with connect() as gate:
            await gate.ready()
            await gate.ws.close(code=code)
        await dc.wait_for(lambda: not dc.connected)
        return gate.session_id, gate.seq

    async def resumed(session_id, seq):
        async with connect() as gate:
            await gate.op(10)
            await gate.resume(session_id, seq)
            try:
                found = await gate.read()
            except ConnectionError:
                return gate.ws.close_code
            if found["op"] == 9:
                # The same connection may still identify.
                await gate.ready()
            return found["t"] or found["d"]

    assert await resumed(*await left(4000)) == "RESUMED"
    assert await resumed(*await left(1000)) is False
    assert await resumed("unknown", 1) is False
    session_id, seq = await left(4000)
    assert await resumed(session_id, seq + 1) == 4007
    assert await resumed(session_id, seq) is False
    late = await left(4000)
    dc.advance(181)
    assert await resumed(*late) is False


async def test_identify_budget(dc, rest, connect):
    """IDENTIFYs are counted; one too many a day resets the token, one too soon is an invalid session."""
    dc.set_identify_limit(total=3, every_s=5)
    async with connect() as gate:
        await gate.ready()
        async with connect() as second:
            await second.identify()
            assert await second.op(9) is False
            dc.advance(5)
            await second.ready()
        dc.advance(24 * 3600)
        limit = (await rest.ok("GET", "/gateway/bot"))["session_start_limit"]
        assert (limit["remaining"], limit["total"]) == (3, 3)
        dc.set_identify_limit(total=1)
        async with connect() as third:
            await third.ready()
        async with connect() as fourth:
            await fourth.identify()
            assert await fourth.closed() == 4004
        assert await gate.closed() == 4004
    assert dc.token == ""
    assert await rest.refused("GET", "/users/@me", auth="Bot ") == (401, 0)
    assert [one.code for one in dc.identifies] == [0, 9, 0, 0, 4004]
    dc.set_identify_limit()
    assert dc.reset_token() == dc.token
    async with connect() as gate:
        await gate.ready()


async def test_heartbeats_are_needed(dc, connect):
    """A client without heartbeats is disconnected and cannot resume."""
    dc.set_heartbeat(0.05)
    async with connect() as gate:
        await gate.ready()
        assert await gate.closed() == 4009
    assert dc.sessions == []


async def test_missed_acks(dc, connect, eve):
    """Without ACKs events still arrive, until the fault is cleared."""
    async with connect() as gate:
        await gate.ready()
        dc.faults.miss_acks()
        await gate.write(1, gate.seq)
        await dc.wait_for(lambda: next(iter(dc.gateway.connections)).heartbeats)
        eve.send("x")
        assert (await gate.read())["t"] == "MESSAGE_CREATE"
        dc.faults.clear()
        await gate.write(1, gate.seq)
        assert await gate.op(11) is None


async def test_gateway_faults(dc, connect, eve):
    """RECONNECT, INVALID_SESSION of both kinds, a close code, silence."""
    async with connect() as gate:
        await gate.ready()
        dc.faults.reconnect_gateway()
        assert await gate.op(7) is None
        dc.faults.invalidate_session(resumable=True)
        assert await gate.op(9) is True
        dc.faults.invalidate_session()
        assert await gate.op(9) is False
        assert dc.sessions == []
        eve.send("to nobody")
        await gate.ready()
        eve.send("to the new session")
        assert (await gate.event("MESSAGE_CREATE"))["content"] == "to the new session"
        dc.faults.close_gateway(4000)
        assert await gate.closed() == 4000
    async with connect() as gate:
        await gate.op(10)
        await gate.resume(gate.session_id or dc.identifies[-1].session_id, 1)
        await gate.event("RESUMED")
        dc.faults.silence_gateway()
        eve.send("unheard")
        heard = asyncio.create_task(gate.read())
        done, _ = await asyncio.wait({heard}, timeout=0.1)
        assert not done
        dc.faults.clear()
        with pytest.raises(ConnectionError):
            await heard
    dc.faults.forget_sessions()
    assert dc.sessions == []
