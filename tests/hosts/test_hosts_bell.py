"""The hook `bell`: waits at next to no cost, wakes the session once for a message, and ends with its host."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agent_channels.core.host.sessions import Sessions
from agent_channels.core.store.database import Store
from harness import Stage
from hook_runs import Hooks, hooked
from inbox_socket import blocks_in
from wire_host import eventually

Note = Callable[[str, str], None]
BELL_MB = 25.0


@pytest.mark.cold
async def test_the_bell_rings_for_an_open_message(stage: Stage, hooks: Hooks, note: Note) -> None:
    """It waits in under 25 MB, then exits with 2 and a line on stderr; the tool named there returns the message."""
    ann = stage.person()
    host = await hooked(stage, hooks)
    run = await hooks.start("bell")
    with pytest.raises(TimeoutError):
        await run.ran(2)
    resident = psutil.Process(run.process.pid).memory_info().rss / 1e6
    busy = psutil.Process(run.process.pid).cpu_times()
    note("bell", f"resident {resident:.1f} MB (budget {BELL_MB:.0f}), {busy.user + busy.system:.2f} s CPU in 2 s")
    assert resident < BELL_MB
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
    """It wakes the session once for a message, and again for the next one."""
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
    """A second one in a session ends at once without output; when the first is gone, the next one waits."""
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
    """It ends a moment after its host was killed."""
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
    with Store.open(stage.state) as store:
        sessions = Sessions(store)
        await eventually(lambda: "bell" in (known.hooks if (known := sessions.get(hooks.session)) else {}), "the bell")
    assert bell.is_running()
    shell.kill()
    await shell.wait()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [bell], 5)
    assert gone == [bell]


async def test_no_bell_in_a_session_without_a_screen(stage: Stage, hooks: Hooks) -> None:
    """Such a session ends with its turn and would only wait for the hook: exit code 0 at once."""
    await hooked(stage, hooks)
    assert (await hooks.run("bell", within=3, env={"CLAUDE_CODE_ENTRYPOINT": "sdk-cli"})).silent


async def test_the_bell_is_silent_while_a_better_mode_serves(stage: Stage, hooks: Hooks) -> None:
    """With `mode: push` it waits and does not wake the session."""
    stage.config(grace_s=0, mode="push")
    ann = stage.person()
    bell = await hooks.start("bell")
    host = await stage.reading(CHANNELS_CLAIM="always")
    ann.send("pushed")
    assert (await host.event()).content == "pushed"
    with pytest.raises(TimeoutError):
        await bell.ran(2)


def test_hooks_json_is_what_the_hooks_are() -> None:
    """Every hook has one entry per event, the bell runs in the background, and each time-out is above its bound."""
    wired = json.loads((Path(__file__).parents[2] / "hooks" / "hooks.json").read_text())["hooks"]
    found = {
        (event, entry["command"].split()[-1]): (entry, group.get("matcher"))
        for event, groups in wired.items()
        for group in groups
        for entry in group["hooks"]
    }
    assert set(found) == {
        ("SessionStart", "session"), ("SessionStart", "bell"), ("UserPromptSubmit", "prompt"), ("Stop", "stop"),
        ("Stop", "bell"), ("PermissionRequest", "permission"), ("PreToolUse", "question"), ("SessionEnd", "end"),
    }  # fmt: skip
    for (_, name), (entry, matcher) in found.items():
        assert entry["type"] == "command"
        assert entry.get("async", False) is entry.get("asyncRewake", False) is (name == "bell")
        assert entry["timeout"] > {"permission": 300, "question": 300, "stop": 3600}.get(name, 0)
        assert matcher == {"permission": "*", "question": "AskUserQuestion"}.get(name)
