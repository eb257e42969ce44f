"""The status message of a turn in Telegram's groups and topics."""

from __future__ import annotations

import itertools
import time

import pytest

from agent_channels.core.host.turns import Place, Turn
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.telegram.markup import LIMITS
from harness import Stage
from hook_runs import SESSION, kept
from hooked_turns import HookedTurn


@pytest.fixture(autouse=True)
def hook_mode(stage: Stage) -> None:
    stage.config(grace_s=0, mode="hook", progress_after_s=0)
    stage.env["CLAUDE_CODE_SESSION_ID"] = SESSION


def give_role(stage: Stage, user_id: int) -> None:
    with Store.open(stage.state) as store:
        Services.of(store).access.set_approver(str(user_id), approver=True)


async def test_each_topic_has_its_message_and_the_group_its_pace(stage: Stage) -> None:
    """A turn that works for two topics: one silent message in each, edited no faster than the group's limit allows."""
    ann = stage.person()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann], forum=True)
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    topics = [group.topic(name) for name in ("one", "two")]
    host = await stage.reading()
    for topic in topics:
        ann.send("build it", chat=group, thread_id=topic.thread_id)
    await kept(stage, 2)
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.tool("Bash", "make")
    shown = [await group.next_message() for _ in topics]
    assert {message["message_thread_id"] for message in shown} == {topic.thread_id for topic in topics}
    assert [call.params.get("disable_notification") for call in stage.tg.calls_of("sendMessage")] == [True, True]
    await turn.hook("StopFailure", error="unknown", words="")

    def last_lines() -> bool:
        texts = [m.get("text", "") for m in group.messages() if "reply_markup" not in m]
        return sum(text.startswith("⚠️ Failed after") for text in texts) == 2

    await stage.tg.wait_for(last_lines)
    edits = sorted(call.at for call in stage.tg.calls_of("editMessageText"))
    assert all(later - earlier >= LIMITS.group_edit_every_s for earlier, later in itertools.pairwise(edits))


async def test_in_a_group_approvers_choose(stage: Stage) -> None:
    """/progress is theirs there; with verbose the group sees what was begun at the terminal, without it nothing."""
    ann, bob = stage.person("ann"), stage.person("bob")
    give_role(stage, ann.id)
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    host = await stage.reading()
    bob.send("/progress verbose", chat=group)
    assert "only an approver" in (await group.next_message())["text"]
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.tool("Bash", "make")
    ann.send("/progress verbose", chat=group)
    texts = {(await group.next_message())["text"].partition(" ")[0] for _ in range(2)}
    assert texts == {"Progress", "⏳"}
    # Who may write to the agent there stops it there.
    (message,) = [m for m in group.messages() if "reply_markup" in m]
    tap = bob.tap(message["message_id"], label="Stop", chat=group)
    assert "Stopping" in (await tap.answered()).text
    assert (await turn.batch())["continue"] is False


async def test_somebody_who_was_removed_sees_no_more(stage: Stage) -> None:
    """The status message goes with the access; nothing more is said there."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    message = await ann.next_message()
    assert (await stage.access("remove", str(ann.id))).code == 0
    await turn.step()
    await stage.tg.wait_for(lambda: message["message_id"] not in {m["message_id"] for m in ann.messages()})


async def test_a_message_that_a_person_deleted_is_left_alone(stage: Stage) -> None:
    """It is not sent again in that turn; the next turn has a new one."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    message = await ann.next_message()
    del stage.tg.state.chats[ann.id].messages[message["message_id"]]
    await turn.step("Bash", "one")
    await stage.tg.wait_for(lambda: [c for c in stage.tg.calls_of("editMessageText") if c.response_code == 400])
    ann.send("and this")
    await kept(stage)
    following = HookedTurn(host)
    await following.prompt()
    await following.tool("Bash", "two")
    again = await ann.next_message()
    assert again["text"].startswith("⏳ Working")
    assert again["message_id"] != message["message_id"]


async def test_a_message_that_may_not_have_arrived_is_not_sent_twice(stage: Stage) -> None:
    """The connection is cut after the platform took it: no second one comes, and a tap on its button finds it again."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    stage.tg.faults.add("drop_after", method="sendMessage", times=1)
    turn = HookedTurn(host)
    await turn.prompt()
    message = await ann.next_message()
    await turn.tool("Bash", "make")
    await host.done("reply", chat_id=ann.id, text="on it")
    assert (await ann.next_message())["text"] == "on it"
    tap = ann.tap(message["message_id"], label="Stop")
    assert "Bash: make" in (await tap.answered()).text
    await turn.batch()
    assert "Stopped by" in (await ann.next_message())["text"]
    await stage.tg.wait_for(lambda: not any(m["text"].startswith("⏳") for m in ann.messages()))
    assert sum(m["text"].startswith("⏹ Stopped by") for m in ann.messages()) == 1


async def test_a_host_that_goes_away_is_noticed_in_the_middle(stage: Stage) -> None:
    """Not only at the reader's start: the turn of another session ends some time after its host fell silent."""
    ann = stage.person()
    await stage.reading()
    ann.send("hello")
    await stage.tg.wait_for(lambda: stage.tg.confirmed)
    with Store.open(stage.state) as store:
        Services.of(store).turns.begin(Turn("elsewhere", "another", time.time(), [Place(str(ann.id), None)]))
    message = await ann.next_message()
    assert message["text"].startswith("⏳ Working")
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE turns SET seen_at = seen_at - 600")
    await stage.tg.wait_for(
        lambda: any(m["text"].startswith("⌛ The session ended") for m in ann.messages() if "text" in m)
    )


async def test_a_turn_that_is_back_has_a_message_again(stage: Stage) -> None:
    """It was taken for gone, while the machine slept: the agent's next step shows it anew."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    first = await ann.next_message()
    with Store.open(stage.state) as store:
        with store.transaction() as db:
            db.execute("UPDATE turns SET seen_at = seen_at - 600")
        assert Services.of(store).turns.end_gone("another") == 1
    await stage.tg.wait_for(lambda: any(m.get("text", "").startswith("⌛ The session ended") for m in ann.messages()))
    await turn.tool("Bash", "make")
    again = await ann.next_message()
    assert again["text"].startswith("⏳ Working")
    assert again["message_id"] != first["message_id"]


async def test_a_clock_that_is_set_back_delays_nothing(stage: Stage) -> None:
    """A turn that began in what is now the future has its message at once."""
    ann = stage.person()
    stage.config(progress_after_s=60)
    await stage.reading()
    ann.send("hello")
    await stage.tg.wait_for(lambda: stage.tg.confirmed)
    with Store.open(stage.state) as store:
        Services.of(store).turns.begin(Turn("late", "another", time.time() + 3600, [Place(str(ann.id), None)]))
    assert (await ann.next_message())["text"].startswith("⏳ Working: 0:00")
