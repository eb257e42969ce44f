"""Where people talk in Discord: channels by their rule, threads and posts by their parent's; what they do there."""

from __future__ import annotations

from harness import DiscordStage


async def test_mentions_are_asked_for_in_an_enabled_channel(stage: DiscordStage) -> None:
    """Without a mention nothing is heard; a mention, a reply to the bot and --no-mention are; other channels never."""
    ann = stage.person("ann")
    team = stage.dc.guild("Team", members=[ann])
    room, quiet = team.channel("general"), team.channel("other")
    host = await stage.reading()
    ann.send(f"<@{stage.dc.bot_id}> in a channel that is not enabled", channel=room)
    await host.status_when(lambda status: bool(status["groups_not_enabled"]))
    assert (await stage.access("group", "add", str(room.id))).code == 0
    ann.send("said to nobody", channel=room)
    ann.send(f"hey <@{stage.dc.bot_id}>, ship it", channel=room)
    event = await host.event()
    assert event.content == f"hey @{stage.dc.username}, ship it"
    assert (event.meta["chat_id"], event.meta["user"]) == (str(room.id), "ann")
    assert "parent_chat_id" not in event.meta
    await host.done("reply", chat_id=str(room.id), text="shipped")
    shipped = await room.next_message()
    ann.send("thanks", channel=room, reply_to=shipped)
    event = await host.event()
    assert event.content == "thanks"
    assert event.meta["reply_to_message_id"] == shipped["id"]
    assert (event.meta["reply_to_user"], event.meta["reply_to_text"]) == (stage.dc.username, "shipped")
    ann.send(f"<@{stage.dc.bot_id}> elsewhere", channel=quiet)
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    ann.send("to everybody", channel=room)
    assert (await host.event()).content == "to everybody"
    assert "not allowed" in await host.refused("reply", chat_id=str(quiet.id), text="x")


async def test_a_channel_that_was_seen_is_listed(stage: DiscordStage) -> None:
    """A mention in a channel that is not enabled tells the operator its id and name."""
    ann = stage.person("ann")
    room = stage.dc.guild("Team", members=[ann]).channel("deploys")
    await stage.reading()
    ann.send(f"<@{stage.dc.bot_id}> hello", channel=room)

    async def listed() -> str:
        return (await stage.access()).out

    for _ in range(20):
        out = await listed()
        if str(room.id) in out:
            break
    assert str(room.id) in out
    assert "deploys" in out


async def test_only_named_senders_are_heard(stage: DiscordStage) -> None:
    """--allow: others in that channel are not, nor are bots."""
    ann, bob = stage.person("ann"), stage.dc.person("bob")
    room = stage.dc.guild("Team", members=[ann, bob]).channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention", "--allow", str(ann.id))).code == 0
    host = await stage.reading()
    bob.send("not me", channel=room)
    ann.send("me", channel=room)
    assert (await host.event()).meta["user"] == "ann"
    assert len(host.events) == 1


async def test_threads_and_posts_follow_their_parent(stage: DiscordStage) -> None:
    """A thread of an enabled channel and a post of a forum are heard, answered there, and say where they are."""
    ann = stage.person("ann")
    team = stage.dc.guild("Team", members=[ann])
    room, forum = team.channel("general"), team.forum("help")
    for place in (room, forum):
        assert (await stage.access("group", "add", str(place.id), "--no-mention")).code == 0
    host = await stage.reading()
    thread = room.thread("the plan", by=ann)
    ann.send("in the thread", channel=thread)
    event = await host.event()
    meta = event.meta
    assert (meta["chat_id"], meta["thread_name"], meta["parent_chat_id"]) == (
        str(thread.id), "the plan", str(room.id)
    )  # fmt: skip
    await host.done("reply", chat_id=str(thread.id), text="here too", buttons=[["Ok"]])
    grid = await thread.next_message()
    ann.tap(grid, label="Ok")
    tapped = await host.event()
    assert (tapped.content, tapped.meta["chat_id"]) == ("Ok", str(thread.id))
    post = forum.post("How?", "the question", by=ann)
    event = await host.event()
    assert (event.content, event.meta["thread_name"], event.meta["parent_chat_id"]) == (
        "the question", "How?", str(forum.id)
    )  # fmt: skip
    await host.done("reply", chat_id=str(post.id), text="so")
    assert (await post.next_message())["content"] == "so"
    why = await host.refused("reply", chat_id=str(room.id), thread_id=str(thread.id), text="x")
    assert "chat of its own" in why


async def test_edits_reactions_replies_forwards_and_stickers(stage: DiscordStage) -> None:
    """An edit has the message's id, a reaction its emoji, a forward what was forwarded, a sticker its name."""
    ann = stage.person("ann")
    host = await stage.reading()
    first = ann.send("frist")
    assert (await host.event()).content == "frist"
    ann.edit(first, "first")
    edited = await host.event()
    assert (edited.content, edited.meta["edited"], edited.meta["message_id"]) == ("first", "true", first["id"])
    await host.done("reply", chat_id=str(ann.dm.id), text="seen")
    answer = next(m for m in ann.inbox if m["content"] == "seen")
    ann.react(answer, "🎉")
    reacted = await host.event()
    assert (reacted.content, reacted.meta["reaction"], reacted.meta["message_id"]) == ("🎉", "🎉", answer["id"])
    assert reacted.meta["user"] == "ann"
    ann.send("what about this?", reply_to=answer)
    replied = await host.event()
    assert (replied.meta["reply_to_message_id"], replied.meta["reply_to_text"]) == (answer["id"], "seen")
    ann.forward(first)
    forwarded = await host.event()
    assert forwarded.content == "first"
    assert forwarded.meta["forward_from"]
    ann.send_sticker("Wave")
    assert (await host.event()).content == "(sticker: Wave)"


async def test_a_stranger_who_reacts_gets_no_code(stage: DiscordStage) -> None:
    """Only words ask for a pairing."""
    ann, eve = stage.person("ann"), stage.dc.person("eve")
    team = stage.dc.guild("Team", members=[ann, eve])
    room = team.channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention", "--allow", str(ann.id))).code == 0
    host = await stage.reading()
    said = ann.send("hello", channel=room)
    await host.event()
    eve.react(said, "👍")
    ann.send("bye", channel=room)
    assert (await host.event()).content == "bye"
    assert eve.inbox == []
