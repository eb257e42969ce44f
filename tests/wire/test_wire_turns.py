"""One turn in a person's hand: what the host's hooks tell the server, and what it answers them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator

import pytest

from agent_channels.core.host.hook_call import EVENTS
from agent_channels.core.host.turns import Place, Turn
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from faults_harness import inbox_states
from harness import Stage, is_closed
from hook_runs import SESSION, Hooks, kept
from hooked_turns import HookedTurn
from inbox_socket import blocks_in
from wire_host import eventually


@pytest.fixture
async def hooks(stage: Stage) -> AsyncIterator[Hooks]:
    """Command hooks of the same session."""
    async with Hooks(stage) as made:
        yield made


@pytest.fixture(autouse=True)
def hook_mode(stage: Stage) -> None:
    stage.config(grace_s=0, mode="hook", progress="off")
    stage.env["CLAUDE_CODE_SESSION_ID"] = SESSION


def turns(stage: Stage) -> list[Turn]:
    """Every turn, oldest first, as the store has them."""
    with Store.open(stage.state) as store:
        service = Services.of(store).turns
        ids = [row["id"] for row in store.rows("SELECT id FROM turns ORDER BY began_at")]
        return [turn for turn_id in ids if (turn := service.get(turn_id))]


async def test_the_hook_tool_is_hidden_and_answers(stage: Stage) -> None:
    """It is not in tools/list; every event gets an answer that is no error, also nonsense."""
    host = await stage.reading()
    listed = await host.ask("tools/list")
    assert "hook" not in {tool["name"] for tool in listed["result"]["tools"]}
    turn = HookedTurn(host)
    for event in (*EVENTS, "Unknown", ""):
        assert await turn.hook(event) == {}
    for arguments in (
        {},
        {"event": 7},
        {"event": ["PreToolUse"]},
        {"event": "PreToolUse", "tool": {"a": 1}, "turn": None},
    ):
        response = await host.ask("tools/call", {"name": "hook", "arguments": arguments})
        assert response["result"]["content"] == [{"type": "text", "text": "{}"}]


async def test_a_message_in_the_middle_reaches_the_agent_with_the_next_results(stage: Stage) -> None:
    """Steering: at the end of the batch the message is added, once; the person is told so in words, once a turn."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    assert await turn.prompt() == ""
    assert await turn.step() == ""
    ann.send("use tabs")
    await kept(stage)
    (block,) = blocks_in(await turn.step())
    assert block.content == "use tabs"
    assert await turn.step() == ""
    assert "in the middle of its work" in (await ann.next_message())["text"]
    ann.send("no, spaces")
    await kept(stage)
    assert "no, spaces" in await turn.step()
    await host.done("reply", chat_id=ann.id, text="spaces it is")
    assert (await ann.next_message())["text"] == "spaces it is"
    assert inbox_states(stage.state) == {"answered": 2}


async def test_stop_ends_the_turn_before_any_further_tool(stage: Stage) -> None:
    """/stop: what runs is named at once, further tools are denied, the batch ends the turn, and the chat is told."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    ann.send("build it")
    await kept(stage)
    assert "build it" in await turn.prompt()
    assert await turn.tool("Bash", "make all") == {}
    ann.send("/stop")
    asked = (await ann.next_message())["text"]
    assert "ends at its next step" in asked
    assert "Bash: make all" in asked
    ann.send("/stop")
    assert "Already being stopped by" in (await ann.next_message())["text"]
    denied = await turn.tool("Write", "a.txt")
    assert denied["continue"] is False
    assert denied["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert (await ann.next_message())["text"].startswith("⏹ Stopped by")
    # What was called at the same time, and what a subagent still does.
    for fields in ({}, {"agent": "sub-1"}):
        again = await turn.tool("Bash", "make more", **fields)
        assert (again["continue"], again["hookSpecificOutput"]["permissionDecision"]) == (False, "deny")
    assert (await turn.batch())["continue"] is False
    # The message, and the two commands.
    assert inbox_states(stage.state) == {"answered": 3}
    assert [one.ending for one in turns(stage)] == ["stopped"]
    # Nothing of it is left over for the next turn.
    following = HookedTurn(host)
    assert await following.prompt() == ""
    assert await following.step() == ""
    ann.send("/stop")
    assert "isn't working on anything for this chat" in (await ann.next_message())["text"]


async def test_a_stop_that_comes_too_late_does_nothing(stage: Stage, hooks: Hooks) -> None:
    """A turn that has ended is not stopped, and neither is the one after it."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    ann.send("quick")
    await kept(stage)
    assert "quick" in await turn.prompt()
    await host.done("reply", chat_id=ann.id, text="done")
    await ann.next_message()
    assert (await hooks.run("stop")).silent
    (ended,) = turns(stage)
    assert ended.ending == "done"
    with Store.open(stage.state) as store:
        assert not Services.of(store).turns.request_stop(ended.id, "ann")
    following = HookedTurn(host)
    assert await following.prompt() == ""
    assert await following.step() == ""


async def test_an_answer_given_at_the_terminal_is_sent_once(stage: Stage, hooks: Hooks) -> None:
    """A turn of a chat that ends without any of our tools: its last words are sent, marked, and count as the answer."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    ann.send("how many?")
    await kept(stage)
    assert "how many?" in await turn.prompt()
    assert await turn.step() == ""
    assert (await hooks.run("stop", last_assistant_message="It is **42**.")).silent
    text = (await ann.next_message())["text"]
    assert text == "💻 Said at the terminal:\n\nIt is 42."
    assert inbox_states(stage.state) == {"answered": 1}
    # A turn of nobody's, and one that replied, send nothing more.
    quiet = HookedTurn(host)
    await quiet.prompt()
    assert (await hooks.run("stop", last_assistant_message="for the terminal")).silent
    replied = HookedTurn(host)
    ann.send("and now?")
    await kept(stage)
    assert "and now?" in await replied.prompt()
    await host.done("reply", chat_id=ann.id, text="43")
    assert (await ann.next_message())["text"] == "43"
    assert (await hooks.run("stop", last_assistant_message="I said 43.")).silent
    ann.send("/status")
    assert "Every message has been answered" in (await ann.next_message())["text"]


async def test_a_failure_is_told_in_words_and_the_message_stays_open(stage: Stage) -> None:
    """StopFailure: the chats of the turn are told why, with the host's own words; nothing counts as answered."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    ann.send("go")
    await kept(stage)
    assert "go" in await turn.prompt()
    await turn.hook("StopFailure", error="rate_limit", words="Your limit resets at 3pm. token=abcdefgh1234")
    text = (await ann.next_message())["text"]
    assert "usage limit" in text
    assert "resets at 3pm" in text
    assert "abcdefgh" not in text
    assert inbox_states(stage.state) == {"offered": 1}
    # It comes again with the next prompt.
    assert "go" in await HookedTurn(host).prompt()


async def test_the_row_says_what_the_agent_does(stage: Stage) -> None:
    """Steps, what runs, changed files and the plan are in the store, with secrets masked, for every process to say."""
    host = await stage.reading()
    ann = stage.person()
    turn = HookedTurn(host)
    ann.send("ship it")
    await kept(stage)
    await turn.prompt()
    await turn.step("Edit", str(stage.project / "src/a.py"), file=str(stage.project / "src/a.py"))
    await turn.hook("TaskCreated", task="1", words="Write tests")
    await turn.hook("TaskCompleted", task="1", words="")
    await turn.tool("Bash", "export TOKEN=ghp_abcdefghijklmnopqrstuvwxyz0123456789 && make")
    await eventually(lambda: turns(stage)[0].detail.steps == 2, "the second step")
    (row,) = turns(stage)
    assert row.places == [Place(str(ann.id), None)]
    assert row.detail.recent == ["Edit: src/a.py"]
    assert [step.words for step in row.detail.running] == ["Bash: export TOKEN=[secret] && make"]
    assert len(row.detail.files) == 1
    assert row.detail.plan == [("task 1", "Write tests", True)]


async def test_a_new_server_goes_on_with_the_turn(stage: Stage) -> None:
    """The server is killed in the middle: the next one knows the turn, and a stop asked for meanwhile is obeyed."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    ann.send("long work")
    await kept(stage)
    assert "long work" in await turn.prompt()
    await turn.step()
    ann.send("/stop")
    assert "ends at its next step" in (await ann.next_message())["text"]
    await host.kill()
    again = HookedTurn(await stage.reading(), turn.id)
    assert (await again.tool())["continue"] is False
    assert (await ann.next_message())["text"].startswith("⏹ Stopped by")


async def test_in_a_group_the_answer_is_offered_first(stage: Stage, hooks: Hooks) -> None:
    """A card with Send and Don't; only what somebody wants is sent, once, into the topic that had asked."""
    ann = stage.person()
    group = stage.tg.group("Team", members=[ann])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    host = await stage.reading()
    for number, label in enumerate(("Send it here", "Don't")):
        turn = HookedTurn(host)
        ann.send(f"@sandbox_bot question {number}", chat=group)
        await kept(stage)
        assert f"question {number}" in await turn.prompt()
        assert (await hooks.run("stop", last_assistant_message=f"answer {number}")).silent
        card = await group.next_message()
        assert card["text"] == "💻 The agent answered at the terminal, but not here."
        tap = ann.tap(card["message_id"], label=label, chat=group)
        assert (await tap.answered()).text == label
        if not number:
            assert (await group.next_message())["text"] == "💻 Said at the terminal:\n\nanswer 0"
    ann.send("/status", chat=group)
    assert "Connected as" in (await group.next_message())["text"]
    assert inbox_states(stage.state)["offered"] == 1


async def test_an_agent_that_waits_again_is_done(stage: Stage) -> None:
    """In a listening session the work for a message ends with the next wait, and the next message begins another."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    await turn.prompt("listen")
    for number in range(2):
        ann.send(f"task {number}")
        await kept(stage)
        await turn.tool("mcp__telegram__wait_for_messages")
        assert f"task {number}" in await host.done("wait_for_messages", timeout_s=0)
        await turn.batch()
        await turn.step("Bash", f"work {number}")
        await host.done("reply", chat_id=ann.id, text=f"done {number}")
    await turn.tool("mcp__telegram__wait_for_messages")
    ended = turns(stage)
    assert [one.ending for one in ended] == ["done", "done", "done"]
    assert [len(one.places) for one in ended] == [0, 1, 1]
    assert [one.detail.steps for one in ended] == [0, 1, 1]


async def test_a_dialog_at_the_terminal_is_told_once(stage: Stage) -> None:
    """A dialog that no card covers: the approver and the turn's chats are told, once."""
    ann, bob = stage.person(), stage.person("bob")
    assert (await stage.access("approver", "add", str(bob.id))).code == 0
    bob.send("hi")
    host = await stage.reading()
    await kept(stage)
    turn = HookedTurn(host)
    ann.send("go")
    await kept(stage, 2)
    await turn.prompt()
    for _ in range(2):
        await turn.hook("Notification", kind="permission_prompt", words="Claude needs your permission to use Bash")
    text = "⏸ The agent is waiting for somebody at the terminal: Claude needs your permission to use Bash"
    assert (await ann.next_message())["text"] == text
    assert (await bob.next_message())["text"] == text
    ann.send("/stop")
    assert "ends at its next step" in (await ann.next_message())["text"]


async def test_an_approver_stops_what_began_at_the_terminal(stage: Stage) -> None:
    """A turn of no chat: an approver's /stop in their direct chat ends it, anybody else's does not."""
    ann, bob = stage.person(), stage.person("bob")
    assert (await stage.access("approver", "add", str(bob.id))).code == 0
    host = await stage.reading()
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.step()
    ann.send("/stop")
    assert "isn't working on anything for this chat" in (await ann.next_message())["text"]
    assert await turn.step() == ""
    bob.send("/stop")
    assert "ends at its next step" in (await bob.next_message())["text"]
    assert (await turn.tool())["continue"] is False


async def test_a_prompt_in_the_middle_is_of_the_same_turn(stage: Stage) -> None:
    """What was typed or posted while the agent works comes as a prompt with the turn's own id: nothing begins anew."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    ann.send("build it")
    await kept(stage)
    assert "build it" in await turn.prompt()
    await turn.step()
    assert await turn.prompt("and be quick") == ""
    await turn.step()
    await eventually(lambda: turns(stage)[0].detail.steps == 2, "the second step")
    (one,) = turns(stage)
    assert (one.places, one.ended_at) == ([Place(str(ann.id), None)], None)
    ann.send("/stop")
    assert "ends at its next step" in (await ann.next_message())["text"]
    assert (await turn.tool())["continue"] is False


async def test_a_stop_answers_the_card_that_waits(stage: Stage, hooks: Hooks) -> None:
    """A permission that is asked for is denied at once, on its card too, and one asked for later is not even shown."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    turn = HookedTurn(host)
    ann.send("publish it")
    await kept(stage)
    assert "publish it" in await turn.prompt()
    assert await turn.tool("Bash", "git push") == {}
    asking = await hooks.start("permission")
    card = await ann.next_message()
    assert "permission" in card["text"]
    ann.send("/stop")
    ran = await asking.ran()
    decision = ran.specific["decision"]
    assert decision == {"behavior": "deny", "message": "Stopped from the chat by ann."}
    await stage.tg.wait_for(lambda: next(is_closed(m) for m in ann.messages() if m["message_id"] == card["message_id"]))
    later = await hooks.run("permission")
    assert later.specific["decision"]["behavior"] == "deny"
    assert (await turn.batch())["continue"] is False
    assert sum("permission: " in message["text"] for message in ann.messages()) == 1


async def test_a_prompt_in_the_middle_of_a_turn_that_went_on(stage: Stage, hooks: Hooks) -> None:
    """A turn that began with messages handed over at the end of another has that one's id at the host."""
    ann = stage.person()
    host = await stage.reading()
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.step()
    ann.send("build it")
    await kept(stage)
    assert "build it" in (await hooks.run("stop")).specific["additionalContext"]
    await turn.step()
    await turn.prompt("with tabs")
    ann.send("/stop")
    assert "ends at its next step" in (await ann.next_message())["text"]
    await turn.prompt("quickly")
    assert (await turn.tool())["continue"] is False
    assert [one.ending for one in turns(stage)] == ["done", "stopped"]


async def test_fetching_what_came_with_the_prompt_does_not_end_its_turn(stage: Stage, hooks: Hooks) -> None:
    """A bell has the agent call wait_for_messages, and the prompt brought the messages: both are one turn."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    assert "build it" in await turn.prompt("1 message(s) from people wait: call wait_for_messages (timeout_s 0)")
    assert await turn.tool("mcp__telegram__wait_for_messages") == {}
    assert "No messages" in await host.done("wait_for_messages", timeout_s=0)
    await turn.batch()
    await turn.step("Bash", "make")
    assert (await hooks.run("stop", last_assistant_message="built")).silent
    assert (await ann.next_message())["text"] == "💻 Said at the terminal:\n\nbuilt"
    assert [(one.ending, len(one.places)) for one in turns(stage)] == [("done", 1)]


async def test_an_agent_that_is_stopped_does_not_wait_either(stage: Stage) -> None:
    """Waiting for messages would end the turn, and with it the stop."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.step()
    ann.send("/stop")
    assert "ends at its next step" in (await ann.next_message())["text"]
    assert (await turn.tool("mcp__telegram__wait_for_messages"))["continue"] is False
    assert (await ann.next_message())["text"].startswith("⏹ Stopped by")


async def test_a_stop_is_obeyed_while_the_store_is_locked(stage: Stage) -> None:
    """Another process writes for long: the tool is denied well before the host gives up on its hook."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    ann.send("/stop")
    assert "ends at its next step" in (await ann.next_message())["text"]
    other = sqlite3.connect(stage.state / "channel.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    denied = await turn.tool()
    other.execute("ROLLBACK")
    other.close()
    assert denied["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert (await turn.batch())["continue"] is False
    assert (await ann.next_message())["text"].startswith("⏹ Stopped by")
    assert [one.ending for one in turns(stage)] == ["stopped"]


async def test_somebody_who_was_removed_is_told_nothing(stage: Stage, hooks: Hooks) -> None:
    """Failures, dialogs and what was said at the terminal go to chats that are still let in."""
    ann, bob = stage.person(), stage.person("bob")
    group = stage.tg.group("Team", members=[ann])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    host = await stage.reading()
    for person, chat in ((ann, None), (ann, group), (bob, None)):
        person.send("@sandbox_bot build it", chat=chat)
    await kept(stage, 3)
    turn = HookedTurn(host)
    await turn.prompt()
    assert (await stage.access("remove", str(ann.id))).code == 0
    assert (await stage.access("group", "rm", str(group.id))).code == 0
    await turn.hook("Notification", kind="permission_prompt", words="may it?")
    assert "may it?" in (await bob.next_message())["text"]
    assert (await hooks.run("stop", last_assistant_message="built")).silent
    assert "built" in (await bob.next_message())["text"]
    assert [call.params["chat_id"] for call in stage.tg.calls_of("sendMessage")] == [bob.id, bob.id]


async def test_a_dialog_of_another_step_is_told_again(stage: Stage) -> None:
    """The host asks in the same words whenever a tool needs a permission."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("go")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    for _ in range(2):
        await turn.tool()
        await turn.hook("Notification", kind="permission_prompt", words="Claude needs your permission")
        assert "Claude needs your permission" in (await ann.next_message())["text"]


async def test_a_turn_that_was_taken_for_gone_is_back(stage: Stage, hooks: Hooks) -> None:
    """The machine slept, or its clock was set: the next step shows that the host is there, for the same chats."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.step()
    with Store.open(stage.state) as store:
        with store.transaction() as db:
            db.execute("UPDATE turns SET seen_at = seen_at - 600")
        assert Services.of(store).turns.end_gone("another") == 1
    assert await turn.step() == ""
    await eventually(lambda: [(one.ending, one.detail.steps) for one in turns(stage)] == [(None, 2)], "both steps")
    assert (await hooks.run("stop", last_assistant_message="built")).silent
    assert (await ann.next_message())["text"] == "💻 Said at the terminal:\n\nbuilt"


async def test_a_host_that_leaves_ends_its_turn(stage: Stage) -> None:
    """Nobody is told for two more minutes that an agent works that is not there."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.step()
    host.close_stdin()
    await host.wait()
    assert [one.ending for one in turns(stage)] == ["gone"]


async def test_a_server_that_is_started_again_goes_on_with_the_turn(stage: Stage, hooks: Hooks) -> None:
    """The host reconnects in the middle: its next step is the same turn's, whose answer reaches the same chats."""
    ann = stage.person()
    first = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(first)
    await turn.prompt()
    await turn.step()
    first.close_stdin()
    await first.wait()
    turn.host = await stage.reading()
    # The new server does not know how much of it the agent still has.
    assert 'redelivered="true"' in await turn.step()
    await eventually(lambda: [(one.ending, one.detail.steps) for one in turns(stage)] == [(None, 2)], "both steps")
    assert (await hooks.run("stop", last_assistant_message="built")).silent
    assert (await ann.next_message())["text"] == "💻 Said at the terminal:\n\nbuilt"


async def test_an_answer_is_sent_before_the_next_message_is_handed_over(stage: Stage, hooks: Hooks) -> None:
    """What was said at the end of a turn that goes on with another message answers the first one."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("first")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    ann.send("second")
    await kept(stage)
    ran = await hooks.run("stop", last_assistant_message="one")
    assert "second" in ran.specific["additionalContext"]
    assert (await ann.next_message())["text"] == "💻 Said at the terminal:\n\none"
    assert inbox_states(stage.state) == {"answered": 1, "offered": 1}
    assert (await hooks.run("stop", last_assistant_message="two", stop_hook_active=True)).silent
    assert (await ann.next_message())["text"] == "💻 Said at the terminal:\n\ntwo"
    assert inbox_states(stage.state) == {"answered": 2}


async def test_each_topic_has_the_answer(stage: Stage, hooks: Hooks) -> None:
    """One turn for two topics: what was said at its end goes to both."""
    stage.config(grace_s=0, mode="hook", progress="off", answers="forward")
    ann = stage.person()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann], forum=True)
    assert (await stage.access("group", "add", str(group.id), "--no-mention")).code == 0
    topics = [group.topic(name).thread_id for name in ("one", "two")]
    host = await stage.reading()
    for topic in topics:
        ann.send("build it", chat=group, thread_id=topic)
    await kept(stage, 2)
    await HookedTurn(host).prompt()
    assert (await hooks.run("stop", last_assistant_message="built")).silent
    said = [await group.next_message() for _ in topics]
    assert [message["message_thread_id"] for message in said] == topics


async def test_nothing_that_a_host_sends_makes_a_step_slow(stage: Stage) -> None:
    """Ids and names without end, and steps that never end: what is written down at each step stays small."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("build it")
    await kept(stage)
    turn = HookedTurn(host)
    await turn.prompt()
    long = "x" * 90_000
    for number in range(70):
        names = dict.fromkeys(("call", "agent", "task", "file"), f"{long}{number}")
        assert await turn.hook("PreToolUse", tool="Write", subject="a", **names) == {}
        await turn.hook("TaskCreated", words=long, **names)
    await eventually(lambda: turns(stage)[0].detail.steps == 70, "every step")
    (one,) = turns(stage)
    assert len(one.detail.dump()) < 100_000


async def test_a_list_that_is_written_anew_replaces_the_one_before(stage: Stage) -> None:
    """A shorter plan leaves nothing of the longer one; tasks stay."""
    host = await stage.reading()
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.hook("TaskCreated", task="1", words="a task")
    for texts in (["one", "two", "three"], ["two", "four"]):
        todos = json.dumps([{"content": text, "status": "pending"} for text in texts])
        await turn.tool("TodoWrite", "", todos=todos)
    await eventually(
        lambda: [text for _, text, _ in turns(stage)[0].detail.plan] == ["a task", "two", "four"], "the shorter plan"
    )


async def test_no_secret_is_written_down(stage: Stage) -> None:
    """Neither in the path of a file that changes nor as a line of a key that the agent shows at the terminal."""
    host = await stage.reading()
    turn = HookedTurn(host)
    await turn.prompt()
    secret = "ghp_" + "a1B2" * 9
    await turn.tool("Write", f"/{secret}", file=f"/{secret}")
    await turn.hook("MessageDisplay", words="-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n")
    await turn.step()
    await eventually(lambda: turns(stage)[0].detail.steps == 2, "both steps")
    written = turns(stage)[0].detail.dump()
    assert secret not in written
    assert "MIIE" not in written
