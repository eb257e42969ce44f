"""Typing is shown from delivery until the answer, with a cap."""

from __future__ import annotations

from harness import Stage


async def test_typing_is_shown_until_the_answer(stage: Stage) -> None:
    """Shown at once after delivery and again every few seconds; an answered chat shows it no longer."""
    ann, bob = stage.person("ann"), stage.person("bob")
    host = await stage.reading()
    ann.send("quick one")
    bob.send("slow one")
    await host.take(2)
    await stage.tg.wait_for(lambda: bool(stage.tg.typing(ann) and stage.tg.typing(bob)), 2)
    await host.done("reply", chat_id=ann.id, text="done")
    # Bob still waits, so it is shown again to him; by then it would have been to Ann.
    await stage.tg.wait_for(lambda: len(stage.tg.typing(bob)) >= 2, 8)
    assert len(stage.tg.typing(ann)) == 1


async def test_typing_ends_at_its_cap(stage: Stage) -> None:
    """After typing_cap_s it is not shown any more, although nobody answered; a cap of 0 never shows it."""
    stage.config(grace_s=0, typing_cap_s=1)
    ann, bob = stage.person("ann"), stage.person("bob")
    host = await stage.reading()
    ann.send("hello?")
    await host.event()
    await stage.tg.wait_for(lambda: bool(stage.tg.typing(ann)), 2)
    stage.config(grace_s=0, typing_cap_s=0)
    await host.close()
    host = await stage.reading()
    bob.send("and me?")
    await host.take(2)
    await host.done("reply", chat_id=bob.id, text="here")
    await host.done("reply", chat_id=ann.id, text="here")
    assert len(stage.tg.typing(ann)) == 1
    assert stage.tg.typing(bob) == []
