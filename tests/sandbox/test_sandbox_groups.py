"""Groups: privacy mode, membership, topics, migration, administrators."""

from __future__ import annotations

import pytest

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

pytestmark = pytest.mark.cold


@pytest.fixture
async def bob(tg: TelegramSandbox):
    return tg.person("bob")


async def test_privacy_mode(tg, raw, ann, updates):
    """In a group the bot gets only commands, mentions of it and replies to it, until privacy mode is off."""
    group = tg.group("Team", members=[ann])
    await updates()
    hello = await raw.ok("sendMessage", chat_id=group.id, text="hello")
    ann.send("just talking", chat=group)
    ann.send("/status", chat=group)
    ann.send("/status@sandbox_bot", chat=group)
    ann.send("/status@other_bot", chat=group)
    ann.send("hey @Sandbox_Bot", chat=group)
    ann.send("hey @other_bot", chat=group)
    ann.send("yes", chat=group, reply_to=hello["message_id"])
    ann.send_photo(caption="@sandbox_bot look", chat=group)
    heard = [update["message"].get("text") or update["message"]["caption"] for update in await updates()]
    assert heard == ["/status", "/status@sandbox_bot", "hey @Sandbox_Bot", "yes", "@sandbox_bot look"]
    assert (await raw.ok("getMe"))["can_read_all_group_messages"] is False
    tg.set_privacy(on=False)
    ann.send("just talking", chat=group)
    assert len(await updates()) == 1
    assert (await raw.ok("getMe"))["can_read_all_group_messages"] is True


async def test_an_administrator_gets_everything(tg, raw, ann, updates):
    """An administrator bot gets all messages, and reactions when it asks for them."""
    group = tg.group("Team", members=[ann])
    await raw.ok("getUpdates", allowed_updates=["message", "message_reaction"])
    await updates()
    message = ann.send("unheard", chat=group)
    ann.react(message["message_id"], "👍", chat=group)
    assert await updates() == []
    group.add_bot(administrator=True)
    ann.send("heard", chat=group)
    ann.react(message["message_id"], "🔥", chat=group)
    text, reaction = await updates()
    assert text["message"]["text"] == "heard"
    assert reaction["message_reaction"]["chat"]["id"] == group.id


async def test_adding_and_kicking_the_bot(tg, raw, ann, updates):
    """The bot is told when it is added or kicked; a kicked bot may not write; a group it never joined is unknown."""
    group = tg.group("Team", kind="group", members=[ann], bot=False)
    assert await raw.refused("sendMessage", chat_id=group.id, text="x") == "Bad Request: chat not found"
    group.add_bot()
    added, service = await updates()
    assert added["my_chat_member"]["new_chat_member"]["status"] == "member"
    assert service["message"]["new_chat_members"][0]["id"] == tg.bot_id
    await raw.ok("sendMessage", chat_id=group.id, text="x")
    group.kick_bot()
    (kicked,) = await updates()
    assert kicked["my_chat_member"]["new_chat_member"]["status"] == "kicked"
    refused = await raw.refused("sendMessage", chat_id=group.id, text="x")
    assert refused == "Forbidden: bot was kicked from the group chat"
    ann.send("/status", chat=group)
    assert await updates() == []


async def test_members(tg, ann, bob):
    """Whoever left a group cannot write there."""
    group = tg.group("Team", members=[ann, bob])
    bob.send("hi", chat=group)
    group.remove(bob)
    with pytest.raises(LookupError, match="not in"):
        bob.send("hi", chat=group)


async def test_topics(tg, raw, ann, updates):
    """Topic messages carry the thread both ways; General's id is refused for text and accepted for typing."""
    group = tg.group("Forum", forum=True, members=[ann])
    topic = group.topic("Deploys")
    opened = (await updates())[-1]["message"]
    assert (opened["message_id"], opened["message_thread_id"]) == (topic.thread_id, topic.thread_id)
    place = {"chat_id": group.id, "message_thread_id": topic.thread_id}
    sent = await raw.ok("sendMessage", **place, text="hi")
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (topic.thread_id, True)
    assert sent["reply_to_message"]["forum_topic_created"]["name"] == "Deploys"
    ann.send("/go", chat=group, thread_id=topic.thread_id)
    ann.send("/go", chat=group, thread_id=1)
    ann.send("yes", chat=group, reply_to=sent["message_id"])
    inside, general, reply = [update["message"] for update in await updates()]
    assert (inside["message_thread_id"], inside["is_topic_message"]) == (topic.thread_id, True)
    assert "message_thread_id" not in general
    assert reply["message_thread_id"] == topic.thread_id
    unknown = "Bad Request: message thread not found"
    for thread in (1, 999):
        assert await raw.refused("sendMessage", chat_id=group.id, message_thread_id=thread, text="x") == unknown
    await raw.ok("sendMessage", chat_id=group.id, text="to General")
    follow = {"message_id": inside["message_id"]}
    follows = await raw.ok("sendMessage", chat_id=group.id, text="follows", reply_parameters=follow)
    assert follows["message_thread_id"] == topic.thread_id
    await raw.ok("sendChatAction", chat_id=group.id, message_thread_id=1, action="typing")
    await raw.ok("sendChatAction", **place, action="typing")
    wrong = await raw.refused("sendChatAction", chat_id=group.id, message_thread_id=999, action="typing")
    assert wrong == unknown
    topic.close()
    assert await raw.refused("sendMessage", **place, text="x") == "Bad Request: TOPIC_CLOSED"
    topic.reopen()
    await raw.ok("sendMessage", **place, text="x")
    with pytest.raises(LookupError, match="no topic"):
        ann.send("x", chat=group, thread_id=999)


async def test_topic_replies_do_not_address_the_bot(tg, ann, updates):
    """Every topic message replies to the topic's opening, which does not count as a reply to the bot."""
    group = tg.group("Forum", forum=True, members=[ann])
    topic = group.topic("Deploys")
    await updates()
    ann.send("just talking", chat=group, thread_id=topic.thread_id)
    assert await updates() == []


async def test_threads_outside_forums(tg, raw, ann):
    """A chat without topics refuses an unknown thread."""
    group = tg.group("Team", members=[ann])
    for chat in (ann.id, group.id):
        refused = await raw.refused("sendMessage", chat_id=chat, message_thread_id=999, text="x")
        assert refused == "Bad Request: message thread not found"
    with pytest.raises(ValueError, match="forum=True"):
        group.topic("x")


async def test_migration(tg, raw, ann, updates):
    """Both groups' service messages name the other id, and the old group refuses calls with the new id."""
    old = tg.group("Team", kind="group", members=[ann])
    await updates()
    new = old.migrate()
    to, since = [update["message"] for update in await updates()]
    assert (to["chat"]["id"], to["migrate_to_chat_id"]) == (old.id, new.id)
    assert (since["chat"]["id"], since["migrate_from_chat_id"]) == (new.id, old.id)
    status, body = await raw("sendMessage", chat_id=old.id, text="x")
    assert status == 400
    assert body["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    assert body["parameters"] == {"migrate_to_chat_id": new.id}
    await raw.ok("sendMessage", chat_id=new.id, text="x")
    ann.send("/status", chat=new)
    assert len(await updates()) == 1
    with pytest.raises(LookupError, match="upgraded"):
        ann.send("x", chat=old)


async def test_rights_in_groups(tg, raw, ann):
    """Only an administrator deletes other people's messages."""
    group = tg.group("Team", members=[ann])
    message = ann.send("/x", chat=group)
    place = {"chat_id": group.id, "message_id": message["message_id"]}
    assert await raw.refused("deleteMessage", **place) == "Bad Request: message can't be deleted"
    group.add_bot(administrator=True)
    await raw.ok("deleteMessage", **place)


async def test_message_ids(tg, raw, ann, bob):
    """Private chats and basic groups share a counter, a supergroup has its own."""
    basic = tg.group("Basic", kind="group", members=[ann])
    own = tg.group("Super", members=[ann, bob])
    ids = [(await raw.ok("sendMessage", chat_id=chat, text="x"))["message_id"] for chat in (ann.id, basic.id, ann.id)]
    assert ids == sorted(set(ids))
    before = (await raw.ok("sendMessage", chat_id=own.id, text="x"))["message_id"]
    await raw.ok("sendMessage", chat_id=ann.id, text="x")
    assert (await raw.ok("sendMessage", chat_id=own.id, text="x"))["message_id"] == before + 1


async def test_next_message_and_taps_in_groups(tg, raw, ann, bob):
    """A group's messages can be waited for, and any member may tap."""
    group = tg.group("Team", members=[ann, bob])
    keys = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    await raw.ok("sendMessage", chat_id=group.id, text="?", reply_markup=keys)
    message = await group.next_message()
    tap = bob.tap(message["message_id"], label="Yes", chat=group)
    await raw.ok("answerCallbackQuery", callback_query_id=tap.id)
    assert (await tap.answered()).text == ""
    assert tg.messages(group)[-1]["message_id"] == message["message_id"]


def test_wrong_hosts_and_tokens_are_refused():
    """Another host than loopback and a malformed token are refused."""
    with pytest.raises(ValueError, match="loopback"):
        TelegramSandbox(host="0.0.0.0")  # noqa: S104
    with pytest.raises(ValueError, match="token"):
        TelegramSandbox(token="123:short")


async def test_posts_of_a_channel_name_no_person(tg, raw, ann, bob, updates):
    """They come as channel_post and are the channel's; only its owner posts, and the bot is an administrator."""
    channel = tg.group("News", "channel", members=[ann, bob])
    (added,) = await updates()
    assert added["my_chat_member"]["new_chat_member"]["status"] == "administrator"
    post = ann.send("red", chat=channel)
    ann.send("and again", chat=channel, reply_to=post["message_id"])
    ann.edit(post["message_id"], "green", chat=channel)
    first, second, edit = await updates()
    assert first["channel_post"]["sender_chat"] == {"id": channel.id, "type": "channel", "title": "News"}
    assert "from" not in first["channel_post"]
    assert "from" not in second["channel_post"]["reply_to_message"]
    assert edit["edited_channel_post"]["text"] == "green"
    with pytest.raises(LookupError, match="only reads"):
        bob.send("me too", chat=channel)
    assert (await raw.ok("sendMessage", chat_id=channel.id, text="seen"))["chat"]["type"] == "channel"
    assert await updates() == []
