"""Hooks that have nothing to do, or cannot do it: exit code 0, no output, in any state of the store."""

from __future__ import annotations

import shutil

import pytest

from agent_channels.core.store.database import Store
from faults_harness import inbox_states
from harness import Stage
from hook_runs import Hooks, hooked, kept

ALL = ("session", "prompt", "stop", "bell", "permission", "question", "end")


async def test_another_session_gets_nothing(stage: Stage, hooks: Hooks) -> None:
    """Only the session for which the bot is read gets messages."""
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
    """Prompt and stop hooks at the same moment: each message is in the output of exactly one."""
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
    """Input that is not a JSON object with a session: exit code 0, no output, nothing stored."""
    ann = stage.person()
    await hooked(stage, hooks)
    ann.send("waiting")
    await kept(stage)
    deep = "[" * 100_000
    for name in ALL:
        assert (await hooks.run(name, stdin=deep, cold=True)).silent, name
        for text in ("", "{", "null", "[1]", '"text"', deep, "\x00\xff", '{"session_id": 7}', '{"tool_input": []}'):
            assert (await hooks.run(name, stdin=text)).silent, (name, text[:20])
    assert inbox_states(stage.state)["ready"] == 1
    with Store.open(stage.state) as store:
        assert store.value("SELECT count(*) FROM sessions") == 1


async def test_odd_inputs_are_transparent(stage: Stage, hooks: Hooks) -> None:
    """Fields of the wrong type: exit code 0, no output."""
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
    """No folder, an empty, corrupt or newer database: exit code 0, nothing for the host; stderr names what is wrong."""
    db = stage.state / "channel.db"
    if state == "missing":
        shutil.rmtree(stage.state)
    elif state == "empty":
        db.touch(mode=0o600)
    elif state == "corrupt":
        db.touch(mode=0o600)
        db.write_bytes(b"this is no database at all" * 400)
    elif state == "truncated":
        stage.person()
        whole = db.read_bytes()
        db.write_bytes(whole[:4096] + bytes(100))
        for path in (stage.state / "channel.db-wal", stage.state / "channel.db-shm"):
            path.unlink(missing_ok=True)
    elif state == "newer":
        with Store.open(stage.state) as store, store.transaction() as tables:
            tables.execute("PRAGMA user_version = 999")
    else:
        db.mkdir()
    for name in ALL:
        if name == "session" and state == "empty":
            # An empty file is a new store.
            continue
        ran = await hooks.run(name, within=10) if name != "bell" or state != "empty" else None
        assert ran is None or (ran.code, ran.out) == (0, ""), (name, ran)
        assert ran is None or state in {"missing", "empty", "folder"} or str(db) in ran.err, (name, ran)
    if state == "missing":
        assert not stage.state.exists()
