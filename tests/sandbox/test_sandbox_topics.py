"""Topics of private chats and forums, and drafts, as the fake Telegram keeps them."""

from __future__ import annotations

import pytest

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

GONE = "Bad Request: message thread not found"
NO_FORUM = "Bad Request: the chat is not a forum"


async def test_a_message_outside_begins_a_topic_each_time(tg, ann, updates, raw):
    """Telegram names it, and says that it did; inside one, a message and a reply stay there."""
    tg.set_topics(on=True)
    first, second = ann.send("fix the tests"), ann.send("and this")
    assert first["message_thread_id"] != second["message_thread_id"]
    opened, said, *_ = [update["message"] for update in await updates()]
    assert opened["forum_topic_created"] == {"name": "New Chat", "icon_color": 7322096, "is_name_implicit": True}
    assert said["message_thread_id"] == opened["message_thread_id"] == first["message_thread_id"]
    assert "reply_to_message" not in said
    inside = ann.send("more", thread_id=first["message_thread_id"])
    reply = ann.send("no", reply_to=inside["message_id"])
    assert reply["message_thread_id"] == first["message_thread_id"]
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="x", message_thread_id=first["message_thread_id"])
    assert sent["is_topic_message"]
    # The bot's messages without a topic, and with a reply alone, go to the chat itself.
    loose = await raw.ok("sendMessage", chat_id=ann.id, text="x", reply_parameters={"message_id": sent["message_id"]})
    assert "message_thread_id" not in loose


async def test_the_bot_opens_renames_and_deletes_topics(tg, ann, raw, updates):
    """In private chats that have topics, and in forums whose administrator it is; everything else is refused."""
    group, forum = tg.group("Team", members=[ann]), tg.group("Forum", members=[ann], forum=True)
    for chat in (ann.id, group.id):
        assert await raw.refused("createForumTopic", chat_id=chat, name="x") == NO_FORUM
    assert "not enough rights" in await raw.refused("createForumTopic", chat_id=forum.id, name="x")
    forum.add_bot(administrator=True)
    tg.set_topics(on=True)
    for chat in (ann.id, forum.id):
        await updates()
        assert "must be non-empty" in await raw.refused("createForumTopic", chat_id=chat, name=" ")
        topic = await raw.ok("createForumTopic", chat_id=chat, name="x" * 200)
        assert topic["name"] == "x" * 128
        place = {"chat_id": chat, "message_thread_id": topic["message_thread_id"]}
        assert await raw.ok("editForumTopic", **place, name="Deploys") is True
        assert "TOPIC_NOT_MODIFIED" in await raw.refused("editForumTopic", **place, name="Deploys")
        await raw.ok("sendMessage", **place, text="hi")
        await raw.ok("deleteForumTopic", **place)
        for method in ("sendMessage", "editForumTopic", "deleteForumTopic"):
            assert await raw.refused(method, **place, text="hi", name="y") == GONE
        assert await raw.refused("sendChatAction", **place, action="typing") == GONE
        # Of what it did itself it hears nothing.
        assert await updates() == []
    tg.set_topics(on=True, people_create=False)
    refused = await raw.refused("createForumTopic", chat_id=ann.id, name="x")
    assert refused == "Bad Request: BOT_FORUM_CREATE_FORBIDDEN"


async def test_people_rename_and_delete(tg, ann, raw, updates):
    """A rename is a service message; a deletion is not told, and takes the messages along."""
    tg.set_topics(on=True)
    topic = ann.topic("Deploys")
    await updates()
    topic.rename("Releases")
    (told,) = [update["message"] for update in await updates()]
    assert told["forum_topic_edited"] == {"name": "Releases"}
    place = {"chat_id": ann.id, "message_thread_id": topic.thread_id}
    await raw.ok("sendMessage", **place, text="hi")
    topic.delete()
    assert await updates() == []
    assert not any(message.get("text") == "hi" for message in ann.messages())
    assert await raw.refused("sendMessage", **place, text="hi") == GONE
    with pytest.raises(ValueError, match="cannot be closed"):
        ann.topic("x").close()


async def test_a_closed_topic_takes_the_messages_of_administrators(tg, ann, raw):
    """Who may manage topics writes there all the same."""
    group = tg.group("Forum", forum=True, members=[ann])
    topic = group.topic("Deploys")
    topic.close()
    place = {"chat_id": group.id, "message_thread_id": topic.thread_id}
    assert await raw.refused("sendMessage", **place, text="x") == "Bad Request: TOPIC_CLOSED"
    group.add_bot(administrator=True)
    await raw.ok("sendMessage", **place, text="x")


async def test_the_bot_switches_topics_on(tg, raw):
    """setMySettings, which getMe shows."""
    assert (await raw.ok("getMe"))["has_topics_enabled"] is False
    await raw.ok("setMySettings", has_topics_enabled=True, allows_users_to_create_topics=True)
    me = await raw.ok("getMe")
    assert (me["has_topics_enabled"], me["allows_users_to_create_topics"]) == (True, True)


async def test_an_older_server_knows_fewer_methods(raw):
    """What came later is 404, and parameters it does not know are ignored."""
    async with TelegramSandbox(version="10.0") as old:
        raw.tg = old
        ann = old.person("ann")
        ann.start()
        assert await raw.refused("setMySettings", has_topics_enabled=True) == "Not Found: method not found"
        await raw.ok("sendMessageDraft", chat_id=ann.id, draft_id=1, text="", can_stop=True)
        assert [draft.can_stop for draft in old.drafts(ann)] == [False]
    async with TelegramSandbox(version="9.2") as older:
        raw.tg = older
        older.person("ann").start()
        refused = await raw.refused("sendMessageDraft", chat_id=1, draft_id=1, text="x")
        assert refused == "Not Found: method not found"


async def test_drafts_are_for_private_chats_and_vanish(tg, ann, raw):
    """At the next message of the bot in that chat or topic, or after 30 seconds."""
    group = tg.group("Team", members=[ann])
    draft = {"draft_id": 7, "text": "half a"}
    assert await raw.refused("sendMessageDraft", chat_id=group.id, **draft) == "Bad Request: TEXTDRAFT_PEER_INVALID"
    assert "non-zero" in await raw.refused("sendMessageDraft", chat_id=ann.id, draft_id=0, text="x")
    tg.set_topics(on=True)
    topic = ann.topic("Deploys")
    place = {"chat_id": ann.id, "message_thread_id": topic.thread_id}
    await raw.ok("sendMessageDraft", chat_id=ann.id, **draft)
    await raw.ok("sendMessageDraft", **place, **draft)
    assert [(one.id, one.text, one.thread_id) for one in tg.drafts(ann)] == [
        (7, "half a", None), (7, "half a", topic.thread_id),
    ]  # fmt: skip
    await raw.ok("sendMessage", **place, text="all of it")
    assert [one.thread_id for one in tg.drafts(ann)] == [None]
    tg.advance(31)
    assert tg.drafts(ann) == []


async def test_stop_on_a_draft_reaches_a_bot_that_asked_for_it(tg, ann, raw, updates):
    """Only with allowed_updates that name it, and only where the draft has the button; the id comes as a string."""
    await raw.ok("sendMessageDraft", chat_id=ann.id, draft_id=7, text="half a")
    with pytest.raises(LookupError, match="no draft"):
        ann.stop_draft()
    shown = {"chat_id": ann.id, "draft_id": 7, "text": "half a", "can_stop": True}
    await raw.ok("sendMessageDraft", **shown)
    ann.stop_draft()
    assert tg.drafts(ann) == []
    assert await updates() == []
    await raw.ok("getUpdates", allowed_updates=["message", "stopped_message_generation"])
    await raw.ok("sendMessageDraft", **shown)
    status, _ = await raw.control("stop_draft", **{"as": "ann"})
    assert status == 200
    (update,) = await raw.ok("getUpdates", allowed_updates=["message", "stopped_message_generation"])
    assert update["stopped_message_generation"]["draft_id"] == "7"
    assert update["stopped_message_generation"]["chat"]["id"] == ann.id


async def test_drafts_and_chat_actions_have_one_rate(tg, ann, raw):
    """20 of both in 5 seconds, 40 in 30."""
    for number in range(10):
        await raw.ok("sendChatAction", chat_id=ann.id, action="typing")
        await raw.ok("sendMessageDraft", chat_id=ann.id, draft_id=1, text=f"{number}")
    assert "retry after" in await raw.refused("sendMessageDraft", chat_id=ann.id, draft_id=1, text="x")
    tg.advance(6)
    for number in range(20):
        await raw.ok("sendMessageDraft", chat_id=ann.id, draft_id=1, text=f"{number}")
    tg.advance(6)
    status, body = await raw("sendMessageDraft", chat_id=ann.id, draft_id=1, text="x")
    assert status == 429
    assert 10 < body["parameters"]["retry_after"] <= 30
    await raw.ok("sendMessage", chat_id=ann.id, text="messages are counted apart")
