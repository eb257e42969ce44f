"""The status message of a turn in Discord's threads, which are chats of their own."""

from __future__ import annotations

from harness import DiscordStage
from hook_runs import SESSION, kept
from hooked_turns import HookedTurn


async def test_a_thread_has_its_own_message_and_what_its_channel_chose(stage: DiscordStage) -> None:
    """Shown in the thread and not in its channel, without a sound; /progress in the channel holds in its threads."""
    stage.config(grace_s=0, progress_after_s=0)
    stage.env |= {"CHANNELS_MODE": "hook", "CLAUDE_CODE_SESSION_ID": SESSION}
    ann = stage.person("ann")
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    room = stage.dc.guild("Team", members=[ann]).channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    host = await stage.reading()
    thread = room.thread("the plan", by=ann)
    ann.send("build it", channel=thread)
    await kept(stage)  # type: ignore[arg-type]
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.tool("Bash", "make _all_")
    message = await thread.next_message()
    assert message["content"].startswith("⏳ Working")
    assert message["flags"] & 1 << 12
    assert message["components"][0]["components"][0]["style"] == 4
    await stage.dc.wait_for(lambda: stage.dc.interactions.commands.commands or None)
    tap = ann.command("progress", channel=room)
    assert "Progress in this chat: on" in (await tap.next_message())["content"]
    tap = ann.command("progress", channel=room, what="off")
    assert "Progress in this chat: off" in (await tap.next_message())["content"]
    await stage.dc.wait_for(lambda: message["id"] not in {m["id"] for m in thread.messages()})
