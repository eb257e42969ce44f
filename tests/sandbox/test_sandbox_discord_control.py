"""The control interface: acting as people from another process."""

from __future__ import annotations

import asyncio
import base64

import pytest

from discord_wire import button, rows

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]

PANEL = rows([button("Yes", "y"), button("No", "n")])


async def test_send_needs_only_a_name(rest, connect):
    """One POST creates the person and sends text or a file, to the bot or into a channel."""
    async with connect() as gate:
        await gate.ready()
        status, body = await rest.control("send", **{"as": "ann", "text": "hi"})
        assert (status, body["message"]["content"]) == (200, "hi")
        heard = await gate.event("MESSAGE_CREATE")
        assert (heard["content"], heard["author"]["username"]) == ("hi", "ann")
        data = base64.b64encode(b"abc").decode()
        await rest.control("send", **{"as": "ann", "file_name": "a.bin", "base64": data})
        assert (await gate.event("MESSAGE_CREATE"))["attachments"][0]["size"] == 3
        _, made = await rest.control("guild", name="Team", members=["ann", "bob"], forums=["help"])
        assert set(made["channels"]) == {"general", "help"}
        await rest.control("send", **{"as": "bob", "chat": "general", "text": "in the room", "reply_to": None})
        assert (await gate.event("MESSAGE_CREATE"))["channel_id"] == made["channels"]["general"]
        _, thread = await rest.control("thread", **{"as": "ann", "chat": "general", "name": "Side"})
        _, post = await rest.control("post", **{"as": "ann", "chat": "help", "title": "Broken", "text": "It is"})
        await rest.control("send", **{"as": "ann", "chat": thread["thread"], "text": "inside"})
        while (heard := await gate.event("MESSAGE_CREATE"))["content"] != "inside":
            assert heard["channel_id"] in {made["channels"]["general"], post["thread"]}
        assert heard["channel_id"] == thread["thread"]


async def test_components(rest, connect):
    """Taps, choices and modals wait for the bot's answer."""
    ann = rest.dc.person("ann")
    ann.send("hi")
    async with connect() as gate:
        await gate.ready()

        async def answered(act, answer, **body):
            acting = asyncio.create_task(rest.control(act, **{"as": "ann", "wait": 5, **body}))
            heard = await gate.event("INTERACTION_CREATE")
            callback = f"/interactions/{heard['id']}/{heard['token']}/callback"
            await rest.ok("POST", callback, answer, auth="")
            return heard, (await acting)[1]

        await rest.send(ann, "?", components=PANEL)
        said = {"type": 4, "data": {"content": "pity", "flags": 64}}
        heard, body = await answered("tap", said, label="No")
        assert (heard["data"]["custom_id"], body["told"]) == ("n", ["pity"])
        assert (body["answer"]["type"], body["answer"]["text"], body["answer"]["ephemeral"]) == (4, "pity", True)
        field = {"type": 4, "custom_id": "why", "label": "Why", "style": 1}
        asked = {"custom_id": "m", "title": "Why?", "components": [{"type": 1, "components": [field]}]}
        heard, body = await answered("tap", {"type": 9, "data": asked}, custom_id="y")
        assert body["answer"]["modal"]["title"] == "Why?"
        submit = {"interaction": body["interaction"], "values": {"why": "so"}}
        heard, body = await answered("submit", {"type": 6}, **submit)
        assert heard["data"]["components"][0]["components"][0]["value"] == "so"
        menu = {"type": 3, "custom_id": "s", "options": [{"label": "A", "value": "a"}]}
        await rest.send(ann, "?", components=rows([menu]))
        heard, body = await answered("select", {"type": 6}, values=["A"])
        assert heard["data"]["values"] == ["a"]
        _, body = await rest.control("tap", **{"as": "ann", "custom_id": "old", "wait": 0.01})
        assert body["answer"] is None


async def test_messages_change(rest):
    """Messages are edited, reacted to and deleted, and the bot is blocked."""
    ann = rest.dc.person("ann")
    said = ann.send("hi")["id"]
    place = {"as": "ann", "message_id": said}
    assert (await rest.control("edit", **place, text="hello"))[1]["message"]["content"] == "hello"
    for remove in (False, True):
        assert (await rest.control("react", **place, emoji="👍", remove=remove))[0] == 200
        assert ("reactions" in ann.messages()[0]) is not remove
    assert (await rest.control("delete", **place))[0] == 200
    assert ann.messages() == []
    await rest.control("block", **{"as": "ann"})
    assert await rest.refused("POST", f"/channels/{ann.dm.id}/messages", {"content": "x"}) == (403, 50007)
    await rest.control("block", **{"as": "ann", "blocked": False})
    await rest.send(ann, "x")


async def test_queries(rest, connect):
    """Messages, calls and state can be read, and changes can be waited for."""
    dc = rest.dc
    ann = dc.person("ann")
    ann.send("hi")
    dc.guild("Team", members=[ann]).channel("general")
    await rest.send(ann, "hello")
    for name in ("ann", str(ann.id), str(ann.dm.id)):
        _, body = await rest.query(f"messages?chat={name}")
        assert [one["content"] for one in body["messages"]] == ["hi", "hello"]
    assert (await rest.query("messages?chat=general"))[1]["messages"] == []
    _, body = await rest.query("calls?route=POST%20/channels/*/messages")
    assert [call["code"] for call in body["calls"]] == [200]
    async with connect() as gate:
        await gate.ready()
        _, body = await rest.query("state")
        assert [one["handle"] for one in body["people"]] == ["ann"]
        assert (body["guilds"][0]["name"], body["identifies"]) == ("Team", 1)
        assert [one["connected"] for one in body["sessions"]] == [True]
        waiting = asyncio.create_task(rest.query(f"wait?since={dc.state.changes}&timeout=10"))
        await rest.send(ann, "x")
        assert (await waiting)[1]["changed"] is True
    _, body = await rest.query(f"wait?since={dc.state.changes + 100}&timeout=0.01")
    assert body["changed"] is False
    _, body = await rest.query("")
    assert any(line.startswith("POST /control/send") for line in body["paths"])
    _, body = await rest.control("person", **{"as": "bob", "name": "Bob"})
    assert body["person"]["global_name"] == "Bob"


async def test_faults_gateway_clock_and_flood(rest, connect):
    """Faults, the gateway, the clock and the flood rule are controlled from outside."""
    dc = rest.dc
    assert (await rest.control("faults", kind="error", method="GET *", status=502, times=1))[1]["rules"] == 1
    assert (await rest("GET", "/users/@me"))[0] == 502
    assert (await rest.control("faults", clear=True))[1]["rules"] == 0
    async with connect() as gate:
        await gate.ready()
        await rest.control("gateway", do="reconnect")
        await gate.op(7)
        await rest.control("gateway", do="close", code=4000)
        assert await gate.closed() == 4000
    before = dc.state.now()
    await rest.control("clock", advance=61)
    assert dc.state.now() - before > 60
    ann = dc.person("ann")
    ann.send("hi")
    await rest.control("flood", per_s=1, burst=1)
    await rest.send(ann)
    assert await rest.refused("POST", f"/channels/{ann.dm.id}/messages", {"content": "x"}) == (429, 20028)
    await rest.control("flood", off=True)
    await rest.send(ann)
    assert (await rest.control("faults", down=0.01))[1]["down"] is True


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("send", {"text": "hi"}, "as is missing"),
        ("send", {"as": "ann"}, "text is missing"),
        ("send", {"as": "ann", "text": "x", "chat": "nowhere"}, "no channel 'nowhere'"),
        ("send", {"as": "ann", "file_name": "a", "base64": "%%"}, "base64 does not decode"),
        ("tap", {"as": "ann"}, "no message there has components"),
        ("edit", {"as": "ann", "message_id": 99, "text": "x"}, "no message 99"),
        ("submit", {"interaction": 5, "values": {"a": "b"}}, "no such interaction"),
        ("faults", {"kind": "explode"}, "no fault kind 'explode'"),
        ("gateway", {"do": "explode"}, "no gateway fault 'explode'"),
        ("thread", {"as": "ann", "name": "x"}, "chat is missing"),
    ],
)
async def test_errors_name_the_next_step(rest, path, body, error):
    """The answer to a wrong request says what is wrong and what would work."""
    status, answer = await rest.control(path, **body)
    assert status == 400
    assert error in answer["error"]
    assert answer["next"]
