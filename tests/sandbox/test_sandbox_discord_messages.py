"""Messages over REST: what is accepted, what is refused and how, and what people see."""

from __future__ import annotations

import io

import aiohttp
import pytest

from discord_wire import button, rows

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]


def path(place, message=""):
    return f"/channels/{getattr(place, 'dm', place).id}/messages" + (f"/{message}" if message else "")


async def test_text(rest, eve):
    """A text of 2,000 characters is sent, trimmed; 2,001 and an empty message are refused."""
    sent = await rest.send(eve, "  " + "🦄" * 2000 + "\n")
    assert sent["content"] == "🦄" * 2000
    assert await rest.errors("POST", path(eve), {"content": "x" * 2001}) == {"content": "BASE_TYPE_MAX_LENGTH"}
    for body in ({"content": " \n"}, {}, {"content": None, "embeds": []}):
        assert await rest.refused("POST", path(eve), body) == (400, 50006)
    status, answer, _ = await rest("POST", path(eve), {"content": "x" * 2001})
    assert answer == {
        "message": "Invalid Form Body",
        "code": 50035,
        "errors": {
            "content": {
                "_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}],
            }
        },
    }
    assert status == 400
    assert len(eve.inbox) == 1


async def test_nonce(dc, rest, eve, room):
    """With enforce_nonce, the same nonce sends once for a few minutes; without it, twice."""
    same = {"nonce": "a1", "enforce_nonce": True}
    first = await rest.send(eve, "once", **same)
    assert (await rest.send(eve, "twice", **same))["id"] == first["id"]
    assert first["nonce"] == "a1"
    assert [one["content"] for one in eve.inbox] == ["once"]
    assert "nonce" not in eve.inbox[0]
    dc.advance(301)
    assert (await rest.send(eve, "later", **same))["id"] != first["id"]
    await rest.send(eve, "a", nonce=5)
    await rest.send(eve, "b", nonce=5)
    assert [one["content"] for one in eve.inbox] == ["once", "later", "a", "b"]
    assert await rest.errors("POST", path(eve), {"content": "x", "nonce": "x" * 26}) == {
        "nonce": "BASE_TYPE_MAX_LENGTH"
    }


async def test_a_cut_after_sending_posts_once(dc, rest, eve):
    """A send whose answer is lost, repeated with its nonce, is posted once."""
    dc.faults.add("drop_after", method="POST /channels/*/messages", times=1)
    same = {"nonce": "b1", "enforce_nonce": True}
    with pytest.raises(aiohttp.ClientConnectionError):
        await rest.send(eve, "once", **same)
    await rest.send(eve, "once", **same)
    assert [one["content"] for one in eve.inbox] == ["once"]
    assert [call.response_code for call in dc.calls_of("POST /channels/*/messages")] == [0, 200]


async def test_mentions(dc, rest, eve, room):
    """Mentions ping the people and roles in allowed_mentions, or everybody without it."""
    role = room.guild.role("ops", eve)
    text = f"@everyone <@{eve.id}> <@&{role}>"

    def pinged(message):
        return message["mention_everyone"], [one["id"] for one in message["mentions"]], message["mention_roles"]

    assert pinged(await rest.send(room, text)) == (True, [str(eve.id)], [str(role)])
    assert pinged(await rest.send(room, text, allowed_mentions={"parse": []})) == (False, [], [])
    only = {"parse": ["roles"], "users": [str(eve.id)]}
    assert pinged(await rest.send(room, text, allowed_mentions=only)) == (False, [str(eve.id)], [str(role)])
    said = eve.send("hi", channel=room)
    reply = {"message_reference": {"message_id": said["id"]}}
    assert pinged(await rest.send(room, "re", **reply)) == (False, [str(eve.id)], [])
    assert pinged(await rest.send(room, "re", **reply, allowed_mentions={"parse": []})) == (False, [], [])
    assert pinged(await rest.send(eve, "@everyone")) == (False, [], [])
    wrong = {"content": "x", "allowed_mentions": {"parse": ["users"], "users": [str(eve.id)]}}
    assert await rest.errors("POST", path(room), wrong) == {
        "allowed_mentions": "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE"
    }
    wrong = {"content": "x", "allowed_mentions": {"parse": ["all"]}}
    assert await rest.errors("POST", path(room), wrong) == {"allowed_mentions.parse.0": "BASE_TYPE_CHOICES"}


async def test_replies(rest, eve, room):
    """A reply contains the replied message; a missing one is refused unless it may be missing."""
    said = eve.send("hi", channel=room)
    sent = await rest.send(room, "re", message_reference={"message_id": said["id"]})
    assert (sent["type"], sent["referenced_message"]["content"]) == (19, "hi")
    eve.delete(said)
    assert (await rest.ok("GET", path(room, sent["id"])))["referenced_message"] is None
    gone = {"content": "re", "message_reference": {"message_id": said["id"]}}
    assert await rest.errors("POST", path(room), gone) == {"message_reference": "REPLIES_UNKNOWN_MESSAGE"}
    gone["message_reference"]["fail_if_not_exists"] = False
    assert (await rest.ok("POST", path(room), gone))["type"] == 0
    room.deny("read_message_history")
    assert await rest.refused("POST", path(room), gone) == (400, 160002)


async def test_edit_and_delete(rest, eve, room):
    """A bot edits and deletes its own messages; deleting others needs the permission, in direct chats it is refused."""
    sent = await rest.send(room, "one", flags=4, components=rows([button()]))
    edited = await rest.ok("PATCH", path(room, sent["id"]), {"content": "two"})
    assert (edited["content"], edited["flags"], len(edited["components"])) == ("two", 4, 1)
    assert edited["edited_timestamp"]
    edited = await rest.ok("PATCH", path(room, sent["id"]), {"components": [], "flags": 0})
    assert (edited["content"], edited["flags"], edited["components"]) == ("two", 0, [])
    assert await rest.refused("PATCH", path(room, sent["id"]), {"content": ""}) == (400, 50006)
    said = eve.send("mine", channel=room)
    assert await rest.refused("PATCH", path(room, said["id"]), {"content": "x"}) == (403, 50005)
    assert await rest.refused("DELETE", path(room, said["id"])) == (403, 50013)
    room.allow("manage_messages")
    await rest.ok("DELETE", path(room, said["id"]))
    direct = eve.messages()[0]
    assert await rest.refused("DELETE", path(eve, direct["id"])) == (403, 50003)
    await rest.ok("DELETE", path(room, sent["id"]))
    for method in ("GET", "DELETE", "PATCH"):
        assert await rest.refused(method, path(room, sent["id"]), {"content": "x"}) == (404, 10008)
    assert room.messages() == []


async def test_pages(rest, eve, room):
    """Pages of 1-100 messages are newest first; after, before and around count from an id."""
    ids = [eve.send(str(number), channel=room)["id"] for number in range(10)]

    async def page(query):
        return [one["content"] for one in await rest.ok("GET", f"{path(room)}?{query}")]

    assert await page("limit=3") == ["9", "8", "7"]
    assert await page(f"after={ids[2]}&limit=3") == ["5", "4", "3"]
    assert await page("after=0&limit=100") == [str(number) for number in reversed(range(10))]
    assert await page(f"before={ids[2]}") == ["1", "0"]
    assert await page(f"around={ids[5]}&limit=3") == ["6", "5", "4"]
    assert await page(f"after={ids[-1]}") == []
    for query, code in (
        ("limit=0", "NUMBER_TYPE_MIN"),
        ("limit=101", "NUMBER_TYPE_MAX"),
        ("limit=x", "NUMBER_TYPE_COERCE"),
    ):
        assert await rest.errors("GET", f"{path(room)}?{query}") == {"limit": code}
    assert await rest.errors("GET", f"{path(room)}?after=x") == {"after": "NUMBER_TYPE_COERCE"}
    room.deny("read_message_history")
    assert await page("limit=3") == []


async def test_reactions(rest, eve, room):
    """Emojis are set once, counted and removed; other texts are refused; twenty kinds at most."""
    said = eve.send("hi", channel=room)
    base = f"{path(room, said['id'])}/reactions"
    party = room.guild.emoji("party")
    for emoji in ("%F0%9F%91%80", "%E2%9D%A4%EF%B8%8F", "1%EF%B8%8F%E2%83%A3", party):
        await rest.ok("PUT", f"{base}/{emoji}/@me")
        await rest.ok("PUT", f"{base}/{emoji}/@me")
    eve.react(said, "👀")
    shown = (await rest.ok("GET", path(room, said["id"])))["reactions"]
    assert [(one["emoji"]["name"], one["count"], one["me"]) for one in shown] == [
        ("👀", 2, True),
        ("❤️", 1, True),
        ("1️⃣", 1, True),
        ("party", 1, True),
    ]
    assert [one["id"] for one in await rest.ok("GET", f"{base}/%F0%9F%91%80")] == sorted(
        [str(rest.dc.bot_id), str(eve.id)]
    )
    await rest.ok("DELETE", f"{base}/%F0%9F%91%80/@me")
    assert await rest.refused("DELETE", f"{base}/%F0%9F%91%80/{eve.id}") == (403, 50013)
    for emoji in ("ok", "party:12", "%20", "x:y"):
        assert await rest.refused("PUT", f"{base}/{emoji}/@me") == (400, 10014)
    for code in range(0x1F600, 0x1F600 + 16):
        eve.react(said, chr(code))
    assert await rest.refused("PUT", f"{base}/%F0%9F%8E%89/@me") == (400, 30010)
    room.deny("add_reactions")
    await rest.ok("PUT", f"{base}/%F0%9F%91%80/@me")
    other = eve.send("more", channel=room)
    assert await rest.refused("PUT", f"{path(room, other['id'])}/reactions/%F0%9F%91%80/@me") == (403, 50013)
    eve.block()
    direct = eve.messages()[0]
    assert await rest.refused("PUT", f"{path(eve, direct['id'])}/reactions/%F0%9F%91%80/@me") == (403, 90001)


def form(*sizes, **payload):
    made = aiohttp.FormData(quote_fields=False)
    if payload:
        made.add_field("payload_json", aiohttp.payload.JsonPayload(payload), content_type="application/json")
    for index, size in enumerate(sizes):
        made.add_field(f"files[{index}]", io.BytesIO(b"x" * size), filename=f"f{index}.txt", content_type="text/plain")
    return made


async def test_files(dc, rest, eve, room):
    """Up to ten files of ten MiB, more with boosts; URLs are signed and valid for a day."""
    sent = await rest.ok("POST", path(room), data=form(3, 4, content="two"))
    assert [(one["filename"], one["size"]) for one in sent["attachments"]] == [("f0.txt", 3), ("f1.txt", 4)]
    url = sent["attachments"][0]["url"]
    assert url.startswith(f"{dc.root}/attachments/{room.id}/")

    async def status(address):
        async with rest.session.get(address) as response:
            return response.status, await response.read()

    assert await status(url) == (200, b"xxx")
    assert (await status(url.replace("hm=", "hm=0")))[0] == 404
    dc.advance(24 * 3600 + 1)
    assert (await status(url))[0] == 404
    again = await rest.ok("GET", path(room, sent["id"]))
    assert (await status(again["attachments"][0]["url"]))[0] == 200
    assert await rest.refused("POST", path(room), data=form(*[1] * 11)) == (400, 30015)
    big = (10 << 20) + 1
    assert await rest.refused("POST", path(room), data=form(big)) == (413, 40005)
    await rest.ok("POST", path(room), data=form(big - 1))
    boosted = dc.guild("Boosted", members=[eve], premium_tier=2).channel("files")
    await rest.ok("POST", path(boosted), data=form(big))
    told = {"content": "x", "attachments": [{"id": 0, "filename": "a b.txt", "description": "d"}]}
    named = await rest.ok("POST", path(room), data=form(1, **told))
    assert [(one["filename"], one["description"]) for one in named["attachments"]] == [("a_b.txt", "d")]
    missing = {"content": "x", "attachments": [{"id": 0}]}
    assert await rest.errors("POST", path(room), missing) == {"attachments.0": "ATTACHMENT_NOT_FOUND"}
    kept = await rest.ok("PATCH", path(room, sent["id"]), {"attachments": [{"id": sent["attachments"][1]["id"]}]})
    assert [one["filename"] for one in kept["attachments"]] == ["f1.txt"]
    room.deny("attach_files")
    assert await rest.refused("POST", path(room), data=form(1)) == (403, 50013)
    (call,) = [call for call in dc.calls if call.params.get("content") == "two"]
    assert [upload.data for upload in call.params["files"]] == [b"xxx", b"xxxx"]


async def test_who_may_call(dc, rest, eve):
    """The token, the version, the content type and the path are checked."""
    for auth in ("", "Bot wrong", dc.token):
        assert await rest.refused("GET", "/users/@me", auth=auth) == (401, 0)
    async with rest.session.get(f"{dc.root}/api/v6/users/@me") as response:
        assert (response.status, (await response.json())["code"]) == (400, 50041)
    assert await rest.refused("GET", "/nowhere") == (404, 0)
    assert await rest.errors("GET", "/channels/abc") == {"channel_id": "NUMBER_TYPE_COERCE"}
    assert await rest.refused("POST", path(eve), data="content=x") == (400, 50035)
    async with rest.session.post(
        dc.api + path(eve),
        data="{",
        headers={"Authorization": f"Bot {dc.token}", "Content-Type": "application/json"},
    ) as response:
        assert (response.status, (await response.json())["code"]) == (400, 50109)
        assert response.headers["Content-Type"] == "application/json"
    old, new = dc.token, dc.reset_token()
    assert new != old
    assert await rest.refused("GET", "/users/@me", auth=f"Bot {old}") == (401, 0)
    assert (await rest.ok("GET", "/users/@me"))["id"] == str(dc.bot_id)


async def test_what_else_people_send(rest, eve, room):
    """Forwards have a snapshot, stickers no text; people cannot send what Discord would refuse."""
    said = eve.send("original", attachments=[b"x"])
    forwarded = eve.forward(said, channel=room)
    assert (forwarded["content"], forwarded["message_reference"]["type"]) == ("", 1)
    assert forwarded["message_snapshots"][0]["message"]["content"] == "original"
    assert eve.send_sticker("Wave")["sticker_items"][0]["name"] == "Wave"
    for wrong in ("", " ", "x" * 2001):
        with pytest.raises(ValueError, match="message"):
            eve.send(wrong)
    sent = await rest.send(eve, "x")
    with pytest.raises(ValueError, match="not eve's to edit"):
        eve.edit(sent, "y")
    with pytest.raises(LookupError, match="no message 5"):
        eve.react(5, "👍")
    bob = rest.dc.person("bob")
    with pytest.raises(LookupError, match="not for bob"):
        bob.react(sent, "👍")
    with pytest.raises(LookupError, match="not in 'Team'"):
        bob.send("x", channel=room)
