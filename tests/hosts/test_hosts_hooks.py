"""Hooks with the input that a host sends: messages are handed over once, and people can end the waiting."""

from __future__ import annotations

import os

import pytest

from agent_channels.core.store.database import Store
from faults_harness import inbox_states
from harness import Stage
from hook_runs import Hooks, hooked, kept
from inbox_socket import InboxSocket, blocks_in

# ---- session and prompt


async def test_the_session_hook_says_how_things_stand(stage: Stage, hooks: Hooks) -> None:
    """One line for the model: who is paired, what is waiting, which mode; it does not prove the mode hook."""
    stage.person()
    stage.person("bob")
    ran = await hooks.run("session")
    specific = ran.specific
    assert specific["hookEventName"] == "SessionStart"
    text = specific["additionalContext"]
    assert "telegram: 2 paired" in text
    assert "0 open" in text
    assert "\n" not in text
    host = await stage.reading()
    assert (await host.status())["mode"]["name"] == "push"
    await hooks.run("stop")
    await host.status_when(lambda s: s["mode"]["name"] == "hook")
    assert "delivery by hook" in (await hooks.run("session")).specific["additionalContext"]


async def test_messages_ride_along_with_the_next_prompt(stage: Stage, hooks: Hooks) -> None:
    """UserPromptSubmit: open messages are added once, and no longer after they are answered."""
    ann = stage.person()
    host = await hooked(stage, hooks)
    ann.send("one")
    ann.send("two")
    await kept(stage, 2)
    ran = await hooks.run("prompt")
    assert ran.specific["hookEventName"] == "UserPromptSubmit"
    blocks = blocks_in(ran.specific["additionalContext"])
    assert [block.content for block in blocks] == ["one", "two"]
    assert all("redelivered" not in block.meta for block in blocks)
    assert (await hooks.run("prompt")).silent
    assert (await hooks.run("stop")).silent
    await host.done("reply", chat_id=ann.id, text="both")
    assert inbox_states(stage.state) == {"answered": 2}
    status = await host.status()
    assert status["mode"]["name"] == "hook"
    assert "answered that way" in status["mode"]["why"]
    assert host.events == []


async def test_a_person_is_told_when_a_session_cannot_hear(stage: Stage, hooks: Hooks) -> None:
    """With hooks only, a person without an answer is told that the session takes messages at its next turn."""
    stage.config(grace_s=0, wait_notice_after_s=1)
    ann = stage.person()
    await hooked(stage, hooks)
    ann.send("hello?")
    assert "the session takes messages at its next turn" in (await ann.next_message())["text"]


# ---- stop


async def test_stop_hands_open_messages_over_as_the_reason_to_go_on(stage: Stage, hooks: Hooks) -> None:
    """Stop: open messages are the context with which the turn goes on, once; without any there is no output."""
    ann = stage.person()
    host = await hooked(stage, hooks)
    assert (await hooks.run("stop")).silent
    ann.send("deploy & tell")
    await kept(stage)
    ran = await hooks.run("stop")
    assert ran.code == 0
    assert ran.err == ""
    assert set(ran.json) == {"hookSpecificOutput"}
    assert ran.specific["hookEventName"] == "Stop"
    (block,) = blocks_in(ran.specific["additionalContext"])
    assert block.content == "deploy & tell"
    assert "reply" in ran.specific["additionalContext"]
    assert (await hooks.run("stop", stop_hook_active=True)).silent
    await host.done("reply", chat_id=ann.id, text="done", buttons=[["Again", "No"]])
    grid = await ann.next_message()
    ann.tap(grid["message_id"], label="Again")
    await kept(stage)
    (tap,) = blocks_in((await hooks.run("stop", stop_hook_active=True)).specific["additionalContext"])
    assert (tap.content, tap.meta["button"], tap.meta["button_value"]) == ("Again", "true", "Again")


async def test_stop_waits_for_the_next_message(stage: Stage, hooks: Hooks) -> None:
    """stop_wait_s: a message that arrives meanwhile is handed over, long before that time is over."""
    stage.config(grace_s=0, stop_wait_s=3600)
    ann = stage.person()
    await hooked(stage, hooks)
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)
    ann.send("next")
    ran = await run.ran()
    assert [block.content for block in blocks_in(ran.specific["additionalContext"])] == ["next"]


async def test_stop_gives_up_after_its_time(stage: Stage, hooks: Hooks) -> None:
    """Nobody writes within stop_wait_s: exit code 0, no output."""
    stage.config(grace_s=0, stop_wait_s=1)
    await hooked(stage, hooks)
    ran = await hooks.run("stop")
    assert ran.silent
    assert 1 <= ran.took_s < 15


async def test_a_person_ends_the_waiting_from_the_chat(stage: Stage, hooks: Hooks) -> None:
    """/end: the waiting hook ends at once without output, and the person gets an answer."""
    stage.config(grace_s=0, stop_wait_s=60)
    ann = stage.person()
    await hooked(stage, hooks)
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)
    ann.send("/end")
    assert (await run.ran(5)).silent
    assert "no longer waits" in (await ann.next_message())["text"]
    ann.send("/end")
    assert "No terminal session is waiting" in (await ann.next_message())["text"]


async def test_an_end_while_the_agent_works_is_kept(stage: Stage, hooks: Hooks) -> None:
    """/end during a continuation ends the loop at the next stop; after a prompt at the terminal it waits again."""
    stage.config(grace_s=0, stop_wait_s=60)
    ann = stage.person()
    host = await hooked(stage, hooks)
    ann.send("work")
    await kept(stage)
    assert "work" in (await hooks.run("stop")).specific["additionalContext"]
    ann.send("/end")
    assert "no longer waits" in (await ann.next_message())["text"]
    await host.done("reply", chat_id=ann.id, text="worked")
    assert (await hooks.run("stop", stop_hook_active=True, within=5)).silent
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)


async def test_the_number_of_continuations_in_a_row_is_capped(stage: Stage, hooks: Hooks) -> None:
    """stop_cap: after so many in a row the turn ends and messages stay open; a new turn counts from one again."""
    stage.config(grace_s=0, stop_cap=2, stop_wait_s=20)
    ann = stage.person()
    await hooked(stage, hooks)
    for number, active in enumerate((False, True)):
        ann.send(f"message {number}")
        assert f"message {number}" in (await hooks.run("stop", stop_hook_active=active)).specific["additionalContext"]
    ann.send("one too many")
    await kept(stage)
    ran = await hooks.run("stop", stop_hook_active=True)
    assert ran.silent
    assert ran.took_s < 15
    assert inbox_states(stage.state)["ready"] == 1
    assert "one too many" in (await hooks.run("stop")).specific["additionalContext"]


async def test_broken_numbers_are_not_believed(stage: Stage, hooks: Hooks) -> None:
    """A loop count that is not a number, is negative or is huge counts as zero."""
    ann = stage.person()
    await hooked(stage, hooks)
    for number, loops in enumerate(("many", -5, 10**12, 1e300)):
        with Store.open(stage.state) as store, store.transaction() as db:
            db.execute("UPDATE sessions SET loops = ?, loops_at = 'x', ended_at = 'never'", (loops,))
        ann.send(f"message {number}")
        await kept(stage)
        assert f"message {number}" in (await hooks.run("stop", stop_hook_active=True)).specific["additionalContext"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stop_wait_s: soon", "setting 'stop_wait_s' is 'soon': it must be a number from 0 to 3600"),
        ("stop_wait_s: 86400", "setting 'stop_wait_s' is 86400: it must be a number from 0 to 3600"),
        ("stop_wait_s: -3", "setting 'stop_wait_s' is -3: it must be a number from 0 to 3600"),
        ("stop_wait_s: [", "config.yaml cannot be read"),
        ("stop_cap: .nan", "setting 'stop_cap' is nan: it must be a whole number from 0 to 100"),
        ("stop_cap: 8\nstop_wait: 60", ""),
    ],
)
async def test_a_setting_that_the_server_refuses_is_not_obeyed(
    stage: Stage, hooks: Hooks, text: str, says: str
) -> None:
    """The hook says so on stderr, has no other effect, and goes by the default: it does not wait."""
    await hooked(stage, hooks)
    (stage.state / "config.yaml").write_text(text)
    ran = await hooks.run("stop", within=5)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.count("\n") == bool(says)
    assert says in ran.err
    ran = await stage.cli("status", "telegram")
    assert says in ran.err + ran.out
    assert ran.code == 1


@pytest.mark.parametrize("name", ["prompt", "stop"])
async def test_no_more_is_handed_over_than_the_host_shows(stage: Stage, hooks: Hooks, name: str) -> None:
    """A host cuts a context above 10,000 characters: the rest stays open, and the model is told to fetch it."""
    ann = stage.person()
    host = await hooked(stage, hooks)
    sent = [f"{number} " + "😀" * 1_000 for number in range(9)]
    for text in sent:
        ann.send(text)
    await kept(stage, len(sent))
    got: list[str] = []
    while got != sent:
        context = (await hooks.run(name)).specific["additionalContext"]
        assert len(context.encode("utf-16-le")) // 2 < 10_000
        blocks = blocks_in(context)
        assert blocks
        got += [block.content for block in blocks]
        assert ("wait_for_messages" in context) is (got != sent)
    await host.done("reply", chat_id=ann.id, text="all read")
    # One alone that is too long, such as a paste that the client split, is left to the tool, which may hand over more.
    paste = "".join(f"{number:05d} " for number in range(2_500))
    for at in range(0, len(paste), 4096):
        ann.send(paste[at : at + 4096])
    await kept(stage)
    context = (await hooks.run(name)).specific["additionalContext"]
    assert blocks_in(context) == []
    assert "wait_for_messages" in context
    assert paste.strip() in await host.done("wait_for_messages", timeout_s=0)
    assert (await hooks.run(name)).silent


async def test_a_waiting_stop_hook_takes_what_comes(stage: Stage, hooks: Hooks, inbox: InboxSocket) -> None:
    """A host does not read its socket while its Stop hook waits: the hook hands the message over, nothing is posted."""
    stage.config(grace_s=0, stop_wait_s=30)
    ann = stage.person()
    await hooks.run("prompt")
    host = await stage.reading()
    await host.status_when(lambda s: s["mode"]["name"] == "wake")
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)
    ann.send("to the hook")
    (block,) = blocks_in((await run.ran(5)).specific["additionalContext"])
    assert (block.content, block.meta.get("redelivered")) == ("to the hook", None)
    await host.done("reply", chat_id=ann.id, text="done")
    assert inbox.posts == []
    # The hook is gone, well or killed: the socket carries again.
    ann.send("to the socket")
    assert (await inbox.block()).content == "to the socket"
    await host.done("reply", chat_id=ann.id, text="done")
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)
    await run.kill()
    ann.send("after the kill")
    assert (await inbox.block(2, 15)).content == "after the kill"


async def test_stop_does_not_wait_for_what_the_host_has_to_read(stage: Stage, hooks: Hooks, inbox: InboxSocket) -> None:
    """With an unanswered post on the socket the turn ends at once, so that the host reads it."""
    stage.config(grace_s=0, stop_wait_s=30)
    ann = stage.person()
    host = await stage.reading()
    ann.send("posted")
    await inbox.block()
    assert (await hooks.run("stop", within=5)).silent
    await host.done("reply", chat_id=ann.id, text="read")
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)


# A forked server would have another parent.
@pytest.mark.cold
async def test_a_session_that_goes_on_under_another_id_is_the_same(stage: Stage, hooks: Hooks) -> None:
    """A cleared conversation has a new session id, its servers keep the old one: the host's process identifies it."""
    ann = stage.person()
    host = await hooked(stage, hooks)
    ann.send("after the clear")
    await kept(stage)
    async with Hooks(stage, "a-new-session") as cleared:
        other = await cleared.run("prompt", env={"CLAUDE_PID": str(os.getpid() + 1)})
        assert other.silent
        ran = await cleared.run("prompt", env={"CLAUDE_PID": str(os.getpid())})
    assert "after the clear" in ran.specific["additionalContext"]
    await host.done("reply", chat_id=ann.id, text="heard")
    assert inbox_states(stage.state) == {"answered": 1}
    assert "answered that way" in (await host.status())["mode"]["why"]


async def test_the_end_of_a_session_is_told_to_those_who_wait(stage: Stage, hooks: Hooks) -> None:
    """SessionEnd, whatever its reason looks like: who has an open message is told once, and nobody else.

    A cleared conversation is no end.
    """
    ann, bob = stage.person(), stage.person("bob")
    host = await hooked(stage, hooks)
    bob.send("quick")
    await kept(stage)
    assert "quick" in (await hooks.run("stop")).specific["additionalContext"]
    await host.done("reply", chat_id=bob.id, text="done")
    await bob.next_message()
    ann.send("one")
    ann.send("two")
    await kept(stage, 2)
    assert (await hooks.run("end", reason="clear")).silent
    assert (await hooks.run("end", reason=["of another kind"])).silent
    text = (await ann.next_message())["text"]
    assert text == "💤 The agent's session on project has ended. Your 2 messages are kept for the next one."
    assert (await hooks.run("end")).silent
    await host.close()
    assert (len(ann.inbox), len(bob.inbox)) == (1, 1)
    assert inbox_states(stage.state)["ready"] == 2
