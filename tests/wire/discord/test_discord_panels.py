"""Grids on Discord: rows, menus, forms; every tap is acknowledged first, and everybody gets an answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agent_channels.sandbox.discord.people import DiscordPerson
from harness import DiscordStage, Host, is_closed


def now(person: DiscordPerson, message: dict[str, Any]) -> dict[str, Any]:
    return next(m for m in person.messages() if m["id"] == message["id"])


def rows_of(message: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [row["components"] for row in message["components"]]


async def sent(host: Host, person: DiscordPerson, buttons: list[Any], text: str = "Which?") -> dict[str, Any]:
    """A grid as the person sees it, on the last of the messages that came."""
    result = await host.done("reply", chat_id=str(person.dm.id), text=text, buttons=buttons)
    messages = [await person.next_message() for _ in range(max(1, result.split(";")[0].count(",") + 1))]
    return messages[-1]


def wide(count: int, label: str = "選項") -> list[list[str]]:
    """So many long labels, five in a row: 40 characters of which most are wide, and a number."""
    labels = [f"{label * 19}{number:03}" for number in range(count)]
    return [labels[i : i + 5] for i in range(0, count, 5)]


async def test_twenty_five_long_labels_are_buttons(stage: DiscordStage) -> None:
    """25 CJK labels of 41 characters are drawn as 5 rows of 5, and the tap has the whole label."""
    ann = stage.person()
    host = await stage.reading()
    grid = await sent(host, ann, wide(25))
    assert [len(row) for row in rows_of(grid)] == [5] * 5
    ann.tap(grid, row=4, col=4)
    event = await host.event()
    assert event.content == wide(25)[4][4]
    assert (event.meta["button_row"], event.meta["button_col"]) == ("4", "4")


async def test_labels_beyond_eighty_characters_are_written_out(stage: DiscordStage) -> None:
    """25 CJK labels of 120 characters: cut behind their number, in full above the grid; the event has all of it."""
    labels = [f"{number:02}" + "很長的標籤" * 24 for number in range(25)]
    ann = stage.person()
    host = await stage.reading()
    grid = await sent(host, ann, [labels[i : i + 5] for i in range(0, 25, 5)])
    cells = [cell for row in rows_of(grid) for cell in row]
    assert all(len(cell["label"]) <= 80 for cell in cells)
    assert [cell["label"].split(".")[0] for cell in cells] == [str(n) for n in range(1, 26)]
    told = "\n".join(str(message["content"]) for message in ann.inbox)
    assert all(f"{number}. {label}" in told for number, label in enumerate(labels, 1))
    ann.tap(grid, row=2, col=1)
    event = await host.event()
    assert (event.content, event.meta["button_label"]) == (labels[11], labels[11])


@pytest.mark.parametrize(("count", "menus"), [(26, [25, 1]), (125, [25] * 5)])
async def test_more_than_twenty_five_become_menus(stage: DiscordStage, count: int, menus: list[int]) -> None:
    """26 and 125 buttons: menus of up to 25 options each; the chosen option counts as the button, and the menus go."""
    ann = stage.person()
    host = await stage.reading()
    grid = await sent(host, ann, wide(count))
    assert [len(row[0]["options"]) for row in rows_of(grid)] == menus
    ann.select(grid, [wide(count)[-1][-1]])
    event = await host.event()
    assert event.content == wide(count)[-1][-1]
    position = count - 1
    assert (event.meta["button_row"], event.meta["button_col"]) == (str(position // 5), str(position % 5))
    await stage.dc.wait_for(lambda: is_closed(now(ann, grid)))


async def test_a_hundred_and_twenty_six_are_refused(stage: DiscordStage) -> None:
    """126 buttons, and a link among 26, are refused with the limit before anything is sent."""
    ann = stage.person()
    host = await stage.reading()
    why = await host.refused("reply", chat_id=str(ann.dm.id), text="x", buttons=wide(126))
    assert "126" in why
    assert "125" in why
    linked = [*wide(25), [{"label": "Docs", "url": "https://example.org"}]]
    assert "links" in await host.refused("reply", chat_id=str(ann.dm.id), text="x", buttons=linked)
    assert ann.inbox == []


async def test_a_high_grid_is_laid_out_again(stage: DiscordStage) -> None:
    """Nine rows of one button become two rows; row and column of a tap are those of the grid as it was given."""
    ann = stage.person()
    host = await stage.reading()
    grid = await sent(host, ann, [[str(number)] for number in range(9)])
    assert [[cell["label"] for cell in row] for row in rows_of(grid)] == [list("01234"), list("5678")]
    ann.tap(grid, label="7")
    event = await host.event()
    assert (event.content, event.meta["button_row"], event.meta["button_col"]) == ("7", "7", "0")


async def test_styles_and_links(stage: DiscordStage) -> None:
    """Every style has its colour, a link opens a page and has no data."""
    ann = stage.person()
    host = await stage.reading()
    names = ("primary", "secondary", "success", "danger")
    buttons = [
        [{"label": name, "style": name} for name in names],
        [{"label": "Docs", "url": "https://example.org/a?b=(c)"}, "plain"],
    ]
    first, second = rows_of(await sent(host, ann, buttons))
    assert [cell["style"] for cell in first] == [1, 2, 3, 4]
    assert (second[0]["style"], second[0]["url"], "custom_id" in second[0]) == (5, "https://example.org/a?b=(c)", False)


async def test_every_tap_is_acknowledged_before_anything_else(stage: DiscordStage) -> None:
    """While the disk is busy and the platform slow, the acknowledgement goes out at once: no tap fails."""
    ann = stage.person()
    host = await stage.reading()
    grid = await sent(host, ann, [["Yes", "No"]])
    # Messages that the reader fetches from before its connection are not an answer to the tap.
    await stage.dc.wait_for(lambda: stage.dc.calls_of("GET /channels/*/messages") or None)
    mark = len(stage.dc.calls)
    tap = ann.tap(grid, label="Yes")
    assert (await tap.answered()).type == 6
    await host.event()
    assert "callback" in stage.dc.calls[mark].method
    assert not tap.failed


async def test_made_up_foreign_and_late_taps_are_told(stage: DiscordStage) -> None:
    """Unknown data, a person without permission, an expired grid, a second tap: each is told why, in private."""
    ann, bob = stage.person("ann"), stage.person("bob")
    team = stage.dc.guild("Team", members=[ann, bob])
    room = team.channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    host = await stage.reading()
    await host.done("reply", chat_id=str(room.id), text="Ann?", buttons=[["Yes", "No"]], tappers=[str(ann.id)])
    grid = await room.next_message()
    assert "somebody else" in (await bob.tap(grid, label="Yes").next_message())["content"]
    made_up = await ann.tap(grid, custom_id="x" * 22 + ".0").next_message()
    assert made_up["content"]
    assert [one["id"] for one in ann.ephemerals] == [made_up["id"]]
    stranger = stage.dc.person("eve")
    team.add(stranger)
    ann.tap(grid, label="Yes")
    assert (await host.event()).meta["user"] == "ann"
    again = await ann.tap(grid, custom_id=rows_of(grid)[0][1]["custom_id"]).next_message()
    assert "lready answered: Yes" in again["content"]
    assert len(host.events) == 1
    shown = next(m for m in room.messages() if m["id"] == grid["id"])
    assert is_closed(shown)
    assert "Yes" in shown["content"]


async def test_a_grid_survives_restarts(stage: DiscordStage) -> None:
    """Sent by one process, tapped under the next, which never saw it: the same event, no view state needed."""
    ann = stage.person()
    host = await stage.reading()
    grid = await sent(host, ann, [["Yes", {"label": "No", "value": "n"}]])
    await host.kill()
    host = await stage.reading()
    ann.tap(grid, label="No")
    event = await host.event()
    assert (event.content, event.meta["button_value"]) == ("No", "n")


async def test_words_of_ones_own_are_typed_into_a_form(stage: DiscordStage) -> None:
    """`other: true`: its button opens a form at once; the text typed there is the answer, and the only event."""
    ann = stage.person()
    host = await stage.reading()
    ask = {"text": "Which colour?", "buttons": [["Red", "Blue"]], "other": True, "timeout_s": 60}
    call = host.calling("ask", chat_id=str(ann.dm.id), **ask)
    question = await ann.next_message()
    tap = ann.tap(question, label="Other…")
    assert (await tap.answered()).type == 9
    form = tap.submit(text="Teal, rather")
    assert (await form.answered()).type == 6
    answered = json.loads((await host.answered(call)).text)
    assert (answered["text"], answered["other"], answered["user"]) == ("Teal, rather", True, "ann")
    await stage.dc.wait_for(lambda: is_closed(now(ann, question)))
    assert "Teal, rather" in now(ann, question)["content"]
    late = await tap.submit(text="too late").next_message()
    assert "Teal, rather" in late["content"]
    assert host.events == []


async def test_a_form_among_menus(stage: DiscordStage) -> None:
    """30 choices and words of one's own: the option opens the form too."""
    ann = stage.person()
    host = await stage.reading()
    ask = {"text": "Which?", "buttons": wide(30), "other": True, "timeout_s": 60}
    call = host.calling("ask", chat_id=str(ann.dm.id), **ask)
    question = await ann.next_message()
    tap = ann.select(question, ["Other…"])
    assert (await tap.answered()).type == 9
    tap.submit(text="none of these")
    assert json.loads((await host.answered(call)).text)["text"] == "none of these"


async def test_ten_at_once_count_once(stage: DiscordStage) -> None:
    """Ten people tap the same grid in the same moment: one event, nine are told what was chosen."""
    people = [stage.person(f"p{number}") for number in range(10)]
    room = stage.dc.guild("Team", members=people).channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    host = await stage.reading()
    await host.done("reply", chat_id=str(room.id), text="First come", buttons=[["Mine"]])
    grid = await room.next_message()
    taps = [person.tap(grid, label="Mine") for person in people]
    await host.event()
    answers = await asyncio.gather(*(tap.answered() for tap in taps))
    assert {answer.type for answer in answers} == {6}
    await stage.dc.wait_for(lambda: sum(bool(tap.messages) for tap in taps) == 9)
    assert len(host.events) == 1


async def test_forged_data_never_counts_not_even_an_approvers(stage: DiscordStage) -> None:
    """The place of a link, and data that the tapped message has no button for, choose nothing; the grid stays open."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    grid = await sent(host, ann, [[{"label": "Docs", "url": "https://example.com"}, "Ship"]])
    other = await sent(host, ann, [["Something else"]])
    ship = rows_of(grid)[0][1]["custom_id"]
    panel = ship.removesuffix(".1")
    for forged, message in ((f"{panel}.0", grid), (f"{panel}.2", grid), (ship, other)):
        tap = ann.tap(message, custom_id=forged)
        assert "button" in (await tap.next_message())["content"].lower()
    assert rows_of(now(ann, grid)) == rows_of(grid)
    assert rows_of(now(ann, other)) == rows_of(other)
    ann.tap(grid, label="Ship")
    assert (await host.event()).meta["button_label"] == "Ship"
