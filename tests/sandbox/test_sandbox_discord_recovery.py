"""discord.py after cuts, invalid sessions, silence and rate limits."""

from __future__ import annotations

import asyncio

import pytest

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]


async def test_resume_after_a_cut(dc, run):
    """After a cut discord.py resumes at the URL from READY, and gets what it missed, once, in order."""
    ann = dc.person("ann")
    async with run() as client:
        for round_ in range(3):
            dc.faults.drop_gateway()
            await dc.wait_for(lambda: not dc.connected)
            sent = [ann.send(f"{round_}-{index}")["content"] for index in range(3)]
            assert [(await client.next("message")).content for _ in sent] == sent
            await client.next("resumed")
        assert len(dc.identifies) == 1
        assert [(one.accepted, one.path) for one in dc.resumes] == [(True, "/resume")] * 3
        dc.faults.reconnect_gateway()
        await client.next("resumed")
        dc.faults.close_gateway(4000)
        await client.next("resumed")
        assert len(dc.identifies) == 1


async def test_invalid_session(dc, run):
    """After an invalid session discord.py identifies anew, and events in between are lost."""
    ann = dc.person("ann")
    async with run() as client:
        dc.faults.refuse_resume()
        dc.faults.drop_gateway()
        await dc.wait_for(lambda: not dc.connected)
        ann.send("lost")
        await client.next("ready")
        dc.faults.clear()
        ann.send("found")
        assert (await client.next("message")).content == "found"
        assert [one.accepted for one in dc.resumes] == [False]
        assert len(dc.identifies) == 2
        dc.faults.invalidate_session(resumable=True)
        await client.next("resumed")
        dc.faults.invalidate_session()
        await client.next("ready")
        assert len(dc.identifies) == 3


async def test_silence(dc, run):
    """discord.py leaves a silent gateway, and resumes when it sends again."""
    dc.set_heartbeat(0.05)
    ann = dc.person("ann")
    async with run(heartbeat_timeout=0.3) as client:
        dc.faults.silence_gateway()
        ann.send("while silent")
        await dc.wait_for(lambda: not dc.connected)
        dc.faults.clear()
        assert (await client.next("message")).content == "while silent"


async def test_several_sessions(dc, run):
    """Two clients of one token each get every event."""
    ann = dc.person("ann")
    async with run() as one, run() as two:
        ann.send("both")
        heard = await asyncio.gather(one.next("message"), two.next("message"))
        assert [message.content for message in heard] == ["both", "both"]
        assert len(dc.sessions) == 2


async def test_rate_limits(dc, run):
    """discord.py waits for a 429 with Via, and obeys the announced limits."""
    ann = dc.person("ann")
    ann.send("hi")
    async with run() as client:
        channel = await client.fetch_channel(ann.dm.id)
        dc.set_flood(per_channel_per_s=20, burst=1)
        for index in range(3):
            await channel.send(str(index))
        codes = [call.response_code for call in dc.calls_of("POST /channels/*/messages")]
        assert codes.count(200) == 3
        assert 429 in codes
        assert [one["content"] for one in ann.inbox] == ["0", "1", "2"]
        dc.set_flood(None)
        dc.set_limit("POST /channels/*/messages", 2, 0.1)
        before = len(dc.calls)
        for index in range(5):
            await channel.send(str(index))
        assert [call.response_code for call in dc.calls[before:]] == [200] * 5
