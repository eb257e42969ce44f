"""The chats as the page draws them: plain values, made of messages as the platforms have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent_channels.sandbox.page import discord_view, telegram_view
from agent_channels.sandbox.page.actions import PageActions
from agent_channels.sandbox.page.lifecycle import MessageLifecycles
from agent_channels.sandbox.page.scene import Scene, SceneChat

pytestmark = pytest.mark.cold


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path, "10.5")
    await made.start()
    yield made
    await made.aclose()


def chat_of(scene: Scene, title: str, platform: str) -> SceneChat:
    return next(chat for chat in scene.chats if (chat.title, chat.platform) == (title, platform))


def telegram(scene: Scene, title: str) -> dict[str, Any]:
    return telegram_view.chat_view(scene.tg, chat_of(scene, title, "telegram"))


async def test_topics_of_telegram(scene: Scene) -> None:
    """Topics have their newest name, colour and state; messages say theirs; a topic's root is not a quoted reply."""
    tg = scene.tg
    forum = tg.directory.find_group("Projects")
    assert forum
    topic = forum.topic("Deploys")
    tg.people["ann"].send("general", chat=forum)
    tg.people["ann"].send("in it", chat=forum, thread_id=topic.thread_id)
    place = {"message_thread_id": topic.thread_id, "is_topic_message": True}
    tg.state.post(forum.chat, tg.state.bot, {**place, "forum_topic_edited": {"name": "Releases"}})
    topic.close()
    view = telegram(scene, "Projects")
    general, website, last = view["topics"]["list"]
    assert (general["id"], general["name"], website["closed"]) == ("1", "General", False)
    assert last == {"id": str(topic.thread_id), "name": "Releases", "color": 7322096, "closed": True}
    assert view["topics"]["creates"] == "topic"
    said = {message["text"]: message for message in view["messages"]}
    assert (said["general"]["topic"], said["in it"]["topic"]) == ("1", str(topic.thread_id))
    assert "reply" not in said["in it"]
    assert telegram(scene, "Release team")["topics"] is None
    assert telegram(scene, "Ann")["topics"] is None


async def test_messages_for_one_person(scene: Scene) -> None:
    """What only one person sees names them, has an id of its own, and stands at its time."""
    tg = scene.tg
    team = tg.directory.find_group("Release team")
    assert team
    ann, bot = tg.people["ann"].user.as_dict(), tg.state.bot.as_dict()
    both = ({"from": bot, "receiver_user": ann}, {"from": ann, "receiver_user": bot})
    for number, sides in enumerate(both, 1):
        message = {"message_id": 0, "ephemeral_message_id": number, "date": 1, "text": "psst", **sides}
        kept = SimpleNamespace(chat_id=team.id, message=message)
        vars(tg.state).setdefault("ephemerals", {})[number] = kept
    tg.people["ben"].send("later", chat=team)
    messages = telegram(scene, "Release team")["messages"]
    assert [(one["id"], one["only"]) for one in messages if one["text"] == "psst"] == [("e1", "ann"), ("e2", "ann")]
    assert messages[-1]["text"] == "later"
    assert "psst" not in str(telegram(scene, "Ann"))


async def test_buttons_and_quoted_blocks(scene: Scene) -> None:
    """Copying, disabled and forced-reply buttons are told apart; a quoted rich message is its words in one line."""
    tg = scene.tg
    ann = tg.people["ann"]
    rich = {
        "type": "list",
        "items": [{"blocks": [{"type": "paragraph", "text": ["ru", {"type": "bold", "text": "n"}]}]}],
    }
    sent = ann.send_rich([{"type": "heading", "size": 1, "text": "Plan"}, rich])
    keys = [{"text": "C", "copy_text": {"text": "x"}}, {"text": "D", "disabled": {}}]
    markup = {"inline_keyboard": [keys], "force_reply": True}
    tg.state.post(ann.dm, tg.state.bot, {"text": "?", "reply_markup": markup, "reply_to_message": sent})
    rich_message, question = telegram(scene, "Ann")["messages"]
    assert rich_message["rich"]["blocks"][1] == rich
    assert question["reply"]["text"] == "Plan run"
    assert question["force_reply"]
    assert [(key["copy"], key["disabled"]) for key in question["grid"][0]] == [("x", False), (None, True)]


async def test_threads_of_discord(scene: Scene) -> None:
    """Threads are the channel's topics; their first message is the one that they were made of; typing says where."""
    dc = scene.dc
    channel = dc.directory.find_channel("general")
    assert channel
    ben = dc.people["ben"]
    sent = ben.send("a bug", channel=channel)
    thread = channel.thread("Bug", by=ben, message=sent)
    other = channel.thread("Other", by=ben)
    other.archive(locked=True)
    dc.state.start_typing(thread.record, dc.state.bot)
    view = discord_view.chat_view(dc, chat_of(scene, "#general", "discord"))
    assert [(one["name"], one["closed"], one["archived"]) for one in view["topics"]["list"]] == [
        ("Bug", False, False),
        ("Other", True, True),
    ]
    bug, other_id = str(thread.id), str(other.id)
    assert [(one["text"], one["topic"]) for one in view["messages"] if not one["service"]] == [
        ("a bug", ""),
        ("a bug", bug),
    ]
    assert [one["opens"] for one in view["messages"] if one.get("opens")] == [
        {"id": bug, "name": "Bug"},
        {"id": other_id, "name": "Other"},
    ]
    assert view["typing"] == [bug]
    ben.state.delete(channel.record, int(sent["id"]))
    view = discord_view.chat_view(dc, chat_of(scene, "#general", "discord"))
    assert "The message of this thread is gone." in [one["service"] for one in view["messages"]]


async def test_actions_stay_in_their_chat(scene: Scene) -> None:
    """A thread of another channel, or something that is none, is refused with the reason."""
    dc = scene.dc
    elsewhere = next(iter(dc.guilds.values())).channel("elsewhere").thread("There", by=dc.people["ann"])
    place = chat_of(scene, "#general", "discord").key
    lifecycles = MessageLifecycles(scene, lambda _channel, _at: None)
    actions = PageActions(scene, lifecycles)
    for thread in (str(elsewhere.id), str(dc.people["ben"].dm.id), "x", "1" * 40):
        body = {"place": place, "as": "ann", "text": "x", "thread_id": thread}
        with pytest.raises(LookupError, match="no thread"):
            await actions.act("discord/send", body)
    lifecycles.close()


async def test_what_a_server_elsewhere_has_read_says_so(scene: Scene) -> None:
    """One that `channels setup` made in a folder of one's own: its journal is there, but Telegram knows it has read."""
    lifecycles = MessageLifecycles(scene, lambda _channel, _at: None)
    actions = PageActions(scene, lifecycles)
    place = next(chat.key for chat in scene.chats if chat.chat == "ann" and chat.platform == "telegram")
    for text in ("one", "two"):
        await actions.act("telegram/send", {"place": place, "as": "ann", "text": text})
    assert [life["state"] for life in lifecycles.as_list()] == ["waiting", "waiting"]
    updates = scene.tg.state.updates
    await updates.get(updates.latest, 100, 0, None)
    place = next(chat.key for chat in scene.chats if chat.chat == "ann" and chat.platform == "discord")
    await actions.act("discord/send", {"place": place, "as": "ann", "text": "three"})
    assert [(life["what"], life["state"]) for life in lifecycles.as_list()] == [
        ("one", "elsewhere"),
        ("two", "waiting"),
        ("three", "waiting"),
    ]
    lifecycles.close()
