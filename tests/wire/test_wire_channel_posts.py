"""Telegram's channels: posts of those that the operator enabled are heard, and the agent answers there."""

from __future__ import annotations

from typing import Any

import pytest

from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Stage


@pytest.fixture
async def news(stage: Stage) -> tuple[TelegramPerson, TelegramGroup]:
    """An enabled channel and its owner."""
    ann = stage.person()
    channel = stage.tg.group("News", kind="channel", members=[ann])
    assert (await stage.access("group", "add", str(channel.id))).code == 0
    return ann, channel


async def test_posts_edits_albums_and_replies_are_heard(
    stage: Stage, news: tuple[TelegramPerson, TelegramGroup]
) -> None:
    """Each as one event from the channel, signed or not; the agent's answer stands in the channel."""
    ann, channel = news
    host = await stage.reading()
    post = ann.send("Release 4.2 is out", chat=channel)
    event = await host.event()
    assert (event.content, event.meta["user"], event.meta["user_id"]) == (
        "Release 4.2 is out", "News", str(channel.id),
    )  # fmt: skip
    ann.edit(post["message_id"], "Release 4.3 is out", chat=channel)
    event = await host.event()
    assert (event.content, event.meta["edited"], event.meta["message_id"]) == (
        "Release 4.3 is out", "true", str(post["message_id"]),
    )  # fmt: skip
    ann.send_album([None, None], chat=channel, caption="pictures")
    event = await host.event()
    assert event.meta["attachment_count"] == "2"
    ann.send("as said here", chat=channel, reply_to=post["message_id"])
    event = await host.event()
    assert (event.meta["reply_to_message_id"], event.meta["reply_to_text"]) == (
        str(post["message_id"]), "Release 4.3 is out",
    )  # fmt: skip
    ann.send_content({"text": "signed", "author_signature": "Ann"}, chat=channel)
    assert (await host.event()).content == "signed"
    said = await host.done("reply", chat_id=channel.id, text="Thank you", buttons=[["Undo"]])
    assert "sent (id: " in said
    answer = await channel.next_message()
    assert answer["text"] == "Thank you"
    tap = ann.tap(answer["message_id"], label="Undo", chat=channel)
    assert "Undo" in (await tap.answered()).text
    assert (await host.event()).meta["button_label"] == "Undo"


async def test_no_other_channel_is_heard(stage: Stage, news: tuple[TelegramPerson, TelegramGroup]) -> None:
    """Whoever adds the bot to a channel of theirs reaches nobody, and the agent cannot write there."""
    ann, channel = news
    eve = stage.tg.person("eve")
    other = stage.tg.group("Spam", kind="channel", members=[eve])
    host = await stage.reading()
    eve.send("buy this", chat=other)
    eve.send("@sandbox_bot buy this", chat=other)
    ann.send("last", chat=channel)
    assert (await host.event()).content == "last"
    assert "is not allowed" in await host.refused("reply", chat_id=other.id, text="x")
    assert other.messages()[-1]["text"] == "@sandbox_bot buy this"


def copied(channel: TelegramGroup, post: dict[str, Any]) -> dict[str, Any]:
    """A post as Telegram forwards it into the group that is linked to its channel."""
    origin = {"type": "channel", "chat": channel.chat.as_dict(), "message_id": post["message_id"], "date": post["date"]}
    sender = {"sender_chat": channel.chat.as_dict(), "is_automatic_forward": True}
    return {"text": post["text"], **sender, "forward_origin": origin}


async def test_a_post_is_heard_once_with_its_discussion_group(
    stage: Stage, news: tuple[TelegramPerson, TelegramGroup]
) -> None:
    """Telegram forwards each post into the linked group: the copy is no second event, comments on it are.

    Where the channel is not heard itself, the copy is what is heard of it.
    """
    ann, channel = news
    bob = stage.person("bob")
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Discussion", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    host = await stage.reading()
    post = ann.send("Release 4.2 is out", chat=channel)
    assert (await host.event()).meta["chat_id"] == str(channel.id)
    copy = ann.send_content(copied(channel, post), chat=group)
    bob.send("at last", chat=group, reply_to=copy["message_id"])
    event = await host.event()
    assert (event.content, event.meta["reply_to_text"]) == ("at last", "Release 4.2 is out")
    second = ann.send("And 4.3", chat=channel)
    assert (await host.event()).content == "And 4.3"
    ann.send_content(copied(channel, second), chat=group)
    assert (await stage.access("group", "rm", str(channel.id))).code == 0
    # A forward is held back for a comment on it, so those before it would come before it.
    ann.send_content(copied(channel, {**second, "text": "And 4.4"}), chat=group)
    event = await host.event()
    assert (event.content, event.meta["chat_id"]) == ("And 4.4", str(group.id))
    assert len(host.events) == 4
