"""Floods on Discord: each interaction wants an answer within three seconds, and one person's hold up nobody."""

from __future__ import annotations

from agent_channels.discord.interactions import EACH_MAX
from harness import DiscordStage

FLOOD = 600


async def test_refused_taps_starve_nobody(stage: DiscordStage) -> None:
    """A few are acknowledged and answered; a stranger's code, a command's answer and taps that count come all the same.

    Also the taps of the one who made so many, as soon as they count.
    """
    ann, bob, eve = stage.person(), stage.person("bob"), stage.dc.person("eve")
    host = await stage.reading()
    for person in (ann, bob):
        await host.done("reply", chat_id=str(person.dm.id), text="Ship?", buttons=[["Yes"]])
    grids = [await person.next_message() for person in (ann, bob)]
    for number in range(FLOOD):
        bob.tap(grids[1], custom_id=f"{'x' * 22}.{number % 100}")
    eve.send("hello")
    ann.tap(grids[0], label="Yes")
    assert (await host.event()).meta["user_id"] == str(ann.id)
    bob.tap(grids[1], label="Yes")
    assert (await host.event()).meta["user_id"] == str(bob.id)
    assert "code" in (await eve.next_message())["content"]
    await stage.dc.wait_for(
        lambda: all(
            button.get("disabled")
            for person in (ann, bob)
            for row in person.inbox[0]["components"]
            for button in row["components"]
        )
    )
    assert len(stage.dc.calls_of("POST /interactions/*/*/callback")) <= 2 * EACH_MAX + FLOOD // 10
