"""Drafts: with `drafts: on` a private chat sees a turn's progress grow, and its own Stop."""

from __future__ import annotations

import itertools

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Stage
from hook_runs import SESSION, Hooks, bound, kept
from hooked_turns import HookedTurn
from wire_host import Host


@pytest.fixture(autouse=True)
def drafts_on(stage: Stage) -> None:
    stage.config(grace_s=0, mode="hook", progress_after_s=0, drafts=True, wait_notice_after_s=0)
    stage.env["CLAUDE_CODE_SESSION_ID"] = SESSION


async def working(stage: Stage, ann: TelegramPerson, **place: int) -> tuple[Host, HookedTurn]:
    """A turn that a message of hers began."""
    host = await stage.reading()
    ann.send("build it", **place)
    await kept(stage)
    turn = HookedTurn(host)
    assert "build it" in await turn.prompt()
    return host, turn


async def test_a_draft_grows_in_place_of_the_status_message(stage: Stage) -> None:
    """In its topic, only ever longer, with Stop; at the end one line. No message and no typing meanwhile."""
    ann = stage.person()
    stage.tg.set_topics(on=True)
    topic = ann.topic("Deploys")
    host, turn = await working(stage, ann, thread_id=topic.thread_id)
    await turn.tool("Bash", "make one")
    await stage.tg.wait_for(lambda: any("make one" in draft.text for draft in stage.tg.drafts(ann)))
    await turn.batch()
    await turn.tool("Bash", "make two")
    await stage.tg.wait_for(lambda: any("make two" in draft.text for draft in stage.tg.drafts(ann)))
    calls = stage.tg.calls_of("sendMessageDraft")
    texts = [call.params["text"] for call in calls if "make" in call.params["text"]]
    assert texts[-1] == "· Bash: make one\n· Bash: make two"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert {call.params["can_stop"] for call in calls} == {True}
    assert {call.params["message_thread_id"] for call in calls} == {topic.thread_id}
    assert len({call.params["draft_id"] for call in calls}) == 1
    assert not stage.tg.calls_of("sendMessage")
    await host.done("reply", chat_id=ann.id, thread_id=topic.thread_id, text="built")
    assert (await ann.next_message())["text"] == "built"
    await turn.hook("StopFailure", error="unknown", words="")
    told = [(await ann.next_message())["text"] for _ in range(2)]
    assert any(text.startswith("⚠️ Failed after") for text in told), told
    assert not stage.tg.calls_of("editMessageText")


async def test_stop_on_a_draft_stops_the_turn(stage: Stage) -> None:
    """As the button under a status message does: what runs is named, nothing further runs, and the chat is told."""
    ann = stage.person()
    _, turn = await working(stage, ann)
    assert "stopped_message_generation" in stage.tg.calls_of("getUpdates")[-1].params["allowed_updates"]
    await turn.tool("Bash", "make")
    await stage.tg.wait_for(lambda: any("make" in draft.text for draft in stage.tg.drafts(ann)))
    ann.stop_draft()
    told = (await ann.next_message())["text"]
    assert told.startswith("⏹ Stopping")
    assert "Bash: make" in told
    frames = len(stage.tg.calls_of("sendMessageDraft"))
    assert (await turn.batch())["continue"] is False
    assert (await ann.next_message())["text"].startswith("⏹ Stopped by ann after")
    assert len(stage.tg.calls_of("sendMessageDraft")) == frames


async def test_no_frame_comes_while_a_card_waits(stage: Stage) -> None:
    """Under a draft some apps lock the button that sends an answer; after it the draft goes on."""
    ann = stage.person()
    with Store.open(stage.state) as store:
        Services.of(store).access.set_approver(str(ann.id), approver=True)
    _, turn = await working(stage, ann)
    await stage.tg.wait_for(lambda: bool(stage.tg.drafts(ann)))
    async with Hooks(stage) as hooks:
        asking = await hooks.start("permission")
        card = await ann.next_message()
        await bound(stage, card)
        assert stage.tg.drafts(ann) == []
        await turn.tool("Bash", "make")
        frames = len(stage.tg.calls_of("sendMessageDraft"))
        assert (await ann.tap(card["message_id"], label="Allow").answered()).text
        await asking.ran()
    await stage.tg.wait_for(lambda: any("make" in draft.text for draft in stage.tg.drafts(ann)))
    assert "make" in stage.tg.calls_of("sendMessageDraft")[frames].params["text"]


async def test_an_error_costs_a_frame_and_never_an_answer(stage: Stage) -> None:
    """A frame that the platform refuses, or that is cut, is left out; the next one comes."""
    ann = stage.person()
    stage.tg.faults.add("error", method="sendMessageDraft", times=1, status=500)
    stage.tg.faults.add("drop_after", method="sendMessageDraft", times=1)
    host, turn = await working(stage, ann)
    for number in range(3):
        await turn.tool("Bash", f"make {number}")
        await stage.tg.wait_for(lambda number=number: len(stage.tg.calls_of("sendMessageDraft")) > number)
    await stage.tg.wait_for(lambda: any("make 2" in draft.text for draft in stage.tg.drafts(ann)))
    await host.done("reply", chat_id=ann.id, text="built")
    assert (await ann.next_message())["text"] == "built"
    assert len(stage.tg.calls_of("sendMessage")) == 1


@pytest.mark.parametrize("version", ["9.2", "9.4"])
async def test_a_server_that_knows_no_drafts_shows_messages(stage: Stage, version: str) -> None:
    """Too old for the method, or for bots without topics: once found out, the status message is as ever."""
    stage.tg.set_version(version)
    ann = stage.person()
    host, turn = await working(stage, ann)
    message = await ann.next_message()
    assert message["text"].startswith("⏳ Working")
    assert len(stage.tg.calls_of("sendMessageDraft")) == 1
    assert "not in drafts" in (await host.status())["reader"]["note"]
    await turn.tool("Bash", "make")
    await bound(stage, message)
    assert "Stopping" in (await ann.tap(message["message_id"], label="Stop").answered()).text


async def test_groups_see_the_status_message(stage: Stage) -> None:
    """Drafts are for private chats."""
    ann = stage.person()
    group = stage.tg.group("Team", members=[ann])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    host = await stage.reading()
    ann.send("@sandbox_bot build it", chat=group)
    await kept(stage)
    await HookedTurn(host).prompt()
    assert (await group.next_message())["text"].startswith("⏳ Working")
    assert not stage.tg.calls_of("sendMessageDraft")


async def test_without_the_setting_nothing_changes(stage: Stage) -> None:
    """No draft is shown, and the update is not asked for."""
    stage.config(grace_s=0, mode="hook", progress_after_s=0)
    ann = stage.person()
    await working(stage, ann)
    assert (await ann.next_message())["text"].startswith("⏳ Working")
    assert not stage.tg.calls_of("sendMessageDraft")
    assert "stopped_message_generation" not in stage.tg.calls_of("getUpdates")[-1].params["allowed_updates"]
