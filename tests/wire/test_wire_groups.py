"""Groups and topics: silent until enabled, the mention rule, sender lists, answers where they belong."""

from __future__ import annotations

import pytest

from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Host, Stage


async def hears_nothing_but(host: Host, person: TelegramPerson, marker: str = "only this") -> None:
    """Everything before this direct message was silent: it is the next event."""
    person.send(marker)
    assert (await host.event()).content == marker


async def enable(stage: Stage, group: TelegramGroup, *options: str) -> None:
    ran = await stage.access("group", "add", str(group.id), *options)
    assert ran.code == 0, ran.err


async def test_a_group_that_is_not_enabled_is_silent_and_listed(stage: Stage) -> None:
    """No answer, no event, no pairing code in a group nobody enabled; the operator sees it by id and title."""
    ann = stage.person()
    host = await stage.reading()
    group = stage.tg.group("Secret <b>Team</b>\u202e", members=[ann])
    ann.send("@sandbox_bot hello", chat=group)
    ann.send("/start@sandbox_bot", chat=group)
    await hears_nothing_but(host, ann)
    assert group.messages()[-1]["from"]["id"] == ann.id
    assert stage.tg.calls_of("sendMessage") == []
    reason = await host.refused("reply", chat_id=group.id, text="psst")
    assert "group add" in reason
    ran = await stage.access("--json")
    listed = ran.json["groups_not_enabled"]
    assert [found["id"] for found in listed] == [str(group.id)]
    assert "Secret" in listed[0]["title"]
    assert not set(listed[0]["title"]) & set("<>\u202e")
    words = await stage.access()
    assert f"channels access telegram group add {group.id}" in words.out


async def test_an_enabled_group_listens_to_mentions(stage: Stage) -> None:
    """With the mention rule only mentions, replies to the bot and commands for it are delivered, as soon as enabled."""
    ann, bob = stage.person(), stage.tg.person("bob")
    host = await stage.reading()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob])
    await enable(stage, group)
    bob.send("just chatting", chat=group)
    bob.send("@other_bot do it", chat=group)
    bob.send("mail me at bob@sandbox_bot.example", chat=group)
    said = bob.send("hey @Sandbox_Bot what now?", chat=group)
    event = await host.event()
    assert event.content == "hey @Sandbox_Bot what now?"
    assert event.meta["chat_id"] == str(group.id)
    assert event.meta["user"] == "bob"
    assert event.meta["user_id"] == str(bob.id)
    assert event.meta["message_id"] == str(said["message_id"])
    await host.done("reply", chat_id=group.id, text="this", reply_to=said["message_id"])
    answer = await group.next_message()
    assert answer["reply_to_message"]["message_id"] == said["message_id"]
    bob.send("why this?", chat=group, reply_to=answer["message_id"])
    event = await host.event()
    assert event.content == "why this?"
    assert event.meta["reply_to_message_id"] == str(answer["message_id"])
    assert event.meta["reply_to_user"] == "sandbox_bot"
    assert event.meta["reply_to_text"] == "this"
    # Bob is a stranger in private: the group's rule is not his.
    bob.send("direct")
    assert "pairing code" in (await bob.next_message())["text"]


async def test_no_mention_hears_everybody_and_allow_only_some(stage: Stage) -> None:
    """--no-mention delivers every message; --allow only those of the listed people; both in force at once."""
    ann, bob, cem = stage.person(), stage.tg.person("bob"), stage.tg.person("cem")
    host = await stage.reading()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob, cem])
    await enable(stage, group, "--no-mention")
    bob.send("one", chat=group)
    cem.send("two", chat=group)
    assert [e.content for e in await host.take(2)] == ["one", "two"]
    await enable(stage, group, "--no-mention", "--allow", f"{bob.id},{ann.id}")
    cem.send("@sandbox_bot three", chat=group)
    bob.send("four", chat=group)
    assert (await host.event()).content == "four"
    ran = await stage.access("group", "rm", str(group.id))
    assert ran.code == 0, ran.err
    bob.send("@sandbox_bot five", chat=group)
    await hears_nothing_but(host, ann)
    await host.refused("reply", chat_id=group.id, text="gone")


async def test_a_tap_by_somebody_who_is_not_listed_is_refused_with_an_alert(stage: Stage) -> None:
    """Taps pass the same gate as messages: in a group with a sender list only the listed may answer."""
    ann, bob = stage.person(), stage.tg.person("bob")
    host = await stage.reading()
    group = stage.tg.group("Team", members=[ann, bob])
    await enable(stage, group, "--allow", str(ann.id))
    await host.done("reply", chat_id=group.id, text="Ship?", buttons=[["Yes"]])
    grid = await group.next_message()
    refused = await bob.tap(grid["message_id"], label="Yes", chat=group).answered()
    assert refused.show_alert
    assert "not allowed" in refused.text
    assert "reply_markup" in group.messages()[-1]
    ann.tap(grid["message_id"], label="Yes", chat=group)
    assert (await host.event()).meta["user"] == "ann"


async def test_a_tap_of_somebody_who_was_removed_does_not_count(stage: Stage) -> None:
    """Who was taken off the list after the question was asked can no longer answer it."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="Ship?", buttons=[["Yes"]])
    grid = await ann.next_message()
    assert (await stage.access("remove", str(ann.id))).code == 0
    refused = await ann.tap(grid["message_id"], label="Yes").answered()
    assert refused.show_alert
    assert host.events == []
    assert "not allowed" in await host.refused("reply", chat_id=ann.id, text="x")


async def test_a_topic_is_named_and_answered_in(stage: Stage) -> None:
    """A message in a forum topic carries thread_id and name; the reply, the grid and the typing go into that topic."""
    ann = stage.person()
    host = await stage.reading()
    group = stage.tg.group("Forum", members=[ann], forum=True)
    topic = group.topic("Deploys")
    await enable(stage, group)
    ann.send("@sandbox_bot ship?", chat=group, thread_id=topic.thread_id)
    event = await host.event()
    thread = event.meta["thread_id"]
    assert thread == str(topic.thread_id)
    assert event.meta["thread_name"] == "Deploys"
    await stage.tg.wait_for(lambda: bool(stage.tg.calls_of("sendChatAction")))
    assert int(stage.tg.calls_of("sendChatAction")[0].params["message_thread_id"]) == topic.thread_id
    await host.done("reply", chat_id=group.id, text="Sure?", thread_id=thread, buttons=[["Yes"]])
    grid = await group.next_message()
    assert grid["message_thread_id"] == topic.thread_id
    ann.tap(grid["message_id"], label="Yes", chat=group)
    tapped = await host.event()
    assert tapped.meta["thread_id"] == thread
    # General has no id of its own: neither an event from it nor an answer into it names one.
    ann.send("@sandbox_bot general", chat=group)
    assert "thread_id" not in (await host.event()).meta
    await host.done("reply", chat_id=group.id, text="general", thread_id="1")
    assert "message_thread_id" not in await group.next_message()


async def test_a_group_that_became_a_supergroup_goes_on(stage: Stage) -> None:
    """A reply to the old id, before the upgrade was heard of, arrives, tells the new id, and moves the rule."""
    ann = stage.person()
    host = await stage.reading()
    group = stage.tg.group("Old", "group", members=[ann])
    await enable(stage, group)
    stage.tg.hold_updates()
    new = group.migrate()
    answer = await host.done("reply", chat_id=group.id, text="still there?")
    assert str(new.id) in answer
    assert (await new.next_message())["text"] == "still there?"
    stage.tg.release()
    ann.send("@sandbox_bot yes", chat=new)
    assert (await host.event()).meta["chat_id"] == str(new.id)
    assert [g["id"] for g in (await host.status())["groups"]] == [str(new.id)]


async def test_a_group_that_became_a_supergroup_is_heard_before_anything_is_sent(stage: Stage) -> None:
    """The upgrade is noticed from the platform's own message too: what is said in the new group arrives."""
    ann = stage.person()
    host = await stage.reading()
    group = stage.tg.group("Old", "group", members=[ann])
    await enable(stage, group)
    new = group.migrate()
    ann.send("@sandbox_bot anybody?", chat=new)
    assert (await host.event()).meta["chat_id"] == str(new.id)
    # The agent may still hold the old id: it is told the new one, whether or not the reply went.
    assert str(new.id) in (await host.call("reply", chat_id=group.id, text="to the old id")).text


async def test_the_bot_put_out_of_a_group_says_so(stage: Stage) -> None:
    """A reply to a group that removed the bot fails with the reason, and the group is no longer listed as seen."""
    ann = stage.person()
    host = await stage.reading()
    group = stage.tg.group("Team", members=[ann])
    await enable(stage, group)
    group.kick_bot()
    reason = await host.refused("reply", chat_id=group.id, text="x")
    assert "removed" in reason
    await stage.access("group", "rm", str(group.id))
    await hears_nothing_but(host, ann)
    assert (await stage.access("--json")).json["groups_not_enabled"] == []


@pytest.mark.parametrize("policy", ["allowlist", "disabled"])
async def test_strangers_get_no_answer_when_the_policy_says_so(stage: Stage, policy: str) -> None:
    """allowlist: strangers hear nothing, paired people are heard; disabled: nobody is, in private."""
    ann, eve = stage.person(), stage.tg.person("eve")
    host = await stage.reading()
    assert (await stage.access("policy", policy)).code == 0
    eve.send("let me in")
    eve.start()
    group = stage.tg.group("Team", members=[ann])
    await enable(stage, group)
    ann.send("private")
    ann.send("@sandbox_bot public", chat=group)
    wanted = ["private", "@sandbox_bot public"] if policy == "allowlist" else ["@sandbox_bot public"]
    assert [e.content for e in await host.take(len(wanted))] == wanted
    assert eve.inbox == []
    if policy == "disabled":
        assert "disabled" in await host.refused("reply", chat_id=ann.id, text="x")
