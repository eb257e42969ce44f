"""Discord's threads: opened by the agent in channels and forums, archived, locked and deleted ones."""

from __future__ import annotations

import re

from harness import DiscordStage

EVERYBODY = "--no-mention"


async def test_the_agent_opens_a_thread_by_its_name_once(stage: DiscordStage) -> None:
    """Its id is the chat to write to; people answer there under the rule of the channel; a forum gets a post."""
    ann = stage.person()
    guild = stage.dc.guild("Team", members=[ann])
    room, forum = guild.channel("work"), guild.forum("ideas")
    for place in (room, forum):
        assert (await stage.access("group", "add", str(place.id), EVERYBODY)).code == 0
    host = await stage.reading()
    for place in (room, forum):
        said = await host.done("reply", chat_id=place.id, text="first", thread_name="Release 4.2")
        found = re.search(r"opened the thread 'Release 4.2'; write there with chat_id=(\d+)", said)
        assert found, said
        thread = stage.dc.state.channels[int(found[1])]
        assert (thread.name, thread.parent) == ("Release 4.2", place.record)
        assert [m["content"] for m in thread.messages.values()][-1] == "first"
        again = await host.done("reply", chat_id=place.id, text="second", thread_name="Release 4.2")
        assert f"in the thread 'Release 4.2'; write there with chat_id={thread.id}" in again
        await host.done("reply", chat_id=str(thread.id), text="third")
    refused = await host.refused("reply", chat_id=room.id, text="x", thread_name="x" * 101)
    assert "100 are allowed" in refused
    refused = await host.refused("reply", chat_id=str(thread.id), text="x", thread_name="nested")
    assert "not in a thread" in refused


async def test_archived_locked_and_deleted_threads(stage: DiscordStage) -> None:
    """Writing reopens an archived one; of a locked one the missing permission is told; a deleted one's goes above."""
    ann = stage.person()
    guild = stage.dc.guild("Team", members=[ann])
    room = guild.channel("work")
    assert (await stage.access("group", "add", str(room.id), EVERYBODY)).code == 0
    thread = room.thread("Deploys", by=ann)
    host = await stage.reading()
    ann.send("hello", channel=thread)
    await host.event()
    thread.archive()
    await host.done("reply", chat_id=thread.id, text="opens it")
    assert not thread.record.archived
    thread.archive(locked=True)
    assert "Manage Threads" in await host.refused("reply", chat_id=thread.id, text="x")
    thread.delete()
    said = await host.done("reply", chat_id=thread.id, text="Ship?\n\n" + "x" * 2500, buttons=[["Yes"]])
    assert f"the thread {thread.id} was deleted" in said
    assert f"chat_id={room.id}" in said
    first, _, last = [await room.next_message() for _ in range(3)]
    assert first["content"].startswith("For the deleted topic “Deploys”:\n\nShip?")
    ann.tap(last["id"], label="Yes")
    event = await host.event()
    assert (event.meta["button_label"], event.meta["chat_id"]) == ("Yes", str(room.id))


async def test_no_thread_in_a_direct_chat(stage: DiscordStage) -> None:
    """The refusal says where threads can be."""
    ann = stage.person()
    host = await stage.reading()
    refused = await host.refused("reply", chat_id=ann.id, text="x", thread_name="Deploys")
    assert "text channels and forums" in refused
