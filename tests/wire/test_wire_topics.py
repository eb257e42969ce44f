"""Telegram's topics: opened by the agent, named after their first words, and what becomes of deleted ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.images import sample_png
from harness import Stage
from hook_runs import SESSION, Hooks, bound, kept
from hooked_turns import HookedTurn

# Everything that appears in a chat by itself; an edit finds its message by its id.
PLACED = ("send", "createForumTopic")


@pytest.fixture
async def hooks(stage: Stage) -> AsyncIterator[Hooks]:
    async with Hooks(stage) as made:
        yield made


@pytest.fixture(autouse=True)
def hook_mode(stage: Stage) -> None:
    stage.config(grace_s=0, mode="hook", progress_after_s=0, answers="forward", wait_notice_after_s=0)
    stage.env["CLAUDE_CODE_SESSION_ID"] = SESSION


def approver(stage: Stage, user_id: int) -> None:
    with Store.open(stage.state) as store:
        Services.of(store).access.set_approver(str(user_id), approver=True)


def threads_of(stage: Stage, chat_id: int) -> dict[str, set[Any]]:
    """The thread ids of the bot's calls in a chat, by method."""
    found: dict[str, set[Any]] = {}
    for call in stage.tg.calls:
        if call.method.startswith(PLACED) and str(call.params.get("chat_id")) == str(chat_id):
            found.setdefault(call.method, set()).add(str(call.params.get("message_thread_id")))
    return found


@pytest.mark.parametrize("kind", ["private", "forum"])
async def test_every_call_of_a_turn_names_its_topic(stage: Stage, hooks: Hooks, kind: str) -> None:
    """Status message, card, grid, files, album, notices, the command's answer and the answer at the end."""
    ann = stage.person()
    approver(stage, ann.id)
    (stage.project / "a.txt").write_text("text")
    for name in ("1.png", "2.png"):
        (stage.project / name).write_bytes(sample_png())
    group, where = None, ann.id
    if kind == "private":
        stage.tg.set_topics(on=True)
        topic = ann.topic("Deploys")
    else:
        stage.tg.set_privacy(on=False)
        group = stage.tg.group("Team", members=[ann], forum=True)
        assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
        topic, where = group.topic("Deploys"), group.id
    inside: dict[str, Any] = {"chat": group, "thread_id": topic.thread_id}
    room = group or ann
    place = {"chat_id": where, "thread_id": topic.thread_id}
    host = await stage.reading()
    ann.send("build it", **inside)
    await kept(stage)
    turn = HookedTurn(host)
    assert "build it" in await turn.prompt()
    assert (await room.next_message())["text"].startswith("⏳ Working")
    await turn.tool("Bash", "make")
    # A card: in a private chat with topics it belongs to the turn's topic.
    asking = await hooks.start("permission")
    card = await ann.next_message()
    assert card.get("message_thread_id") == (topic.thread_id if kind == "private" else None)
    await bound(stage, card)
    assert (await ann.tap(card["message_id"], label="Allow").answered()).text
    await asking.ran()
    ann.send("use tabs", **inside)
    await kept(stage)
    await turn.batch()
    assert "in the middle of its work" in (await room.next_message())["text"]
    files = [str(stage.project / name) for name in ("a.txt", "1.png", "2.png")]
    await host.done("reply", **place, text="here", files=files)
    for _ in range(3):
        await room.next_message()
    await host.done("reply", **place, text="x" * 4096, buttons=[["Yes", "No"]])
    grid = await room.next_message()
    assert (await ann.tap(grid["message_id"], label="Yes", chat=group).answered()).text
    assert "Yes" in (await room.next_message())["text"]
    ann.send("/status", **inside)
    assert (await room.next_message())["text"]
    await turn.batch()
    await host.done("reply", **place, text="done")
    assert (await room.next_message())["text"] == "done"
    assert (await hooks.run("stop")).silent
    ann.send("and then?", **inside)
    await kept(stage)
    await HookedTurn(host).prompt()
    assert (await hooks.run("stop", last_assistant_message="built")).silent
    await stage.tg.wait_for(lambda: any("built" in m.get("text", "") for m in room.messages()))
    used = threads_of(stage, where)
    assert set(used) >= {"sendMessage", "sendDocument", "sendMediaGroup"}
    assert set().union(*used.values()) == {str(topic.thread_id)}, used


async def test_typing_and_wait_notices_name_the_topic(stage: Stage) -> None:
    """Where the host takes pushes: typing from the offer on, and the notice that a message waits."""
    stage.config(grace_s=0, mode="push", wait_notice_after_s=0.5, progress="off")
    ann = stage.person()
    stage.tg.set_topics(on=True)
    topic = ann.topic("Deploys")
    host = await stage.reading()
    ann.send("build it", thread_id=topic.thread_id)
    assert (await host.event()).meta["thread_id"] == str(topic.thread_id)
    assert "message" in (await ann.next_message())["text"]
    await stage.tg.wait_for(lambda: bool(stage.tg.calls_of("sendChatAction")))
    used = threads_of(stage, ann.id)
    assert set(used) == {"sendMessage", "sendChatAction"}
    assert set().union(*used.values()) == {str(topic.thread_id)}


async def test_the_agent_opens_a_topic_by_its_name_once(stage: Stage) -> None:
    """The result names it; the next reply with that name goes into it, also into one that a person named.

    A name that cannot be one sends nothing.
    """
    ann = stage.person()
    stage.tg.set_topics(on=True)
    host = await stage.reading()
    said = await host.done("reply", chat_id=ann.id, text="first", thread_name="Release 4.2")
    first = await ann.next_message()
    assert f"opened the thread 'Release 4.2'; write there with chat_id={ann.id}, thread_id=" in said
    assert ann.dm.topics == {first["message_thread_id"]: "Release 4.2"}
    again = await host.done("reply", chat_id=ann.id, text="second", thread_name=" Release  4.2")
    assert "in the thread 'Release 4.2'" in again
    assert (await ann.next_message())["message_thread_id"] == first["message_thread_id"]
    for wrong, reason in ((" ", "empty"), ("x" * 129, "128 are allowed")):
        assert reason in await host.refused("reply", chat_id=ann.id, text="x", thread_name=wrong)
    both = {"thread_id": first["message_thread_id"], "thread_name": "x"}
    assert "not both" in await host.refused("reply", chat_id=ann.id, text="x", **both)
    key = "key: sk-ant-api03-abcdefghijklmnop"
    # As a person wrote them, and as events show them to the agent.
    names = {"Two  spaces\u00a0x": "Two spaces x", "<b> & co": "‹b› & co", key: key}
    topics = [ann.topic(name) for name in names]
    for topic in topics:
        ann.send("x", thread_id=topic.thread_id)
    await kept(stage, len(topics))
    for topic, shown in zip(topics, names.values(), strict=True):
        assert "in the thread" in await host.done("reply", chat_id=ann.id, text="y", thread_name=shown)
        assert (await ann.next_message())["message_thread_id"] == topic.thread_id
    stage.tg.set_topics(on=False)
    refused = await host.refused("reply", chat_id=ann.id, text="x", thread_name="Other")
    assert "not a forum" in refused
    assert "topics are opened in" in refused
    assert len(stage.tg.calls_of("sendMessage")) == 5


async def test_a_reply_to_a_deleted_topic_arrives_in_the_chat(stage: Stage) -> None:
    """In the same call, whole and once: its first line names the topic, the result says so, its buttons work."""
    ann = stage.person()
    stage.tg.set_topics(on=True)
    topic = ann.topic("Deploys")
    ann.send("hello", thread_id=topic.thread_id)
    host = await stage.reading()
    await stage.tg.wait_for(lambda: stage.tg.confirmed)
    topic.delete()
    text = "**bold** words\n\n" + "y" * 5000
    place = {"chat_id": ann.id, "thread_id": topic.thread_id}
    said = await host.done("reply", **place, text=text, buttons=[["Yes"]])
    assert f"the thread {topic.thread_id} was deleted" in said
    first, middle, last = [await ann.next_message() for _ in range(3)]
    assert first["text"].startswith("For the deleted topic “Deploys”:\n\nbold words")
    bold = next(entity for entity in first["entities"] if entity["type"] == "bold")
    assert first["text"][bold["offset"] : bold["offset"] + bold["length"]] == "bold"
    assert not any("message_thread_id" in message for message in (first, middle, last))
    assert (middle["text"] + last["text"]).count("y") == 5000
    assert (await ann.tap(last["message_id"], label="Yes").answered()).text
    await stage.tg.wait_for(lambda: any("Yes" in m.get("text", "") for m in ann.messages()))
    # By its name it is opened anew.
    await host.done("reply", chat_id=ann.id, text="again", thread_name="Deploys")
    assert (await ann.next_message())["message_thread_id"] in ann.dm.topics


async def test_a_notice_for_a_deleted_topic_arrives_too(stage: Stage) -> None:
    """What people are told of a turn is not lost with its topic."""
    ann = stage.person()
    stage.tg.set_topics(on=True)
    topic = ann.topic("Deploys")
    host = await stage.reading()
    ann.send("build it", thread_id=topic.thread_id)
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    topic.delete()
    await turn.hook("StopFailure", error="rate_limit", words="")
    told = await stage.tg.wait_for(
        lambda: [m["text"] for m in ann.messages() if "usage limit" in m.get("text", "")] or None
    )
    assert told[0].startswith("For the deleted topic “Deploys”:\n\n")


async def test_a_closed_topic_is_told_with_the_right_that_is_missing(stage: Stage) -> None:
    """It is not sent to another place."""
    ann = stage.person()
    group = stage.tg.group("Team", members=[ann], forum=True)
    assert (await stage.access("group", "add", str(group.id))).code == 0
    topic = group.topic("Deploys")
    topic.close()
    host = await stage.reading()
    refused = await host.refused("reply", chat_id=group.id, thread_id=topic.thread_id, text="x")
    assert "the topic is closed" in refused
    assert "Manage Topics" in refused
    refused = await host.refused("reply", chat_id=group.id, text="x", thread_name="Other")
    assert "Manage Topics" in refused


async def test_a_topic_without_a_name_is_named_after_its_first_words(stage: Stage) -> None:
    """Once, without secrets, at a word; never one that a person named, and not by a command or a stranger."""
    ann, eve = stage.person(), stage.tg.person("eve")
    stage.tg.set_topics(on=True)
    await stage.reading()
    eve.start()
    opened = ann.send("/status")["message_thread_id"]
    ann.send("the password: hunter2 is in the config file, please rotate it", thread_id=opened)
    await stage.tg.wait_for(lambda: bool(stage.tg.calls_of("editForumTopic")))
    assert ann.dm.topics[opened] == "the password: [secret] is in the config…"
    ann.send("something else", thread_id=opened)
    named = ann.topic("Mine")
    ann.send("hello there", thread_id=named.thread_id)
    renamed = ann.topic_of(ann.send("/status")["message_thread_id"])
    renamed.rename("Also mine")
    last = ann.send("first words of it", thread_id=renamed.thread_id)
    other = ann.send("short")["message_thread_id"]
    await stage.tg.wait_for(lambda: ann.dm.topics[other] == "short")
    assert last
    assert (named.name, renamed.name) == ("Mine", "Also mine")
    assert len(stage.tg.calls_of("editForumTopic")) == 2
    assert set(eve.dm.topics.values()) == {"New Chat"}


async def test_topics_are_switched_on_when_the_operator_asks(stage: Stage) -> None:
    """`topics: on`; status and doctor say what follows. Nothing is switched without it."""
    ran = await stage.cli("doctor", "telegram", "--json")
    (topics,) = [check for check in ran.json["channels"][0]["checks"] if check["check"] == "topics"]
    assert topics["state"] == "ok"
    host = await stage.reading()
    assert (await host.status())["remark"] is None
    assert not stage.tg.calls_of("setMySettings")
    await host.close()
    stage.config(grace_s=0, topics=True)
    host = await stage.reading()
    assert "begins a new one each time" in (await host.status_when(lambda s: s["remark"]))["remark"]
    assert "begins a new one each time" in (await stage.cli("status", "telegram")).out
    assert stage.tg.state.settings["has_topics_enabled"]
    ran = await stage.cli("doctor", "telegram", "--json")
    (topics,) = [check for check in ran.json["channels"][0]["checks"] if check["check"] == "topics"]
    assert topics["state"] == "note"
    assert len(stage.tg.calls_of("setMySettings")) == 1


async def test_an_older_server_leaves_the_switch_to_botfather(stage: Stage) -> None:
    """Everything else works; status and doctor say what to do."""
    stage.tg.set_version("10.0")
    ann = stage.person()
    stage.config(grace_s=0, topics=True)
    host = await stage.reading()
    assert "@BotFather" in (await host.status_when(lambda s: s["remark"]))["remark"]
    ran = await stage.cli("doctor", "telegram", "--json")
    (topics,) = [check for check in ran.json["channels"][0]["checks"] if check["check"] == "topics"]
    assert (topics["state"], "@BotFather" in topics["next"]) == ("wrong", True)
    await host.done("reply", chat_id=ann.id, text="hello")
    assert (await ann.next_message())["text"] == "hello"
