"""Grids on Slack: buttons, menus, forms; every tap is acknowledged in time, and everybody gets an answer."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.sandbox.slack.people import SlackPerson
from harness import Host, SlackStage, is_closed
from slack_reading import actions, read


def now(person: SlackPerson, message: dict[str, Any]) -> dict[str, Any]:
    return next(m for m in person.messages() if m["ts"] == message["ts"])


async def sent(host: Host, person: SlackPerson, buttons: list[Any], text: str = "Which?") -> dict[str, Any]:
    """A grid as the person sees it, on the last of the messages that came."""
    await host.done("reply", chat_id=person.dm.id, text=text, buttons=buttons)
    while True:
        message = await person.next_message()
        if actions(message):
            return message


def keys(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for row in actions(message) for key in row for one in key.get("options", [key])]


async def test_long_labels_in_grids_of_every_size(stage: SlackStage) -> None:
    """CJK labels of 120 characters: cut behind their number, in full above the grid; the event has all of it.

    Up to 25 are buttons, five in a row; more are menus.
    """
    ann = stage.person()
    host = await stage.reading()
    for count in (1, 25, 26, 100):
        labels = [f"{count}-{number:03}" + "很長的標籤" * 24 for number in range(count)]
        grid = await sent(host, ann, [labels[at : at + 5] for at in range(0, count, 5)])
        cells = keys(grid)
        assert all(len(cell["text"]["text"]) <= 75 for cell in cells)
        assert [cell["text"]["text"].split(".")[0] for cell in cells] == [str(number) for number in range(1, count + 1)]
        kinds = {key["type"] for row in actions(grid) for key in row}
        assert kinds == ({"button"} if count <= 25 else {"static_select"})
        assert max(len(row) for row in actions(grid)) <= 5
        told = "\n".join(read(message) for message in ann.inbox)
        assert all(f"{number}. {label}" in told for number, label in enumerate(labels, 1))
        last = cells[-1]
        tap = ann.tap(grid, label=last["text"]["text"]) if count <= 25 else ann.select(grid, last["value"])
        event = await host.event()
        assert event.content == labels[-1]
        assert (event.meta["button_row"], event.meta["button_col"]) == (str((count - 1) // 5), str((count - 1) % 5))
        await stage.slack.wait_for(lambda: tap.answer)  # noqa: B023
        await stage.slack.wait_for(lambda: is_closed(now(ann, grid)))  # noqa: B023
        assert labels[-1][:40] in read(now(ann, grid))


async def test_foreign_second_and_late_taps_are_told(stage: SlackStage) -> None:
    """Whoever may not tap, tapped before, or taps what has expired is told so alone; nothing reaches the agent."""
    ann, bob = stage.person("ann"), stage.person("bob")
    eve = stage.slack.person("eve")
    room = stage.slack.channel("general", members=[ann, bob, eve])
    assert (await stage.access("group", "add", room.id, "--allow", f"{ann.id},{bob.id}")).code == 0
    host = await stage.reading()
    await host.done("reply", chat_id=room.id, text="Ship?", buttons=[[{"label": "Yes", "style": "danger"}, "No"]])
    grid = next(m for m in room.messages() if actions(m))
    (yes, no) = actions(grid)[0]
    assert (yes["style"], "style" in no) == ("danger", False)
    foreign = await eve.tap(grid, label="Yes").next_message()
    assert read(foreign)
    assert foreign["is_ephemeral"]
    ann.tap(grid, label="No")
    assert (await host.event()).content == "No"
    await host.done("reply", chat_id=room.id, text="Not now, then")
    second = await bob.tap_gone(grid, yes).next_message()
    assert "lready answered: No" in read(second)
    await host.close()
    # The next process knows what the last one asked.
    host = await stage.reading()
    late = await bob.tap_gone(grid, yes).next_message()
    assert "lready answered: No" in read(late)
    unknown = {**yes, "value": "x" * 22 + ".0"}
    assert read(await bob.tap_gone(grid, unknown).next_message())
    assert host.events == []


async def test_an_answer_in_own_words_is_typed_in_a_form(stage: SlackStage) -> None:
    """`other` opens a form at once; what is typed in it is the answer, and cancelling it is none."""
    ann = stage.person()
    host = await stage.reading()
    ask = {"text": "Which colour?", "buttons": [["Red", "Blue"]], "other": True, "timeout_s": 60}
    call = host.calling("ask", chat_id=ann.dm.id, **ask)
    grid = await ann.next_message()
    tap = ann.tap(grid, label="Other…")
    await tap.opened()
    assert "Which colour?" in str(ann.modal)
    tap.cancel()
    again = ann.tap(grid, label="Other…")
    await again.opened()
    form = again.submit(text="Teal, 深藍")
    answered = json.loads((await host.answered(call)).text)
    assert (answered["text"], answered["other"], answered["user"]) == ("Teal, 深藍", True, "ann")
    await stage.slack.wait_for(lambda: form.answer)
    await stage.slack.wait_for(lambda: is_closed(now(ann, grid)))
    assert "Teal, 深藍" in read(now(ann, grid))
    assert "Teal" in read(await ann.tap_gone(grid, keys(grid)[0]).next_message())
    assert host.events == []


async def test_slash_commands_are_answered_without_the_agent(stage: SlackStage) -> None:
    """Whoever sends one alone sees the answer, in a channel too, and nothing reaches the agent."""
    ann = stage.person()
    room = stage.slack.channel("general", members=[ann])
    assert (await stage.access("group", "add", room.id)).code == 0
    stage.slack.set_commands("agent-status", "agent-help")
    host = await stage.reading()
    told = await ann.command("agent-status").next_message()
    assert told["is_ephemeral"]
    assert read(await ann.command("agent-help", channel=room).next_message()) != read(told)
    assert [m for m in room.messages() if m.get("user") == stage.slack.bot_id] == []
    assert host.events == []


async def test_a_long_text_and_a_hundred_long_labels(stage: SlackStage) -> None:
    """Together they are more than a message holds: the grid comes right below, and its tap is the answer."""
    ann = stage.person()
    host = await stage.reading()
    labels = [f"{number:03}" + "標" * 72 for number in range(100)]
    grid = await sent(host, ann, [labels[at : at + 5] for at in range(0, 100, 5)], text="字" * 3900)
    assert [read(message) for message in ann.inbox] == ["字" * 3900, "👇"]
    ann.select(grid, labels[63])
    assert (await host.event()).content == labels[63]
    await stage.slack.wait_for(lambda: is_closed(now(ann, grid)))


async def test_two_halves_of_a_message_are_sent_once_each(stage: SlackStage) -> None:
    """A file and the buttons below it, a long text and its hundred buttons: also at one message a second."""
    ann = stage.person()
    (stage.project / "a.txt").write_text("hello")
    host = await stage.reading()
    stage.slack.set_flood()
    await host.done("reply", chat_id=ann.dm.id, text="first")
    await host.done("reply", chat_id=ann.dm.id, text="Take it?", files=["a.txt"], buttons=[["Good", "Bad"]])
    labels = [f"{number:03}" + "標" * 72 for number in range(100)]
    rows = [labels[at : at + 5] for at in range(0, 100, 5)]
    await host.done("reply", chat_id=ann.dm.id, text="字" * 3900, buttons=rows)
    messages = ann.messages()
    assert [len(message.get("files") or ()) for message in messages] == [0, 1, 0, 0, 0]
    assert [bool(actions(message)) for message in messages] == [False, False, True, False, True]


async def test_a_half_that_cannot_be_sent_is_told(stage: SlackStage) -> None:
    """The file is there once; the agent learns that the buttons are not sure to be, and does not send it again."""
    ann = stage.person()
    (stage.project / "a.txt").write_text("hello")
    host = await stage.reading()
    refused = {"ok": False, "error": "restricted_action"}
    stage.slack.faults.add("error", method="chat.postMessage", status=200, body=refused)
    why = await host.refused("reply", chat_id=ann.dm.id, text="Take it?", files=["a.txt"], buttons=[["Good"]])
    assert "first half was sent" in why
    assert [len(message.get("files") or ()) for message in ann.messages()] == [1]
