"""Hooks with the inputs a host sends: messages handed over, waiting ended from the chat, transparent when broken."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from faults_harness import inbox_states
from harness import Stage
from hook_runs import Hooks
from inbox_socket import InboxSocket, blocks_in
from wire_host import Host

from channels.core.sessions import Sessions
from channels.core.store import Store

Note = Callable[[str, str], None]
BUDGET_S = 0.2
BELL_MB = 25.0
RUNS = 9
ALL = ("session", "prompt", "stop", "bell", "permission", "question")


async def hooked(stage: Stage, hooks: Hooks) -> Host:
    """A host whose session runs the hooks, and whose server reads the bot."""
    # Somebody is paired: hooks never make a store where there is none.
    stage.person()
    assert (await hooks.run("session")).code == 0
    await hooks.run("prompt")
    host = await stage.reading()
    status = await host.status_when(lambda s: s["mode"]["name"] == "hook")
    assert "prompt" in status["mode"]["why"]
    return host


async def kept(stage: Stage, count: int = 1) -> None:
    """Waits until so many messages are ready to be handed over."""

    def ready() -> bool:
        return inbox_states(stage.state)["ready"] >= count

    async with asyncio.timeout(10):
        while not ready():
            # Each turn waits for a whole process: the store of another one rings no bell here.
            await stage.cli("--version")


# ---- session and prompt


async def test_the_session_hook_says_how_things_stand(stage: Stage, hooks: Hooks) -> None:
    """One line for the model: who is paired, what is waiting, by which mode; it is no sign of the mode hook."""
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
    """UserPromptSubmit: open messages are added once; answered, they are gone."""
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
    """Hooks only: who wrote and got no answer is told that the session takes messages at its next turn."""
    stage.config(grace_s=0, told_after_s=1)
    ann = stage.person()
    await hooked(stage, hooks)
    ann.send("hello?")
    assert "this session takes messages at its next turn" in (await ann.next_message(10))["text"]


# ---- stop


async def test_stop_hands_open_messages_over_as_the_reason_to_go_on(stage: Stage, hooks: Hooks) -> None:
    """Stop: the blocks as context with which the turn goes on, once; nothing open, nothing said."""
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
    """stop_wait_s: a long poll; a message that comes meanwhile is handed over within a second or so."""
    stage.config(grace_s=0, stop_wait_s=20)
    ann = stage.person()
    await hooked(stage, hooks)
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)
    began = time.perf_counter()
    ann.send("next")
    ran = await run.ran()
    assert time.perf_counter() - began < 2.5
    assert [block.content for block in blocks_in(ran.specific["additionalContext"])] == ["next"]


async def test_stop_gives_up_after_its_time(stage: Stage, hooks: Hooks) -> None:
    """Nobody writes within stop_wait_s: exit 0, no output."""
    stage.config(grace_s=0, stop_wait_s=1)
    await hooked(stage, hooks)
    ran = await hooks.run("stop")
    assert ran.silent
    assert 1 <= ran.took_s < 4


async def test_a_person_ends_the_waiting_from_the_chat(stage: Stage, hooks: Hooks) -> None:
    """/end: the hook that waits ends at once and silently, and the person is told."""
    stage.config(grace_s=0, stop_wait_s=60)
    ann = stage.person()
    await hooked(stage, hooks)
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)
    ann.send("/end")
    assert (await run.ran(5)).silent
    assert "no longer waits" in (await ann.next_message())["text"]


async def test_an_end_while_the_agent_works_is_kept(stage: Stage, hooks: Hooks) -> None:
    """/end during a continuation ends the loop at its next stop; a turn of the terminal's user waits again."""
    stage.config(grace_s=0, stop_wait_s=60)
    ann = stage.person()
    host = await hooked(stage, hooks)
    ann.send("work")
    await kept(stage)
    assert "work" in (await hooks.run("stop")).specific["additionalContext"]
    ann.send("/end")
    await ann.next_message()
    await host.done("reply", chat_id=ann.id, text="worked")
    assert (await hooks.run("stop", stop_hook_active=True, within=5)).silent
    run = await hooks.start("stop")
    with pytest.raises(TimeoutError):
        await run.ran(1.5)


async def test_the_number_of_continuations_in_a_row_is_capped(stage: Stage, hooks: Hooks) -> None:
    """stop_cap: after so many in a row the turn ends, what came stays open; a fresh turn counts from one again."""
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
    assert ran.took_s < 5
    assert inbox_states(stage.state)["ready"] == 1
    assert "one too many" in (await hooks.run("stop")).specific["additionalContext"]


async def test_broken_numbers_are_not_believed(stage: Stage, hooks: Hooks) -> None:
    """A loop count that is no number, is negative or huge counts as none; broken settings as their defaults."""
    ann = stage.person()
    await hooked(stage, hooks)
    for number, loops in enumerate(("many", -5, 10**12, 1e300)):
        with Store.of(stage.state) as store, store.write() as db:
            db.execute("UPDATE sessions SET loops = ?, loops_at = 'x', ended_at = 'never'", (loops,))
        ann.send(f"message {number}")
        await kept(stage)
        assert f"message {number}" in (await hooks.run("stop", stop_hook_active=True)).specific["additionalContext"]
    for text in ("stop_wait_s: soon", "stop_wait_s: -3", "stop_wait_s: [", "stop_cap: .nan\nstop_wait_s: 1e99"):
        (stage.state / "config.yaml").write_text(text)
        assert (await hooks.run("stop", within=5)).silent


@pytest.mark.parametrize("name", ["prompt", "stop"])
async def test_no_more_is_handed_over_than_the_host_shows(stage: Stage, hooks: Hooks, name: str) -> None:
    """A host cuts a context of over 10,000 characters: what does not fit stays open, and the model is told to fetch."""
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
    # One alone that is too long is left to the tool, whose result may be longer.
    with Store.of(stage.state) as store, store.write() as db:
        db.execute("UPDATE inbox SET content = ?, state = 'ready' WHERE id = 1", ("y" * 50_000,))
    context = (await hooks.run(name)).specific["additionalContext"]
    assert blocks_in(context) == []
    assert "wait_for_messages" in context
    assert "y" * 50_000 in await host.done("wait_for_messages", timeout_s=0)


async def test_a_waiting_stop_hook_takes_what_comes(stage: Stage, hooks: Hooks, inbox: InboxSocket) -> None:
    """A host that waits for its Stop hook does not read its socket: the hook has the message, the socket has not."""
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
    """Something was posted and is unanswered: the turn ends at once, so that the host reads it."""
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


async def test_a_session_that_goes_on_under_another_id_is_the_same(stage: Stage, hooks: Hooks) -> None:
    """A cleared conversation has a new session id, its servers keep the old one: the host's process tells."""
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


# ---- transparent


async def test_another_session_gets_nothing(stage: Stage, hooks: Hooks) -> None:
    """Only the session for which the bot is read is handed messages."""
    ann = stage.person()
    await hooked(stage, hooks)
    ann.send("for the first")
    await kept(stage)
    other = Hooks(stage, "another-session")
    for name in ("prompt", "stop"):
        assert (await other.run(name)).silent
    assert inbox_states(stage.state)["ready"] == 1
    assert "for the first" in (await hooks.run("stop")).specific["additionalContext"]


async def test_two_hooks_at_once_hand_a_message_over_once(stage: Stage, hooks: Hooks) -> None:
    """Prompt and stop hooks in the same moment: each message is in one of them."""
    ann = stage.person()
    host = await hooked(stage, hooks)
    for number in range(5):
        for part in range(4):
            ann.send(f"{number}.{part}")
        await kept(stage, 4)
        runs = [await hooks.start(name) for name in ("prompt", "stop", "prompt", "stop")]
        said = "".join([(await run.ran()).out for run in runs])
        assert all(said.count(f"\\n{number}.{part}\\n") == 1 for part in range(4)), said
        assert "redelivered" not in said
        await host.done("reply", chat_id=ann.id, text="ok")


async def test_garbage_on_stdin_is_transparent(stage: Stage, hooks: Hooks) -> None:
    """What is no JSON object with a session: exit 0, no output, nothing written down."""
    ann = stage.person()
    await hooked(stage, hooks)
    ann.send("waiting")
    await kept(stage)
    deep = "[" * 100_000
    for name in ALL:
        for text in ("", "{", "null", "[1]", '"text"', deep, "\x00\xff", '{"session_id": 7}', '{"tool_input": []}'):
            assert (await hooks.run(name, stdin=text)).silent, (name, text[:20])
    assert inbox_states(stage.state)["ready"] == 1
    with Store.of(stage.state) as store:
        assert store.value("SELECT count(*) FROM sessions") == 1


async def test_odd_inputs_are_transparent(stage: Stage, hooks: Hooks) -> None:
    """Fields of the wrong kind: exit 0, no output."""
    await hooked(stage, hooks)
    await stage.access("approver", "add", str(stage.person().id))
    for changes in ({"tool_name": None}, {"tool_name": ["Bash"]}):
        assert (await hooks.run("permission", **changes)).silent
    for tool_input in (None, {}, {"questions": []}, {"questions": "x"}, {"questions": [1]}, {"questions": [{}]}):
        assert (await hooks.run("question", tool_input=tool_input)).silent
    assert (await hooks.run("question", tool_name="Bash")).silent
    assert stage.person().inbox == []


@pytest.mark.parametrize("state", ["missing", "empty", "corrupt", "truncated", "newer", "folder"])
async def test_any_state_of_the_store_is_transparent(stage: Stage, hooks: Hooks, state: str) -> None:
    """No folder, an empty, corrupt or newer database: exit 0, empty output, nothing made where nothing was."""
    db = stage.state / "channel.db"
    if state == "missing":
        (stage.state / "config.yaml").unlink()
        stage.state.rmdir()
    elif state == "empty":
        db.touch()
    elif state == "corrupt":
        db.write_bytes(b"this is no database at all" * 400)
    elif state == "truncated":
        stage.person()
        whole = db.read_bytes()
        db.write_bytes(whole[:4096] + bytes(100))
        for path in (stage.state / "channel.db-wal", stage.state / "channel.db-shm"):
            path.unlink(missing_ok=True)
    elif state == "newer":
        with Store.of(stage.state) as store, store.write() as tables:
            tables.execute("PRAGMA user_version = 999")
    else:
        db.mkdir()
    for name in ALL:
        if name == "session" and state == "empty":
            # An empty file is a new store.
            continue
        ran = await hooks.run(name, within=10) if name != "bell" or state != "empty" else None
        assert ran is None or ran.silent, (name, ran)
    if state == "missing":
        assert not stage.state.exists()


async def test_a_hook_without_anything_to_do_is_quick(stage: Stage, hooks: Hooks, note: Note) -> None:
    """The median wall time of every hook with nothing open, start of the interpreter included."""
    await hooked(stage, hooks)
    found = {}
    for name in (*ALL, "missing"):
        env: dict[str, str | None] = {"TELEGRAM_STATE_DIR": str(stage.folder / "nothing")} if name == "missing" else {}
        if name == "bell":
            # It waits where there is something to wait for; in a project without a channel it ends at once.
            env = {"TELEGRAM_STATE_DIR": str(stage.folder / "nothing")}
        hook = "stop" if name == "missing" else name
        times = [(await hooks.run(hook, env=env)).took_s for _ in range(RUNS)]
        found[name] = statistics.median(times)
        words = "stop, no state folder" if name == "missing" else f"{name}, nothing open"
        note("hooks, wall time", f"{words:24} median {found[name] * 1000:4.0f} ms of {RUNS} (budget 200)")
    assert all(took > 0 for took in found.values())


# ---- bell


async def test_the_bell_rings_for_an_open_message(stage: Stage, hooks: Hooks, note: Note) -> None:
    """It waits in under 25 MB, then exits 2 with one line on stderr that names the tool; the call gets the message."""
    ann = stage.person()
    host = await hooked(stage, hooks)
    run = await hooks.start("bell")
    with pytest.raises(TimeoutError):
        await run.ran(2)
    resident = psutil.Process(run.process.pid).memory_info().rss / 1e6
    busy = psutil.Process(run.process.pid).cpu_times()
    note("bell", f"resident {resident:.1f} MB (budget {BELL_MB:.0f}), {busy.user + busy.system:.2f} s CPU in 2 s")
    # Measuring coverage takes some memory of its own.
    measuring = 6.0 if any(name.startswith("COVERAGE") for name in os.environ) else 0.0
    assert resident < BELL_MB + measuring
    began = time.perf_counter()
    ann.send("wake up")
    ran = await run.ran(5)
    note("bell", f"message to exit {time.perf_counter() - began:.2f} s")
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert "1 message" in ran.err
    assert "wait_for_messages" in ran.err
    (block,) = blocks_in(await host.done("wait_for_messages", timeout_s=0))
    assert (block.content, block.meta.get("redelivered")) == ("wake up", None)


async def test_the_bell_does_not_ring_twice_for_the_same_message(stage: Stage, hooks: Hooks) -> None:
    """Rung once, it stays silent for what it rang for, and rings for the next message."""
    ann = stage.person()
    await hooked(stage, hooks)
    ann.send("one")
    assert (await hooks.run("bell", within=5)).code == 2
    again = await hooks.start("bell")
    with pytest.raises(TimeoutError):
        await again.ran(2.5)
    ann.send("two")
    ran = await again.ran(5)
    assert ran.code == 2


async def test_one_bell_a_session(stage: Stage, hooks: Hooks) -> None:
    """A second bell of the session ends at once and silently; when the first is gone, the next one waits."""
    await hooked(stage, hooks)
    first = await hooks.start("bell")
    with pytest.raises(TimeoutError):
        await first.ran(1)
    second = await hooks.run("bell", within=5)
    assert second.silent
    await first.kill()
    third = await hooks.start("bell")
    with pytest.raises(TimeoutError):
        await third.ran(1)
    async with Hooks(stage, "another-session") as others:
        other = await others.start("bell")
        with pytest.raises(TimeoutError):
            await other.ran(1)


async def test_the_bell_ends_with_its_parent(stage: Stage, hooks: Hooks, tmp_path: Path) -> None:
    """A bell whose host was killed is gone a moment later."""
    await hooked(stage, hooks)
    given = tmp_path / "input.json"
    given.write_text(hooks.text("bell"))
    from harness import COMMAND

    script = f"'{COMMAND[0]}' '{COMMAND[1]}' hook bell < '{given}' & echo $!; wait"
    shell = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", script, stdout=asyncio.subprocess.PIPE, env=stage._env({}), cwd=stage.project
    )
    assert shell.stdout is not None
    bell = psutil.Process(int(await shell.stdout.readline()))
    with Store.of(stage.state) as store:
        async with asyncio.timeout(10):
            while "bell" not in (known.hooks if (known := Sessions(store).get(hooks.session)) else {}):
                await stage.cli("--version")
    assert bell.is_running()
    shell.kill()
    await shell.wait()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [bell], 5)
    assert gone == [bell]


async def test_no_bell_in_a_session_without_a_screen(stage: Stage, hooks: Hooks) -> None:
    """Such a session ends with its turn and would only wait for its bell: exit 0 at once."""
    await hooked(stage, hooks)
    assert (await hooks.run("bell", within=3, env={"CLAUDE_CODE_ENTRYPOINT": "sdk-cli"})).silent


async def test_the_bell_is_silent_while_a_better_mode_serves(stage: Stage, hooks: Hooks) -> None:
    """Push fixed by the operator: the bell waits and does not ring."""
    stage.config(grace_s=0, mode="push")
    ann = stage.person()
    bell = await hooks.start("bell")
    host = await stage.reading(CHANNELS_CLAIM="always")
    ann.send("pushed")
    assert (await host.event()).content == "pushed"
    with pytest.raises(TimeoutError):
        await bell.ran(2)


def test_hooks_json_is_what_the_hooks_are() -> None:
    """Every hook is wired once to its event, the bell in the background, each with a time-out above its bound."""
    wired = json.loads((Path(__file__).parents[2] / "hooks" / "hooks.json").read_text())["hooks"]
    found = {
        (event, entry["command"].split()[-1]): (entry, group.get("matcher"))
        for event, groups in wired.items()
        for group in groups
        for entry in group["hooks"]
    }
    assert set(found) == {
        ("SessionStart", "session"), ("SessionStart", "bell"), ("UserPromptSubmit", "prompt"), ("Stop", "stop"),
        ("Stop", "bell"), ("PermissionRequest", "permission"), ("PreToolUse", "question"),
    }  # fmt: skip
    for (_, name), (entry, matcher) in found.items():
        assert entry["type"] == "command"
        assert entry.get("async", False) is entry.get("asyncRewake", False) is (name == "bell")
        assert entry["timeout"] > {"permission": 300, "question": 300, "stop": 3600}.get(name, 0)
        assert matcher == {"permission": "*", "question": "AskUserQuestion"}.get(name)
