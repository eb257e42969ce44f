"""Pull: the agent asks for messages. Peek and acknowledge, never pop; a call that is cancelled loses nothing."""

from __future__ import annotations

import time

import pytest

from faults_harness import Project, inbox_states
from harness import Stage
from hook_runs import kept
from inbox_socket import blocks_in
from wire_host import Host

NONE = "No messages are waiting."


def texts(answer: str) -> list[str]:
    return [block.content for block in blocks_in(answer)]


async def pulling(stage: Stage, **env: str | None) -> Host:
    """A host whose agent has asked for messages once, so that the bot is read for it."""
    host = await stage.host(**env)
    assert (await host.done("wait_for_messages", timeout_s=0)).startswith(NONE)
    return host


async def test_a_call_returns_when_somebody_writes(stage: Stage) -> None:
    """A waiting call returns at once with the `<channel>` block; the message is open until the agent acts."""
    ann = stage.person()
    host = await pulling(stage)
    call = host.calling("wait_for_messages", timeout_s=30)
    await host.status()
    sent = ann.send("hello & <b>")
    began = time.perf_counter()
    (block,) = blocks_in((await host.answered(call)).text)
    assert time.perf_counter() - began < 10
    assert block.content.startswith("hello & ")
    assert block.meta["source"] == "telegram"
    assert block.meta["message_id"] == str(sent["message_id"])
    assert block.meta["delivery_id"]
    assert "redelivered" not in block.meta
    assert inbox_states(stage.state) == {"offered": 1}
    assert (await host.done("wait_for_messages", timeout_s=0)).startswith(NONE)
    await host.done("reply", chat_id=ann.id, text="hi")
    assert inbox_states(stage.state) == {"answered": 1}
    assert host.events == []


async def test_the_first_call_is_the_claim(stage: Stage) -> None:
    """Claim auto: nothing is read until the agent asks; that call already returns what is waiting."""
    stage.person().send("waiting")
    host = await stage.host(CLAUDE_CODE_SESSION_ID=None)
    assert (await host.status())["owner"] is None
    assert stage.tg.pending_updates == 1
    assert not [call for call in stage.tg.calls if call.method.lower() == "getupdates"]
    assert texts(await host.done("wait_for_messages", timeout_s=10)) == ["waiting"]
    status = await host.status()
    assert status["owner"]["pid"] == host.process.pid
    assert status["mode"]["name"] == "pull"


async def test_a_call_right_after_the_handshake_claims_too(stage: Stage) -> None:
    """The agent's very first action may come before the server has written its session down."""
    stage.person().send("waiting")
    host = await stage.start()
    await host.initialize()
    host.notify("notifications/initialized")
    assert texts(await host.done("wait_for_messages", timeout_s=10)) == ["waiting"]


async def test_nothing_within_the_time_says_so(stage: Stage) -> None:
    """`timeout_s` bounds the wait; 0 only looks."""
    stage.person()
    host = await pulling(stage)
    assert (await host.done("wait_for_messages", timeout_s=0)).startswith(NONE)
    began = time.perf_counter()
    assert (await host.done("wait_for_messages", timeout_s=1)).startswith(NONE)
    assert time.perf_counter() - began >= 1
    assert "timeout_s" in await host.refused("wait_for_messages", timeout_s=-1)
    assert "limit" in await host.refused("wait_for_messages", limit=0)


async def test_the_limit_is_kept_and_the_rest_follows(stage: Stage) -> None:
    """At most `limit` blocks a call, oldest first; the next call has the rest, each once."""
    ann = stage.person()
    for number in range(5):
        ann.send(f"message {number}")
    host = await stage.host()
    got: list[str] = []
    while len(got) < 5:
        found = texts(await host.done("wait_for_messages", timeout_s=5, limit=2))
        assert 1 <= len(found) <= 2
        got += found
    assert got == [f"message {n}" for n in range(5)]
    assert (await host.done("wait_for_messages", timeout_s=0)).startswith(NONE)


async def test_what_is_acknowledged_is_done(stage: Stage) -> None:
    """`ack` answers messages that need no reply, by delivery id; unknown ids answer nothing."""
    ann = stage.person()
    ann.send("just so you know")
    ann.send("and this?")
    host = await stage.host()
    blocks = []
    while len(blocks) < 2:
        blocks += blocks_in(await host.done("wait_for_messages", timeout_s=5))
    first = blocks[0].meta["delivery_id"]
    acknowledged = await host.done("wait_for_messages", timeout_s=0, ack=[first, "nothing"])
    assert acknowledged.startswith(f"1 acknowledged.\n{NONE}")
    assert inbox_states(stage.state) == {"answered": 1, "offered": 1}
    # A new session is shown what was not acknowledged, and only that.
    await host.kill()
    again = await stage.host(CLAUDE_CODE_SESSION_ID="another")
    (block,) = blocks_in(await again.done("wait_for_messages", timeout_s=10))
    assert (block.content, block.meta["redelivered"]) == ("and this?", "true")


async def test_a_cancelled_call_loses_nothing(stage: Stage) -> None:
    """`notifications/cancelled` ends the wait; what comes afterwards is for the next call, as new."""
    ann = stage.person()
    host = await pulling(stage)
    for _ in range(3):
        call = host.calling("wait_for_messages", timeout_s=60)
        await host.status()
        host.notify("notifications/cancelled", {"requestId": call, "reason": "the user interrupted"})
        await host.status()
    ann.send("after the cancel")
    (block,) = blocks_in(await host.done("wait_for_messages", timeout_s=10))
    assert (block.content, block.meta.get("redelivered")) == ("after the cancel", None)


async def test_a_killed_wait_loses_nothing(stage: Stage) -> None:
    """SIGKILL after a call was answered: the message comes again in the next session, marked, under its id."""
    ann = stage.person()
    host = await pulling(stage)
    ann.send("do it")
    (first,) = blocks_in(await host.done("wait_for_messages", timeout_s=10))
    await host.kill()
    again = await stage.host()
    (second,) = blocks_in(await again.done("wait_for_messages", timeout_s=10))
    assert second.meta == {**first.meta, "redelivered": "true"}


async def test_the_newest_call_has_what_comes(stage: Stage) -> None:
    """A call ends those of its session that still wait, which their host may have given up without a word."""
    ann = stage.person()
    host = await pulling(stage)
    calls = [host.calling("wait_for_messages", timeout_s=60) for _ in range(3)]
    for older in calls[:2]:
        assert "newer call" in (await host.answered(older)).text
    ann.send("once")
    assert texts((await host.answered(calls[2])).text) == ["once"]


async def test_every_chat_has_its_turn(stage: Stage) -> None:
    """Hundreds of messages of one person do not keep another's waiting; the order inside a chat is kept."""
    ann, bob = stage.person(), stage.person("bob")
    said = [f"ann {number}" for number in range(300)]
    for text in said:
        ann.send(text)
    bob.send("bob 0")
    bob.send("bob 1")
    host = await pulling_all(stage, 302)
    first = texts(await host.done("wait_for_messages", timeout_s=0, limit=10))
    assert len(first) <= 10
    assert [text for text in first if text.startswith("bob")] == ["bob 0", "bob 1"]
    got = first
    while found := texts(await host.done("wait_for_messages", timeout_s=0, limit=200)):
        got += found
    assert [text for text in got if text.startswith("ann")] == said


async def pulling_all(stage: Stage, count: int) -> Host:
    """A host of a session that takes messages by its hooks or calls, with so many ready to be taken."""
    host = await stage.host(CHANNELS_MODE="pull", CHANNELS_CLAIM="always")
    await kept(stage, count)
    return host


@pytest.mark.parametrize("proven", [False, True])
async def test_push_and_pull_share_one_inbox(stage: Stage, proven: bool) -> None:
    """What a proven push carried is not shown again; what an unproven one carried is, once, marked."""
    ann = stage.person()
    host = await stage.reading(CHANNELS_CLAIM="always")
    if proven:
        ann.send("zero")
        await host.event()
        await host.done("reply", chat_id=ann.id, text="0")
    ann.send("one")
    event = await host.event()
    assert event.content == "one"
    answer = await host.done("wait_for_messages", timeout_s=0)
    if proven:
        assert answer.startswith(NONE)
    else:
        (block,) = blocks_in(answer)
        assert block.meta["redelivered"] == "true"
        assert block.meta["delivery_id"] == event.meta["delivery_id"]
    assert (await host.done("wait_for_messages", timeout_s=0)).startswith(NONE)


async def test_who_does_not_read_the_bot_is_told_who_does(stage: Stage) -> None:
    """Another project reads this bot: the call is refused at once, naming the holder and the way out."""
    await stage.reading(CHANNELS_CLAIM="always")
    holder = stage.hosts[0].process.pid
    host = await Project(stage, "elsewhere").host(CHANNELS_CLAIM=None)
    began = time.perf_counter()
    reason = await host.refused("wait_for_messages", timeout_s=30)
    assert time.perf_counter() - began < 10
    assert f"process {holder} " in reason
    assert str(stage.project) in reason
    assert "--release" in reason


async def test_the_listen_prompt(stage: Stage) -> None:
    """prompts/list names `listen`; prompts/get gives words that tell the agent to go on waiting and answering."""
    host = await stage.host()
    listed = (await host.ask("prompts/list"))["result"]["prompts"]
    assert [prompt["name"] for prompt in listed] == ["listen"]
    assert listed[0]["description"]
    got = (await host.ask("prompts/get", {"name": "listen"}))["result"]["messages"]
    assert len(got) == 1
    assert got[0]["role"] == "user"
    for word in ("wait_for_messages", "reply", "ack", "consent"):
        assert word in got[0]["content"]["text"]
    assert "error" in await host.ask("prompts/get", {"name": "sing"})
