"""The loop: the same prompt again, round after round, until the agent promises that it is done."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.host.loop_spec import LoopSpec
from agent_channels.core.host.turns import Place
from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import inbox_states
from harness import Stage
from hook_runs import SESSION, Hooks, kept
from hooked_turns import HookedTurn
from inbox_socket import InboxSocket, blocks_in
from wire_host import Host, eventually

LOOP = '/loop "work until the tests pass" --max 5 --until GREEN'
PROMISE = "All is green. <promise>GREEN</promise>"


@pytest.fixture
async def hooks(stage: Stage) -> AsyncIterator[Hooks]:
    """Command hooks of the session that begins the loop."""
    async with Hooks(stage) as made:
        yield made


@pytest.fixture(autouse=True)
def hook_mode(stage: Stage) -> None:
    stage.config(grace_s=0, mode="hook", progress="off", answers="off")
    stage.env["CLAUDE_CODE_SESSION_ID"] = SESSION


@pytest.fixture
async def host(stage: Stage, hooks: Hooks) -> Host:
    """A host whose session runs the hooks and whose server reads the bot."""
    assert (await hooks.run("session")).code == 0
    return await stage.reading()


@pytest.fixture
async def ann(stage: Stage) -> TelegramPerson:
    """Somebody who may begin a loop."""
    person = stage.person()
    assert (await stage.cli("access", "telegram", "approver", "add", str(person.id))).code == 0
    return person


async def told(person: TelegramPerson) -> str:
    """The next message that somebody gets."""
    return str((await person.next_message())["text"])


async def begin(stage: Stage, person: TelegramPerson, turn: HookedTurn, text: str = LOOP) -> str:
    """Begin a loop from the chat; return what the agent's first turn is given."""
    person.send(text)
    assert "Loop begun" in await told(person)
    await kept(stage)
    return await turn.prompt()


async def stop(hooks: Hooks, said: str = "One test fails.", **changes: Any) -> str:
    """End a turn; return what it goes on with, "" if it ends."""
    ran = await hooks.run("stop", last_assistant_message=said, **changes)
    assert (ran.code, ran.err) == (0, "")
    return str(ran.specific["additionalContext"]) if ran.out else ""


def running(stage: Stage) -> list[tuple[int, int]]:
    """(round, at most) of the loops that run."""
    with Store.open(stage.state) as store:
        return [(loop.round, loop.rounds_max) for loop in Services.of(store).loops.running()]


def audited(stage: Stage) -> list[str]:
    """What was recorded of loops, oldest first."""
    with Store.open(stage.state) as store:
        rows = Services.of(store).audit.latest(100)
    return [f"{row['what']} {row['detail']}" for row in reversed(rows) if row["what"].startswith("loop_")]


async def test_three_rounds_end_with_the_promise(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """The chat's prompt begins it, each Stop puts it in again, the promise ends it; all of it is told."""
    given = await begin(stage, ann, HookedTurn(host))
    (block,) = blocks_in(given)
    assert block.content.startswith("work until the tests pass")
    assert "<promise>GREEN</promise>" in block.content
    await host.done("reply", chat_id=ann.id, text="on it")
    assert await told(ann) == "on it"
    second = await stop(hooks)
    assert second.startswith("Round 2 of 5")
    assert "\n\nwork until the tests pass\n\n" in second
    assert "<promise>GREEN</promise>" in second
    assert await told(ann) == "🔁 Round 2 of 5"
    assert stage.tg.calls_of("sendMessage")[-1].params["disable_notification"] in {"true", True}
    assert (await stop(hooks, stop_hook_active=True)).startswith("Round 3 of 5")
    assert await told(ann) == "🔁 Round 3 of 5"
    assert await stop(hooks, PROMISE, stop_hook_active=True) == ""
    assert await told(ann) == "✅ Loop done in round 3 of 5: the agent promised GREEN."
    assert await stop(hooks) == ""
    assert running(stage) == []
    first, last = audited(stage)
    assert first == f"loop_start session {SESSION}, at most 5 rounds, until GREEN"
    assert last == f"loop_end promised, session {SESSION}, round 3 of 5"


async def test_the_last_round_is_the_last(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """Without the promise it ends after its rounds, and says so."""
    await begin(stage, ann, HookedTurn(host), "/loop tidy up --max 2")
    assert (await stop(hooks)).startswith("Round 2 of 2")
    assert await told(ann) == "🔁 Round 2 of 2"
    assert await stop(hooks, stop_hook_active=True) == ""
    assert await told(ann) == "🔁 Loop ended: its 2 rounds are over, and the agent has not promised DONE."
    assert running(stage) == []


@pytest.mark.parametrize("way", ["/stop", "/loop stop", "cli"])
async def test_stopped_in_round_two(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host, way: str) -> None:
    """Whoever stops it, no further round begins, and the chat is told who it was."""
    turn = HookedTurn(host)
    await begin(stage, ann, turn)
    assert await turn.step() == ""
    assert (await stop(hooks)).startswith("Round 2 of 5")
    assert await told(ann) == "🔁 Round 2 of 5"
    if way == "cli":
        ran = await stage.cli("loop", "stop")
        assert ran.out == "1 loop stopped.\n"
        assert await told(ann) == "⏹ Loop stopped by the terminal in round 2 of 5."
    else:
        ann.send(way)
        texts = {await told(ann), await told(ann)} if way == "/stop" else {await told(ann)}
        assert "⏹ Loop stopped by ann in round 2 of 5." in texts
    assert await stop(hooks, stop_hook_active=True) == ""
    assert running(stage) == []
    assert audited(stage)[-1].startswith("loop_stop stopped")
    ann.send("/loop stop")
    assert await told(ann) == "No loop is running here."


async def test_the_stop_button_ends_the_loop_of_its_turn(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """A turn that is asked to stop begins no further round, even if it used no tool any more."""
    await begin(stage, ann, HookedTurn(host))
    assert (await stop(hooks)).startswith("Round 2 of 5")
    assert await told(ann) == "🔁 Round 2 of 5"
    await host.done("reply", chat_id=ann.id, text="working", buttons=[[{"label": "Stop", "value": "stop"}]])
    message = await ann.next_message()
    with Store.open(stage.state) as store, store.transaction() as db:
        # As the message that shows a turn's progress has it.
        db.execute("UPDATE panels SET turn_id = (SELECT id FROM turns WHERE ended_at IS NULL)")
    ann.tap(message["message_id"], label="Stop")
    assert await told(ann) == "⏹ Loop stopped by ann in round 2 of 5."
    assert await stop(hooks, stop_hook_active=True) == ""


async def test_stop_in_one_chat_leaves_the_loop_of_another(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """What runs for the chat itself is stopped, and nothing else; without that, an approver stops whatever runs."""
    with Store.open(stage.state) as store:
        loops = Services.of(store).loops
        assert loops.start(LoopSpec("other work"), "another-session", "", (None, "bob"), place=Place("-5", None))
    await begin(stage, ann, HookedTurn(host))
    ann.send("/stop")
    texts = {await told(ann), await told(ann)}
    assert "⏹ Loop stopped by ann in round 1 of 5." in texts
    assert running(stage) == [(1, 20)]
    assert (await hooks.run("stop")).silent
    ann.send("/stop")
    assert await told(ann) == "⏹ The loop has ended."
    assert running(stage) == []


async def test_a_second_session_is_unaffected(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """Another session of the project ends its turns as ever, whatever its agent says; the loop does not move."""
    await begin(stage, ann, HookedTurn(host))
    async with Hooks(stage, "another-session") as others:
        assert await stop(others, PROMISE) == ""
        assert await stop(others) == ""
    assert running(stage) == [(1, 5)]
    ran = await stage.cli("loop", "stop", CLAUDE_CODE_SESSION_ID="another-session", CLAUDE_PID="1")
    assert ran.out == "No loop is running.\n"
    assert (await stop(hooks)).startswith("Round 2 of 5")


async def test_a_killed_server_neither_doubles_nor_ends_it(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """SIGKILL between rounds: the next begins all the same, once, and the next server tells what was not told."""
    await begin(stage, ann, HookedTurn(host))
    await host.kill()
    assert (await stop(hooks)).startswith("Round 2 of 5")
    assert (await stop(hooks, stop_hook_active=True)).startswith("Round 3 of 5")
    await stage.reading()
    assert [await told(ann), await told(ann)] == ["🔁 Round 2 of 5", "🔁 Round 3 of 5"]
    assert running(stage) == [(3, 5)]
    assert await stop(hooks, PROMISE, stop_hook_active=True) == ""
    assert await told(ann) == "✅ Loop done in round 3 of 5: the agent promised GREEN."
    assert len(ann.inbox) == 4


async def test_a_server_that_is_started_again_hands_nothing_over_twice(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """SIGKILL in the first round: what began the loop is the agent's already, and the next round is the second."""
    await begin(stage, ann, HookedTurn(host))
    await host.kill()
    await stage.reading()
    second = await stop(hooks)
    assert second.startswith("Round 2 of 5")
    assert blocks_in(second) == []


async def test_the_end_of_the_session_ends_its_loop(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """SessionEnd: the chat is told at once, by the hook itself."""
    await begin(stage, ann, HookedTurn(host))
    await host.done("reply", chat_id=ann.id, text="on it")
    assert await told(ann) == "on it"
    await host.kill()
    assert (await hooks.run("end", reason="clear")).silent
    assert len(running(stage)) == 1
    assert (await hooks.run("end")).silent
    assert await told(ann) == "⚠️ Loop ended in round 1 of 5: the agent's session is gone."
    assert running(stage) == []


async def test_a_loop_whose_host_is_gone_is_ended_by_the_next_reader(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """Nothing would ever begin its next round: the chat is told so."""
    await begin(stage, ann, HookedTurn(host))
    await host.kill()
    gone = await asyncio.create_subprocess_exec("true")
    await gone.wait()
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE loops SET host = ?, seen_at = 0", (f"/a/socket\npid {gone.pid}",))
    await stage.reading(CLAUDE_CODE_SESSION_ID="another-session")
    assert await told(ann) == "⚠️ Loop ended in round 1 of 5: the agent's session is gone."
    assert running(stage) == []


async def test_a_live_host_is_not_taken_for_gone(stage: Stage, ann: TelegramPerson, host: Host) -> None:
    """However long a round takes: its process is there."""
    await begin(stage, ann, HookedTurn(host))
    await host.kill()
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE loops SET seen_at = 0")
    again = await stage.reading(CLAUDE_CODE_SESSION_ID="another-session")
    ann.send("/loop")
    assert (await told(ann)).startswith("🔁 Round 1 of 5")
    await again.close()


async def test_messages_come_with_the_round(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """What people write meanwhile is handed over with the round, in the same answer, and does not end the loop."""
    await begin(stage, ann, HookedTurn(host))
    ann.send("use tabs")
    await kept(stage)
    going_on = await stop(hooks)
    assert going_on.startswith("Round 2 of 5")
    assert [block.content for block in blocks_in(going_on)] == ["use tabs"]
    assert len(going_on) < 10_000
    assert running(stage) == [(2, 5)]


async def test_a_loop_begun_in_a_busy_turn_begins_when_it_ends(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """What the agent said before counts for nothing; the message is its first round, and is counted once."""
    turn = HookedTurn(host)
    await turn.prompt()
    ann.send(LOOP)
    assert "Loop begun" in await told(ann)
    await kept(stage)
    first = await stop(hooks, PROMISE)
    assert blocks_in(first)[0].content.startswith("work until the tests pass")
    assert running(stage) == [(1, 5)]
    assert (await stop(hooks, stop_hook_active=True)).startswith("Round 2 of 5")


@pytest.mark.parametrize(
    ("said", "word", "ends"),
    [
        ("<promise>a.*b</promise>", "a.*b", True),
        ("<promise>axxb</promise>", "a.*b", False),
        ("<promise>UNDONE</promise>", "DONE", False),
        ("<promise>DONE!</promise>", "DONE", False),
        ("<promise>done</promise>", "DONE", False),
        ("<promise> DONE </promise>", "DONE", False),
        ("DONE", "DONE", False),
        ("`&lt;promise&gt;DONE&lt;/promise&gt;` ```html\n<promise><b>DONE</b></promise>\n```", "DONE", False),
        ("x<promise>DONE</promise>y", "DONE", True),
        ("<promise>all tests pass</promise>", '"all tests pass"', True),
        ("<promise>%(x)s {0} \\1 $&</promise>", '"%(x)s {0} \\1 $&"', True),
        ("<promise>完成</promise>", "完成", True),
    ],
)
async def test_the_promise_is_compared_as_it_is(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host, said: str, word: str, ends: bool
) -> None:
    """No pattern, no other case, no longer word, no markup in between."""
    await begin(stage, ann, HookedTurn(host), f"/loop work --until {word}")
    assert (await stop(hooks, said) == "") is ends
    assert (running(stage) == []) is ends


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A short path: a Unix socket's may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ac-") as folder:
        yield Path(folder) / "sock"


async def test_more_rounds_than_the_host_lets_go_on(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, socket_path: Path
) -> None:
    """After eight in a row without a tool the next is posted to the session's socket, and the count begins anew."""
    stage.env |= {"CLAUDE_CODE_MESSAGING_SOCKET": str(socket_path)}
    async with InboxSocket(socket_path) as inbox:
        assert (await hooks.run("session")).code == 0
        host = await stage.reading()
        turn = HookedTurn(host)
        await begin(stage, ann, turn, "/loop work")
        for number in range(2, 10):
            assert (await stop(hooks, stop_hook_active=number > 2)).startswith(f"Round {number} of 20")
        assert await stop(hooks, stop_hook_active=True) == ""
        await inbox.wait_for(lambda: any("Round 10 of 20" in json.dumps(lines) for lines in inbox.connections))
        assert running(stage) == [(10, 20)]
        following = HookedTurn(host)
        await following.prompt("Round 10 of 20")
        assert (await stop(hooks)).startswith("Round 11 of 20")
        # A tool begins the host's count anew.
        for number in range(12, 15):
            assert (await stop(hooks, stop_hook_active=True)).startswith(f"Round {number} of 20")


async def test_tools_begin_the_count_anew(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """The host counts only turns that go on without a tool: with one in each round it needs no other way."""
    turn = HookedTurn(host)
    await begin(stage, ann, turn, "/loop work")
    for number in range(2, 15):
        assert (await stop(hooks, stop_hook_active=number > 2)).startswith(f"Round {number} of 20")
        await turn.step()


async def test_the_bell_rings_for_a_round(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """Without a socket the session's bell wakes it, with the prompt."""
    bell = await hooks.start("bell")
    with Store.open(stage.state) as store:
        sessions = Services.of(store).sessions
        await eventually(lambda: "bell" in (known.hooks if (known := sessions.get(SESSION)) else {}), "the bell")
    await begin(stage, ann, HookedTurn(host), "/loop work")
    for number in range(2, 10):
        assert (await stop(hooks, stop_hook_active=number > 2)).startswith(f"Round {number} of 20")
    assert await stop(hooks, stop_hook_active=True) == ""
    ran = await bell.ran()
    assert ran.code == 2
    assert ran.err.startswith("Round 10 of 20")
    assert await stop(hooks) != ""


async def test_without_another_way_it_ends_and_says_so(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """No socket, no bell: after the host's last round the chat is told why no other begins."""
    await begin(stage, ann, HookedTurn(host), "/loop work")
    for number in range(2, 6):
        assert (
            await stop(hooks, stop_hook_active=number > 2, env={"CLAUDE_CODE_STOP_HOOK_BLOCK_CAP": "4"})
        ).startswith(f"Round {number} of 20")
        assert await told(ann) == f"🔁 Round {number} of 20"
    assert await stop(hooks, stop_hook_active=True, env={"CLAUDE_CODE_STOP_HOOK_BLOCK_CAP": "4"}) == ""
    assert "no other way to wake it" in await told(ann)


async def test_who_may_begin_a_loop_and_what_is_refused(
    stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host
) -> None:
    """Approvers only, one at a time, with arguments that can be read; each refusal says what would be right."""
    bob = stage.person("bob")
    bob.send(LOOP)
    assert (await told(bob)).endswith(f"channels access telegram approver add {bob.id}")
    ann.send("/loop")
    assert "To begin one:\n/loop" in await told(ann)
    for text, says in (
        ("/loop x --max 0", "from 1 to 100, not “0”"),
        ("/loop --max 5", "Say what the agent should do"),
        ("/loop x --until", "--until needs a value"),
    ):
        ann.send(text)
        assert says in await told(ann)
    assert running(stage) == []
    assert inbox_states(stage.state)["ready"] == 0
    await begin(stage, ann, HookedTurn(host))
    ann.send("/loop another")
    assert "is running in the agent's session already" in await told(ann)
    ann.send("/loop status")
    status = await told(ann)
    assert status.startswith("🔁 Round 1 of 5 · begun")
    assert "by ann" in status
    bob.send("/loop stop")
    assert await told(bob) == "No loop is running here."
    assert running(stage) == [(1, 5)]
    assert hooks.session == SESSION


async def test_a_session_without_hooks_cannot_loop(stage: Stage, ann: TelegramPerson) -> None:
    """Nothing would begin its rounds, so none is begun."""
    await stage.reading()
    ann.send(LOOP)
    assert "runs none of our hooks" in await told(ann)


async def test_a_loop_begun_at_the_terminal(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """`channels loop start`, as the skill runs it: this turn is the first round; approvers read how it ended."""
    await HookedTurn(host).prompt()
    ran = await stage.cli("loop", "start", "tidy up", "--max", "3")
    assert ran.code == 0
    assert "<promise>DONE</promise>" in ran.out
    again = await stage.cli("loop", "start", "more")
    assert (again.code, "runs in this session already" in again.err) == (1, True)
    (listed,) = (await stage.cli("loop", "status", "--json")).json["loops"]
    assert (listed["channel"], listed["round"], listed["max"], listed["chat_id"]) == ("telegram", 1, 3, None)
    assert (await stop(hooks)).startswith("Round 2 of 3")
    assert await stop(hooks, "<promise>DONE</promise>", stop_hook_active=True) == ""
    with Store.open(stage.state) as store:
        assert Services.of(store).access.approver_chats() == [(str(ann.id), None)]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("start", "x", "--max", "0"), 2, "from 1 to 100"),
        (("start", "x", "--max", "ten"), 2, "from 1 to 100"),
        (("start", " "), 2, "Say what the agent should do"),
        (("start", "x", "--until", "a<b"), 2, "without < and >"),
        (("start",), 2, "TEXT"),
        (("start", "x"), 1, "no hook of ours has run"),
    ],
)
async def test_what_the_verb_refuses(stage: Stage, arguments: tuple[str, ...], code: int, says: str) -> None:
    """Wrong usage exits with 2, what cannot be begun with 1; both say what would be right."""
    stage.person()
    ran = await stage.cli("loop", *arguments)
    assert (ran.code, says in ran.err) == (code, True), ran.err


async def test_outside_of_a_session(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """In any shell of the project a loop can be seen and ended, and none begun."""
    await begin(stage, ann, HookedTurn(host))
    outside: dict[str, str | None] = {"CLAUDE_CODE_SESSION_ID": None}
    assert "belongs to an agent's session" in (await stage.cli("loop", "start", "x", **outside)).err
    assert "round 1 of 5  begun by ann in telegram chat" in (await stage.cli("loop", "status", **outside)).out
    assert (await stage.cli("loop", "stop", **outside)).out == "1 loop stopped.\n"
    assert "stopped by the terminal" in await told(ann)
    assert await stop(hooks) == ""


async def test_a_failure_ends_the_loop(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """An agent that cannot go on is not called again; Escape at the terminal is seen when the host says it is idle."""
    turn = HookedTurn(host)
    await begin(stage, ann, turn)
    await turn.hook("StopFailure", error="rate_limit", words="limit")
    texts = {await told(ann), await told(ann)}
    assert "⚠️ Loop ended in round 1 of 5: the agent could not go on." in texts
    following = HookedTurn(host)
    await begin(stage, ann, following)
    await following.hook("Notification", kind="idle_prompt", words="waiting")
    assert len(running(stage)) == 1
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE loops SET moved_at = moved_at - 60")
    await following.hook("Notification", kind="idle_prompt", words="waiting")
    assert await told(ann) == "⏹ Loop ended in round 1 of 5: somebody interrupted it at the terminal."


async def test_two_channels_and_two_loops(stage: Stage, hooks: Hooks, ann: TelegramPerson, host: Host) -> None:
    """A loop begun in another channel's chat in the same session is the second one, and is ended."""
    await begin(stage, ann, HookedTurn(host))
    other = Path(stage.project) / "state" / "discord"
    make_state_folder(other)
    with Store.open(other) as store:
        assert Services.of(store).loops.start(LoopSpec("other work"), SESSION, "", (None, "bob"))
    going_on = await stop(hooks)
    assert going_on.startswith("Round 2 of 5")
    assert "other work" not in going_on
    with Store.open(other) as store:
        assert Services.of(store).loops.running() == []
    refused = await stage.cli("loop", "start", "third")
    assert "a loop runs in this session already" in refused.err
