"""The loop from Discord's menu of commands, in a direct chat and a thread of a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import DiscordStage
from hook_runs import SESSION, Hooks, kept
from hooked_turns import HookedTurn
from inbox_socket import blocks_in


@pytest.fixture
async def hooks(stage: DiscordStage) -> AsyncIterator[Hooks]:
    """Command hooks of the session that begins the loop."""
    stage.env |= {"CLAUDE_CODE_SESSION_ID": SESSION, "CHANNELS_MODE": "hook"}
    stage.config(grace_s=0, progress="off", answers="off")
    async with Hooks(stage) as made:
        yield made


async def test_a_loop_chosen_from_the_menu(stage: DiscordStage, hooks: Hooks) -> None:
    """Its words are free; in an enabled channel it is for approvers, and its rounds are told where it was begun."""
    ann, bob = stage.person(), stage.person("bob")
    room = stage.dc.guild("Team", members=[ann, bob]).channel("general")
    assert (await stage.access("group", "add", str(room.id))).code == 0
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    assert (await hooks.run("session")).code == 0
    host = await stage.reading()
    await stage.dc.wait_for(lambda: stage.dc.interactions.commands.commands or None)
    tap = bob.command("loop", channel=room, what="do it")
    refused = (await tap.next_message())["content"]
    assert refused.startswith("Only an approver can begin a loop. The operator makes you one: channels access discord")
    tap = ann.command("loop", channel=room, what='"work until it is done" --max 2')
    assert "Loop begun" in (await tap.next_message())["content"]
    await kept(stage)
    (block,) = blocks_in(await HookedTurn(host).prompt())
    assert block.content.startswith("work until it is done")
    assert block.meta["chat_id"] == str(room.id)
    ran = await hooks.run("stop", last_assistant_message="not yet")
    assert ran.specific["additionalContext"].startswith("Round 2 of 2")
    await stage.dc.wait_for(lambda: "🔁 Round 2 of 2" in [one["content"] for one in stage.dc.messages(room)] or None)
    tap = bob.command("loop", channel=room)
    assert (await tap.next_message())["content"].startswith("🔁 Round 2 of 2 · begun")
    tap = bob.command("loop", channel=room, what="stop")
    assert (await tap.next_message())["content"] == "⏹ The loop has ended."
    await stage.dc.wait_for(lambda: any("Loop stopped by bob" in m["content"] for m in stage.dc.messages(room)) or None)
    assert (await hooks.run("stop", stop_hook_active=True)).silent
    with Store.open(stage.state) as store:
        assert Services.of(store).loops.running() == []
