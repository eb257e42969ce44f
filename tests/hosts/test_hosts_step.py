"""The hook `step`, for hosts whose hooks are commands: what runs is seen, messages come in between, a stop holds."""

from __future__ import annotations

from harness import Stage
from hook_runs import Hooks, hooked, kept
from inbox_socket import blocks_in

AFTER = {"hook_event_name": "PostToolBatch"}


async def test_a_turn_is_seen_steered_and_stopped(stage: Stage, hooks: Hooks) -> None:
    """A tool is shown while it runs; what comes meanwhile is handed over after it, once; /stop refuses the next one."""
    await hooked(stage, hooks)
    ann = stage.person()
    ann.send("go.")
    await kept(stage)
    assert [block.content for block in blocks_in((await hooks.run("prompt")).specific["additionalContext"])] == ["go."]
    assert (await hooks.run("step")).silent
    assert "Bash: npm test" in (await stage.cli("status", "telegram")).out
    ann.send("also this.")
    await kept(stage)
    added = (await hooks.run("step", **AFTER)).specific
    assert added["hookEventName"] == "PostToolBatch"
    assert [block.content for block in blocks_in(added["additionalContext"])] == ["also this."]
    assert (await hooks.run("step", **AFTER)).silent
    ann.send("/stop")
    await stage.tg.wait_for(lambda: any("Stopping" in m.get("text", "") for m in ann.messages()), 20)
    refused = (await hooks.run("step")).json
    assert refused["continue"] is False
    assert refused["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert (await hooks.run("step", **AFTER)).json == {"continue": False, "stopReason": "Stopped from the chat by ann"}
    await stage.tg.wait_for(lambda: any("Stopped by ann" in m.get("text", "") for m in ann.messages()), 20)
    # The stop was meant for that turn alone.
    assert (await hooks.run("step")).silent


async def test_a_step_without_a_channel_costs_nothing(stage: Stage, hooks: Hooks) -> None:
    """Where the bot is read for another session, or no session, a step is as if there were no hook."""
    stage.person()
    assert (await hooks.run("step")).silent
    assert (await hooks.run("step", **AFTER)).silent
    assert (await hooks.run("step", stdin="no JSON")).silent
