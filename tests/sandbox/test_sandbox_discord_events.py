"""Which sessions get which events, and how much of them."""

from __future__ import annotations

import pytest

from discord_wire import CONTENT, INTENTS

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]


async def test_held_events(dc, connect, eve):
    """Held events arrive on release, in order and unchanged."""
    async with connect() as gate:
        await gate.ready()
        dc.hold_events()
        first = eve.send("one")
        eve.edit(first, "one, edited")
        dc.release()
        assert (await gate.event("MESSAGE_CREATE"))["content"] == "one"
        assert (await gate.event("MESSAGE_UPDATE"))["content"] == "one, edited"


async def test_content_intent(dc, rest, connect, eve, room):
    """Without the intent, content is blank, except in mentions of the bot, its own messages and direct chats."""
    own = await rest.send(room, "own")
    async with connect() as blind, connect() as seeing:
        await blind.ready(INTENTS & ~CONTENT)
        await seeing.ready()

        async def both():
            return [await gate.event("MESSAGE_CREATE") for gate in (blind, seeing)]

        eve.send("secret", channel=room, attachments=[b"x"])
        hidden, shown = await both()
        assert (hidden["content"], hidden["attachments"], shown["content"]) == ("", [], "secret")
        eve.send(f"<@{dc.bot_id}> open", channel=room)
        assert [one["content"] for one in await both()] == [f"<@{dc.bot_id}> open"] * 2
        eve.send("in reply", channel=room, reply_to=own)
        assert [one["content"] for one in await both()] == ["in reply"] * 2
        eve.send("not loud", channel=room, reply_to=own, ping=False)
        hidden, shown = await both()
        assert (hidden["content"], hidden["referenced_message"]["content"]) == ("", "own")
        eve.send("direct")
        assert [one["content"] for one in await both()] == ["direct"] * 2
    dc.set_portal(message_content=False)
    path = f"/channels/{room.id}/messages"
    assert [one["content"] for one in await rest.ok("GET", path)] == ["", "in reply", f"<@{dc.bot_id}> open", "", "own"]
    flags = (await rest.ok("GET", "/oauth2/applications/@me"))["flags"]
    assert not flags & 1 << 19


async def test_intents_choose_events(connect, eve, room):
    """A session gets the events that its intents name, including those of the bot's own messages."""
    async with connect() as gate:
        await gate.ready(1 << 12)
        eve.send("guild", channel=room)
        eve.typing()
        eve.send("direct")
        assert (await gate.read())["d"]["content"] == "direct"


async def test_two_sessions_and_a_stolen_one(dc, connect, eve):
    """Every session of a token gets every event; resuming a connected session takes it over."""
    async with connect() as one, connect() as two, connect() as three:
        await one.ready()
        await two.ready()
        eve.send("x")
        for gate in (one, two):
            assert (await gate.event("MESSAGE_CREATE"))["content"] == "x"
        await three.op(10)
        await three.resume(one.session_id, one.seq)
        await three.event("RESUMED")
        assert await one.closed() == 4000
        eve.send("y")
        assert (await three.event("MESSAGE_CREATE"))["content"] == "y"
        assert len(dc.sessions) == 2
