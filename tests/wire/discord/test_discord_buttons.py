"""Small buttons and words for one person on Discord."""

from __future__ import annotations

import re

from harness import DiscordStage

PUT = "PUT /applications/*/commands"


async def test_who_may_not_answer_is_told_why_in_full(stage: DiscordStage) -> None:
    """The refusal has the person's id, the name of who may answer, the whole answer: nobody else sees any of it."""
    ann, bob = stage.person("ann"), stage.dc.person("bob")
    room = stage.dc.guild("Team", members=[ann, bob]).channel("general")
    assert (await stage.access("group", "add", str(room.id), "--allow", str(ann.id))).code == 0
    host = await stage.reading()
    label = "a long answer " * 30 + "end"
    await host.done("reply", chat_id=str(room.id), text="Ann?", buttons=[[label]], tappers=[str(ann.id)])
    message = await room.next_message()
    told = await bob.tap(message, row=0, col=0).next_message()
    assert f"`{bob.id}`" in told["content"]
    data = message["components"][0]["components"][0]["custom_id"]
    ann.tap(message, row=0, col=0)
    await host.event()
    late = await ann.tap(message, custom_id=data).next_message()
    assert label in late["content"]
    assert [one["id"] for one in bob.ephemerals] == [told["id"]]
    assert len(room.messages()) == 1


async def test_a_server_sees_neither_the_question_nor_the_code(stage: DiscordStage) -> None:
    """/pair in a channel is answered to its sender alone, with a moment; who is let in hears of it directly."""
    ann, eve = stage.person("ann"), stage.dc.person("eve")
    room = stage.dc.guild("Team", members=[ann, eve]).channel("general")
    await stage.reading()
    await stage.dc.wait_for(lambda: stage.dc.calls_of(PUT) or None)
    told = (await eve.command("pair", channel=room).next_message())["content"]
    code = re.search(r"`([A-Z2-9]{8})`", told)
    assert code, told
    assert re.search(r"<t:\d{10}:t>", told)
    assert room.messages() == []
    assert (await stage.access("pair", code[1])).code == 0
    assert "Paired" in (await eve.next_message())["content"]
    known = (await eve.command("pair", channel=room).next_message())["content"]
    assert "You're paired" in known


async def test_times_are_shown_in_the_readers_own_zone(stage: DiscordStage) -> None:
    """In a stranger's direct chat the code stays code, and what copies on other platforms is left out."""
    eve = stage.dc.person("eve")
    await stage.reading()
    eve.send("hello")
    offer = await eve.next_message()
    assert re.search(r"`[A-Z2-9]{8}`", offer["content"])
    assert re.search(r"<t:\d{10}:t>", offer["content"])
    assert "UTC" not in offer["content"]
    assert offer["components"] == []


async def test_of_a_menu_the_chosen_option_stays_as_a_button(stage: DiscordStage) -> None:
    """It does nothing any more, and no menu is left."""
    ann = stage.person()
    host = await stage.reading()
    labels = [f"choice {number}" for number in range(30)]
    await host.done("reply", chat_id=str(ann.dm.id), text="Which?", buttons=[labels])
    message = await ann.next_message()
    ann.select(message, ["choice 29"])
    await host.event()
    await stage.dc.wait_for(lambda: len(ann.messages()[-1]["components"]) == 1)
    (row,) = ann.messages()[-1]["components"]
    assert [(key["label"], key["disabled"]) for key in row["components"]] == [("choice 29", True)]
