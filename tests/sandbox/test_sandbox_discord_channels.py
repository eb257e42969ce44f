"""Direct chats, guilds, permissions, threads and forums."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]


def messages(place):
    return f"/channels/{getattr(place, 'dm', place).id}/messages"


async def test_direct_chats(dc, rest):
    """A direct chat is opened by user id; writing needs a shared guild, or that the person has written first."""
    ann, bob = dc.person("ann", "Ann Lee"), dc.person("bob")
    opened = await rest.ok("POST", "/users/@me/channels", {"recipient_id": str(ann.id)})
    assert (opened["type"], opened["id"], opened["recipients"][0]["global_name"]) == (1, str(ann.dm.id), "Ann Lee")
    assert (await rest.ok("POST", "/users/@me/channels", {"recipient_id": ann.id}))["id"] == opened["id"]
    assert await rest.refused("POST", messages(ann), {"content": "x"}) == (403, 50007)
    ann.send("first")
    await rest.send(ann, "hello")
    ann.block()
    assert await rest.refused("POST", messages(ann), {"content": "x"}) == (403, 50007)
    with pytest.raises(ValueError, match="unblock"):
        ann.send("x")
    ann.unblock()
    await rest.send(ann, "again")
    dc.guild("Team", members=[bob])
    await rest.send(bob, "hello")
    assert [one["content"] for one in bob.messages()] == ["hello"]
    assert await rest.refused("POST", "/users/@me/channels", {"recipient_id": 5}) == (400, 50033)
    assert await rest.refused("POST", "/users/@me/channels", {"recipient_id": dc.bot_id}) == (403, 50007)
    assert await rest.errors("POST", "/users/@me/channels", {}) == {"recipient_id": "NUMBER_TYPE_COERCE"}
    assert (await rest.ok("GET", f"/users/{ann.id}"))["username"] == "ann"
    assert await rest.refused("GET", "/users/5") == (404, 10013)


async def test_permissions(dc, rest, eve, room):
    """Missing access, missing permissions and unknown things have different errors."""
    path = f"/channels/{room.id}"
    assert (await rest.ok("GET", path))["name"] == "general"
    room.deny("send_messages")
    assert await rest.refused("POST", messages(room), {"content": "x"}) == (403, 50013)
    assert await rest.refused("POST", f"{path}/typing") == (403, 50013)
    room.deny("view_channel")
    assert await rest.refused("GET", path) == (403, 50001)
    assert await rest.refused("GET", messages(room)) == (403, 50001)
    room.allow("view_channel", "send_messages")
    await rest.send(room)
    await rest.ok("POST", f"{path}/typing")
    assert len(dc.typing(room)) == 1
    room.deny("send_messages")
    room.guild.add_bot(administrator=True)
    await rest.send(room)
    room.guild.kick_bot()
    assert await rest.refused("GET", path) == (403, 50001)
    assert await rest.refused("GET", f"/guilds/{room.guild.id}") == (403, 50001)
    assert await rest.refused("GET", "/guilds/5") == (404, 10004)
    assert await rest.refused("GET", "/channels/5") == (404, 10003)
    with pytest.raises(ValueError, match="no permission 'fly'"):
        room.deny("fly")
    room.delete()
    assert await rest.refused("GET", path) == (404, 10003)
    with pytest.raises(LookupError, match="deleted"):
        eve.send("x", channel=room)


async def test_guild(dc, rest, eve, room):
    """A guild, its channels, roles and members can be read."""
    guild = f"/guilds/{room.guild.id}"
    assert (await rest.ok("GET", guild))["name"] == "Team"
    assert [one["name"] for one in await rest.ok("GET", f"{guild}/channels")] == ["general"]
    assert [one["name"] for one in await rest.ok("GET", f"{guild}/roles")] == ["@everyone", "sandbox-bot"]
    assert (await rest.ok("GET", f"{guild}/members/{eve.id}"))["user"]["username"] == "eve"
    assert [one["name"] for one in await rest.ok("GET", "/users/@me/guilds")] == ["Team"]
    bob = dc.person("bob")
    assert await rest.refused("GET", f"{guild}/members/{bob.id}") == (404, 10007)
    room.guild.add(bob, nick="Bobby")
    assert (await rest.ok("GET", f"{guild}/members/{bob.id}"))["nick"] == "Bobby"
    room.guild.remove(bob)
    with pytest.raises(LookupError, match="not in 'Team'"):
        bob.send("x", channel=room)
    assert dc.guild("Team").id == room.guild.id
    assert dc.guild("Team").channel("general").id == room.id


async def test_guild_events(dc, connect, eve, room):
    """Changes of channels, members, roles and the bot's own membership are dispatched by intent."""
    dc.set_portal(members=True)
    async with connect() as gate:
        await gate.ready(0b11)
        await gate.event("GUILD_CREATE")
        made = room.guild.channel("second")
        room.guild.add(dc.person("bob"))
        room.guild.remove(dc.person("bob"))
        room.guild.role("ops", eve)
        made.deny("view_channel")
        made.allow("view_channel")
        made.allow("manage_messages")
        made.delete()
        late = dc.guild("Late", members=[eve])
        late.kick_bot()
        names = [(await gate.read())["t"] for _ in range(10)]
        assert names == [
            "CHANNEL_CREATE",
            "GUILD_MEMBER_ADD",
            "GUILD_MEMBER_REMOVE",
            "GUILD_UPDATE",
            "CHANNEL_DELETE",
            "CHANNEL_CREATE",
            "CHANNEL_UPDATE",
            "CHANNEL_DELETE",
            "GUILD_CREATE",
            "GUILD_DELETE",
        ]


async def test_members_on_request(dc, connect, eve, room):
    """Members come in a chunk: by id, by name, and all of them only with the intent."""
    bob = dc.person("bob")
    room.guild.add(bob)
    guild_id = str(room.guild.id)
    async with connect() as gate:
        await gate.ready()
        for wanted, names in (({"user_ids": str(bob.id)}, ["bob"]), ({"query": "ev", "limit": 1}, ["eve"])):
            await gate.write(8, {"guild_id": guild_id, **wanted, "nonce": "n"})
            chunk = await gate.event("GUILD_MEMBERS_CHUNK")
            assert ([one["user"]["username"] for one in chunk["members"]], chunk["nonce"]) == (names, "n")
        await gate.write(8, {"guild_id": guild_id, "query": "", "limit": 0})
        assert await gate.closed() == 4014


async def test_threads(dc, rest, connect, eve, room):
    """Threads start with or without a message, follow their parent's permissions, and can be archived and locked."""
    said = eve.send("topic", channel=room)
    async with connect() as gate:
        await gate.ready()
        made = await rest.ok("POST", f"{messages(room)}/{said['id']}/threads", {"name": "Side"})
        assert (made["id"], made["parent_id"], made["type"]) == (said["id"], str(room.id), 11)
        assert made["member"]["user_id"] == str(dc.bot_id)
        assert (await gate.event("THREAD_CREATE"))["newly_created"] is True
        update = await gate.event("MESSAGE_UPDATE")
        assert (update["flags"], update["thread"]["name"], update["edited_timestamp"]) == (32, "Side", None)
        starter = await gate.event("MESSAGE_CREATE")
        assert (starter["type"], starter["referenced_message"]["content"]) == (21, "topic")
    assert await rest.refused("POST", f"{messages(room)}/{said['id']}/threads", {"name": "x"}) == (400, 160004)
    thread = room.thread("Deploys", by=eve)
    assert room.messages()[-1]["type"] == 18
    eve.send("inside", channel=thread)
    await rest.send(thread, "answer")
    assert [one["content"] for one in thread.messages()] == ["inside", "answer"]
    assert (await rest.ok("GET", f"/channels/{thread.id}"))["message_count"] == 2
    active = await rest.ok("GET", f"/guilds/{room.guild.id}/threads/active")
    assert {one["name"] for one in active["threads"]} == {"Side", "Deploys"}
    thread.archive()
    archived = await rest.ok("GET", f"/channels/{room.id}/threads/archived/public")
    assert [one["name"] for one in archived["threads"]] == ["Deploys"]
    answer = thread.messages()[1]["id"]
    assert await rest.refused("PATCH", f"{messages(thread)}/{answer}", {"content": "x"}) == (400, 50083)
    await rest.send(thread, "opens it")
    assert not (await rest.ok("GET", f"/channels/{thread.id}"))["thread_metadata"]["archived"]
    thread.archive(locked=True)
    assert await rest.refused("POST", messages(thread), {"content": "x"}) == (400, 50083)
    room.deny("send_messages_in_threads")
    assert await rest.refused("POST", f"/channels/{said['id']}/messages", {"content": "x"}) == (403, 50013)
    wrong = {"name": "x" * 101, "auto_archive_duration": 5}
    assert await rest.errors("POST", f"/channels/{room.id}/threads", {**wrong, "type": 11}) == {
        "name": "BASE_TYPE_BAD_LENGTH",
        "auto_archive_duration": "BASE_TYPE_CHOICES",
    }
    renamed = await rest.ok("PATCH", f"/channels/{said['id']}", {"name": "Renamed", "archived": True})
    assert (renamed["name"], renamed["thread_metadata"]["archived"]) == ("Renamed", True)
    assert await rest.refused("PATCH", f"/channels/{room.id}", {"name": "x"}) == (403, 50013)


async def test_private_threads(dc, rest, eve, room):
    """Only members see a private thread."""
    hidden = room.thread("Secret", by=eve, private=True)
    assert await rest.refused("GET", f"/channels/{hidden.id}") == (403, 50001)
    made = await rest.ok("POST", f"/channels/{room.id}/threads", {"name": "Mine", "type": 12})
    assert (await rest.ok("GET", f"/channels/{made['id']}"))["type"] == 12
    await rest.ok("DELETE", f"/channels/{made['id']}/thread-members/@me")
    assert await rest.refused("GET", f"/channels/{made['id']}") == (403, 50001)
    assert await rest.refused("PUT", f"/channels/{room.id}/thread-members/@me") == (400, 50024)


async def test_forums(rest, connect, eve, room):
    """A forum has posts, whose first message has the post's id; messages into the forum itself are refused."""
    forum = room.guild.forum("help")
    assert await rest.refused("POST", messages(forum), {"content": "x"}) == (400, 50008)
    assert await rest.refused("GET", messages(forum)) == (400, 50024)
    with pytest.raises(ValueError, match="is a forum"):
        eve.send("x", channel=forum)
    with pytest.raises(ValueError, match="is not a forum"):
        room.post("t", "x")
    async with connect() as gate:
        await gate.ready()
        post = forum.post("Broken", "It is", by=eve)
        assert (await gate.event("THREAD_CREATE"))["id"] == str(post.id)
        first = await gate.event("MESSAGE_CREATE")
        assert (first["id"], first["channel_id"], first["content"]) == (str(post.id), str(post.id), "It is")
    await rest.send(post, "I see")
    assert [one["content"] for one in post.messages()] == ["It is", "I see"]
    body = {"name": "Mine", "message": {"content": "body"}}
    made = await rest.ok("POST", f"/channels/{forum.id}/threads", body)
    assert (made["message"]["id"], made["message"]["channel_id"]) == (made["id"], made["id"])
    empty = {"name": "Mine", "message": {"content": ""}}
    assert await rest.refused("POST", f"/channels/{forum.id}/threads", empty) == (400, 50006)
    assert await rest.errors("POST", f"/channels/{forum.id}/threads", {"name": "x"}) == {
        "message": "MODEL_TYPE_CONVERT"
    }
