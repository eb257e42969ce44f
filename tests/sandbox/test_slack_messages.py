"""The fake Slack's messages: sent, changed, deleted, in threads, for one person alone, with reactions and files."""

from __future__ import annotations

import pytest

from slack_wire import actions, button, section

pytest_plugins = ["slack_fixtures"]


async def test_targets(slack, api, eve):
    """A message goes to a conversation's id, a person's id or a public channel's name, and nowhere else."""
    for channel in (eve.dm.id, eve.id):
        assert (await api.ok("chat.postMessage", channel=channel, text="x"))["channel"] == eve.dm.id
    assert await api.refused("chat.postMessage", channel="nowhere", text="x") == "channel_not_found"
    assert await api.refused("chat.postMessage", channel=slack.bot_id, text="x") == "channel_not_found"
    assert await api.refused("chat.postMessage", text="x") == "invalid_arguments"
    assert await api.refused("chat.postMessage", channel=eve.dm.id) == "no_text"
    eve.block()
    assert await api.refused("chat.postMessage", channel=eve.dm.id, text="x") == "restricted_action"
    eve.unblock()
    slack.state.app.messages_tab = False
    assert await api.refused("chat.postMessage", channel=eve.dm.id, text="x") == "messages_tab_disabled"
    with pytest.raises(ValueError, match="turned off"):
        eve.send("x")


async def test_texts_are_escaped_and_cut(slack, api, eve):
    """`&`, `<` and `>` are escaped unless they are an entity or a mention; more than 40,000 characters are cut."""
    text = f"a & b &amp; <c> <@{eve.id}> <https://a.example|b> <!here> <b>x</b>"
    body = await api.ok("chat.postMessage", channel=eve.dm.id, text=text)
    kept = f"a &amp; b &amp; &lt;c&gt; <@{eve.id}> <https://a.example|b> <!here> &lt;b&gt;x&lt;/b&gt;"
    assert body["message"]["text"] == kept
    body = await api.ok("chat.postMessage", channel=eve.dm.id, text="x" * 40_001)
    assert (len(body["message"]["text"]), body["warning"]) == (40_000, "message_truncated")
    assert body["response_metadata"]["warnings"] == ["message_truncated"]


async def test_updates(slack, api, connect, room, eve):
    """Blocks that are not given stay, an empty list removes them; longer texts and others' messages are refused."""
    posted = await api.ok("chat.postMessage", channel=room.id, text="old", blocks=[section("shown")])
    ts = posted["ts"]
    async with connect() as socket:
        await api.ok("chat.update", channel=room.id, ts=ts, text="new")
        event = await socket.event()
        assert (event["subtype"], event["hidden"], event["previous_message"]["text"]) == (
            "message_changed",
            True,
            "old",
        )
        assert event["message"]["edited"]["user"] == slack.bot_id
    assert room.messages()[-1]["blocks"][0]["text"]["text"] == "shown"
    await api.ok("chat.update", channel=room.id, ts=ts, text="bare", blocks=[])
    assert "blocks" not in room.messages()[-1]
    assert await api.refused("chat.update", channel=room.id, ts=ts, text="x" * 4_001) == "msg_too_long"
    assert await api.refused("chat.update", channel=room.id, ts=ts, text="") == "no_text"
    assert await api.refused("chat.update", channel=room.id, ts="1.1", text="x") == "message_not_found"
    theirs = eve.send("mine", channel=room)["ts"]
    assert await api.refused("chat.update", channel=room.id, ts=theirs, text="x") == "cant_update_message"
    assert await api.refused("chat.delete", channel=room.id, ts=theirs) == "cant_delete_message"
    assert eve.edit(theirs, "still mine")["edited"]["user"] == eve.id


async def test_deleting(slack, api, connect, room, eve):
    """A deleted message is gone; one with replies leaves a tombstone, under which they stay."""
    gone = (await api.ok("chat.postMessage", channel=room.id, text="gone"))["ts"]
    root = (await api.ok("chat.postMessage", channel=room.id, text="root"))["ts"]
    eve.send("reply", channel=room, thread=root)
    async with connect() as socket:
        await api.ok("chat.delete", channel=room.id, ts=gone)
        event = await socket.event()
        assert (event["subtype"], event["deleted_ts"]) == ("message_deleted", gone)
        await api.ok("chat.delete", channel=room.id, ts=root)
        assert (await socket.event())["message"]["subtype"] == "tombstone"
    assert await api.refused("chat.delete", channel=room.id, ts=gone) == "message_not_found"
    assert await api.refused("chat.update", channel=room.id, ts=root, text="x") == "message_not_found"
    assert [one.get("subtype") for one in room.messages()] == ["tombstone", None]


async def test_threads(slack, api, connect, room, eve):
    """A reply names the first message of its thread, which counts; a broadcast is in the channel too."""
    root = eve.send("root", channel=room)["ts"]
    async with connect() as socket:
        reply = await api.ok("chat.postMessage", channel=room.id, text="reply", thread_ts=root)
        assert reply["message"]["parent_user_id"] == eve.id
        assert (await socket.event())["thread_ts"] == root
        both = await api.ok("chat.postMessage", channel=room.id, text="both", thread_ts=root, reply_broadcast="true")
        assert (await socket.event())["subtype"] == "thread_broadcast"
    first = room.messages()[0]
    assert (first["reply_count"], first["latest_reply"], first["reply_users"]) == (2, both["ts"], [slack.bot_id])
    wrong = {"1.000001": "thread_not_found", "yesterday": "invalid_thread_ts", reply["ts"]: "cannot_reply_to_message"}
    for thread_ts, error in wrong.items():
        assert await api.refused("chat.postMessage", channel=room.id, text="x", thread_ts=thread_ts) == error
    await api.ok("chat.delete", channel=room.id, ts=reply["ts"])
    await api.ok("chat.delete", channel=room.id, ts=both["ts"])
    assert "reply_count" not in room.messages()[0]


async def test_ephemeral_messages(slack, api, room, eve):
    """One person sees it; it is in no history and cannot be changed by its timestamp."""
    ben = slack.person("ben")
    body = await api.ok("chat.postEphemeral", channel=room.id, user=eve.id, text="psst")
    assert [one["text"] for one in eve.ephemerals] == ["psst"]
    assert ben.ephemerals == []
    assert await api.refused("chat.postEphemeral", channel=room.id, user=ben.id, text="x") == "user_not_in_channel"
    assert await api.refused("chat.update", channel=room.id, ts=body["message_ts"], text="x") == "message_not_found"
    assert room.messages() == []
    with pytest.raises(LookupError, match="not in"):
        ben.delete(body["message_ts"])
    eve.delete(body["message_ts"])
    assert eve.ephemerals == []


async def test_reactions(slack, api, connect, room, eve):
    """Names without colons, of emoji that exist; each once; people's reach the bot with the message they are on."""
    said = eve.send("hi", channel=room)["ts"]
    place = {"channel": room.id, "timestamp": said}
    await api.ok("reactions.add", **place, name="eyes")
    assert await api.refused("reactions.add", **place, name="eyes") == "already_reacted"
    assert await api.refused("reactions.remove", **place, name="tada") == "no_reaction"
    for name in (":eyes:", "👀", "no_such_emoji", "Eyes", "up_down_arrow"):
        assert await api.refused("reactions.add", **place, name=name) == "invalid_name"
    for name in ("+1::skin-tone-3", "thumbsup", "unicorn_face", "rotating_light", "flag-tw"):
        await api.ok("reactions.add", **place, name=name)
    assert await api.refused("reactions.add", channel=room.id, timestamp="1.1", name="eyes") == "message_not_found"
    assert await api.refused("reactions.add", channel=room.id, timestamp="x", name="eyes") == "bad_timestamp"
    assert await api.refused("reactions.add", name="eyes") == "no_item_specified"
    async with connect() as socket:
        eve.react(said, "👍")
        event = await socket.event()
        assert (event["type"], event["reaction"], event["user"]) == ("reaction_added", "+1", eve.id)
        assert (event["item"], event["item_user"]) == ({"type": "message", "channel": room.id, "ts": said}, eve.id)
        eve.unreact(said, "+1")
        assert (await socket.event())["type"] == "reaction_removed"
    message = (await api.ok("reactions.get", **place))["message"]
    assert {"name": "eyes", "users": [slack.bot_id], "count": 1} in message["reactions"]


async def test_what_people_do_has_its_own_subtype(slack, api, connect, eve):
    """Mentions come twice, joins and /me and other programs' messages with their subtypes, files with theirs."""
    ann = slack.person("ann", "Ann")
    room = slack.channel("general", members=[eve])
    async with connect() as socket:
        room.add(ann)
        assert [(await socket.event())["type"] for _ in range(2)] == ["member_joined_channel", "message"]
        sent = ann.send("@sandbox-bot look at #general https://a.example/x.", channel=room)
        assert sent["text"] == f"<@{slack.bot_id}> look at <#{room.id}|general> <https://a.example/x>."
        first, second = await socket.event(), await socket.event()
        assert (first["type"], second["type"], second["ts"]) == ("message", "app_mention", sent["ts"])
        assert [one["type"] for one in first["blocks"][0]["elements"][0]["elements"]] == [
            "user",
            "text",
            "channel",
            "text",
            "link",
            "text",
        ]
        ann.send_me("waves", channel=room)
        assert (await socket.event())["subtype"] == "me_message"
        room.post_as_bot("built")
        assert (await socket.event())["subtype"] == "bot_message"
        ann.send("look", channel=room, attachments=[("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 16)])
        event = await socket.event()
        assert (event["subtype"], event["text"], event["files"][0]["mimetype"]) == ("file_share", "look", "image/png")
        assert (await socket.event())["type"] == "file_shared"
        room.remove_bot()
        kinds = [await socket.event() for _ in range(2)]
        assert [one.get("subtype", one["type"]) for one in kinds] == ["channel_left", "channel_leave"]
        ann.send("without it", channel=room)
        ann.send("mention in a direct chat @sandbox-bot")
        assert (await socket.event())["channel_type"] == "im"
    with pytest.raises(ValueError, match="command"):
        ann.send("/status")
    with pytest.raises(LookupError, match="not in"):
        slack.person("ben").send("x", channel=room)


async def test_clips_and_forwarded_messages(slack, room, eve):
    """A recorded clip is a file of its own kind; what is forwarded comes as an attachment with its author and place."""
    clip = eve.send_voice(b"abc", channel=room)
    assert (clip["text"], clip["files"][0]["subtype"]) == ("", "slack_audio")
    first = eve.send("*hello*", channel=room)
    second = eve.forward(first, text="see")
    shared = second["attachments"][0]
    assert (second["channel_type"], second["text"]) == ("im", "see")
    assert (shared["text"], shared["author_id"], shared["channel_id"]) == ("*hello*", eve.id, room.id)
    assert shared["message_blocks"][0]["message"]["blocks"] == first["blocks"]


async def test_uploads(slack, api, eve):
    """An upload has the length it announced, is completed once, and is shared where the bot may write."""
    assert await api.refused("files.getUploadURLExternal", filename="a.txt", length="0") == "invalid_arguments"
    begun = await api.ok("files.getUploadURLExternal", filename="a.txt", length="3")
    file = {"id": begun["file_id"], "title": "A"}
    assert await api.refused("files.completeUploadExternal", files=[file]) == "file_not_found"
    async with api.session.post(begun["upload_url"], data=b"toolong") as response:
        assert response.status == 400
    async with api.session.post(begun["upload_url"], data=b"abc") as response:
        assert (response.status, await response.text()) == (200, "OK - 3")
    elsewhere = slack.channel("elsewhere", members=[eve], bot=False)
    complete = "files.completeUploadExternal"
    assert await api.refused(complete, files=[file], channel_id=elsewhere.id) == "not_in_channel"
    assert await api.refused(complete, files=[file], channel_id="nowhere") == "invalid_channel"
    done = await api.ok(complete, files=[file], channel_id=eve.dm.id, initial_comment="here & now")
    assert done["files"] == [file]
    message = await eve.next_message()
    assert (message["text"], message["files"][0]["title"]) == ("here &amp; now", "A")
    assert await api.refused(complete, files=[file]) == "file_not_found"
    assert await api.refused("files.info", file="F0NOBODY001") == "file_not_found"


async def test_status_in_a_thread(slack, api, eve):
    """What the app does is shown in a thread, and ends with an empty text."""
    said = eve.messages()[0]["ts"]
    await api.ok("assistant.threads.setStatus", channel_id=eve.dm.id, thread_ts=said, status="is thinking…")
    assert len(slack.typing(eve)) == 1
    await api.ok("assistant.threads.setStatus", channel_id=eve.dm.id, thread_ts=said, status="")
    assert len(slack.typing(eve)) == 1
    body = await api.form("assistant.threads.setStatus", channel_id=eve.dm.id, thread_ts="1.1", status="x")
    assert body["error"] == "channel_not_found"


async def test_a_message_can_be_blocks_alone(slack, api, eve):
    """Blocks get ids, buttons too, and what has neither text nor blocks is refused."""
    body = await api("chat.postMessage", channel=eve.dm.id, blocks=[section("hi"), actions(button("Yes"))])
    blocks = body["message"]["blocks"]
    assert all(block["block_id"] for block in blocks)
    assert blocks[1]["elements"][0]["action_id"]
    assert (await api("chat.postMessage", channel=eve.dm.id, blocks=[]))["error"] == "no_text"
    assert await api.refused("chat.postMessage", channel=eve.dm.id, blocks="[") == "invalid_blocks_format"
