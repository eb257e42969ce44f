"""Faults: failures on demand, until they are used up or cleared."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
import pytest
import telegram

pytestmark = pytest.mark.cold


def texts(ann):
    return [message["text"] for message in ann.inbox]


async def test_error_and_body(tg, raw, ann):
    """An error rule answers with its code and body, executes nothing, and counts down."""
    tg.faults.add("error", method="send*", times=2, status=500)
    body = {"ok": False, "error_code": 400, "description": "Bad Request: odd"}
    for _ in range(2):
        status, answer = await raw("sendMessage", chat_id=ann.id, text="x")
        assert (status, answer["error_code"]) == (500, 500)
    assert texts(ann) == []
    tg.faults.add("error", method="sendmessage", status=400, body=body, times=1)
    assert await raw("sendMessage", chat_id=ann.id, text="x") == (400, body)
    await raw.ok("sendMessage", chat_id=ann.id, text="y")
    assert texts(ann) == ["y"]
    assert [call.response_code for call in tg.calls_of("sendMessage")] == [500, 500, 400, 200]


async def test_web_page_instead_of_json(tg, bot, ann):
    """For a gateway's HTML page the client raises a network error."""
    tg.faults.add("html", status=502, body="<html>Bad Gateway</html>", method="sendMessage", times=1)
    with pytest.raises(telegram.error.NetworkError):
        await bot.send_message(ann.id, "x")
    await bot.send_message(ann.id, "y")
    assert texts(ann) == ["y"]


async def test_flood_on_demand(tg, bot, raw, ann):
    """A forced 429 has Telegram's description and parameters, and clients read them."""
    tg.faults.add("flood", method="sendMessage", retry_after=7, times=2)
    status, body = await raw("sendMessage", chat_id=ann.id, text="x")
    assert (status, body["parameters"]["retry_after"]) == (429, 7)
    with pytest.raises(telegram.error.RetryAfter) as caught:
        await bot.send_message(ann.id, "x")
    assert caught.value.retry_after.total_seconds() == 7


async def test_drop_before_and_after(tg, raw, ann):
    """A connection cut before executing sent nothing; cut after executing, it sent without an answer."""
    tg.faults.add("drop_before", method="sendMessage", times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw("sendMessage", chat_id=ann.id, text="before")
    assert texts(ann) == []
    tg.faults.add("drop_after", method="sendMessage", times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw("sendMessage", chat_id=ann.id, text="after")
    assert texts(ann) == ["after"]
    assert [call.response_code for call in tg.calls_of("sendMessage")] == [0, 0]


async def test_drop_in_mid_body(tg, raw, ann):
    """Half an answer arrives, then the connection ends; the same for files."""
    tg.faults.add("drop_body", method="sendMessage", times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await raw("sendMessage", chat_id=ann.id, text="x")
    assert texts(ann) == ["x"]
    document = ann.send_document(b"0123456789")["document"]
    path = (await raw.ok("getFile", file_id=document["file_id"]))["file_path"]
    tg.faults.add("drop_body", method="download", times=1)
    url = f"{tg.root}/file/bot{tg.token}/{path}"
    async with raw.session.get(url) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    async with raw.session.get(url) as response:
        assert await response.read() == b"0123456789"


async def test_silence(tg, raw, ann):
    """A silent server accepts and never answers; clearing the faults cuts the connection."""
    tg.faults.add("silence", method="getMe", times=1)
    waiting = asyncio.create_task(raw("getMe"))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    tg.faults.clear()
    with pytest.raises(aiohttp.ClientConnectionError):
        await waiting
    await raw.ok("getMe")


async def test_delay(tg, raw):
    """A delayed answer is correct, only late."""
    tg.faults.add("delay", method="getMe", seconds=0.15, times=1)
    began = asyncio.get_running_loop().time()
    await raw.ok("getMe")
    assert asyncio.get_running_loop().time() - began >= 0.15


async def test_slow(tg, raw, ann):
    """A slow answer comes chunk by chunk, and the rest at once when the fault is cleared."""
    data = bytes(range(256)) * 4000
    ann.send_document(data)
    (update,) = await raw.ok("getUpdates")
    path = (await raw.ok("getFile", file_id=update["message"]["document"]["file_id"]))["file_path"]
    tg.faults.add("slow", method="download", seconds=600)
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{tg.root}/file/bot{tg.token}/{path}")
        assert len(await answer.content.readexactly(1000)) == 1000
        assert not answer.content.at_eof()
        tg.faults.clear()
        assert len(await answer.content.read()) == len(data) - 1000


async def test_only_the_chat_named(tg, raw, ann):
    """A rule for one chat does not affect the others."""
    bob = tg.person("bob")
    bob.start()
    tg.faults.add("error", chat=bob.id)
    await raw.ok("sendMessage", chat_id=ann.id, text="x")
    assert (await raw("sendMessage", chat_id=bob.id, text="x"))[0] == 500
    tg.faults.clear()
    await raw.ok("sendMessage", chat_id=bob.id, text="x")


async def test_down(tg, raw, ann):
    """A server that goes down cuts waiting polls and every call, and comes back with its state."""
    poll = asyncio.create_task(raw("getUpdates", timeout=50))
    await tg.wait_for(lambda: tg.polling)
    tg.faults.down()
    with pytest.raises(aiohttp.ClientConnectionError):
        await poll
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw("getMe")
    ann.send("while down")
    tg.faults.clear()
    (update,) = await raw.ok("getUpdates")
    assert update["message"]["text"] == "while down"


async def test_down_for_a_while(tg, raw):
    """Down for a number of seconds ends by itself."""
    tg.faults.down(0.05)
    assert tg.faults.is_down
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw("getMe")
    answered = None
    async with asyncio.timeout(5):
        while answered is None:
            with suppress(aiohttp.ClientConnectionError):
                answered = await raw.ok("getMe")
    assert answered["is_bot"]


async def test_refused_connections(tg, raw, ann):
    """A closed sandbox refuses connections; a restarted one keeps its state."""
    root = tg.root
    await tg.aclose()
    with pytest.raises(aiohttp.ClientConnectionError):
        await raw("getMe")
    ann.send("while closed")
    await tg.start()
    assert tg.root == root
    (update,) = await raw.ok("getUpdates")
    assert update["message"]["text"] == "while closed"


async def test_unknown_kind(tg):
    """An unknown kind is refused with the list of known ones."""
    with pytest.raises(ValueError, match="drop_before"):
        tg.faults.add("explode")


async def test_closing_leaves_nobody_waiting(tg, raw):
    """Closing the sandbox ends waiting polls and silences at once."""
    tg.faults.add("silence", method="getMe", times=1)
    waiting = [asyncio.create_task(raw("getUpdates", timeout=50)), asyncio.create_task(raw("getMe"))]
    await tg.wait_for(lambda: tg.polling)
    async with asyncio.timeout(5):
        await tg.aclose()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, aiohttp.ClientConnectionError) for one in ended)
