"""Grids of buttons on the real wire: any label, limits told before anything is sent, one answer each, in any chat."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Event, Host, Stage, is_closed


async def show(stage: Stage, host: Host, person: TelegramPerson, buttons: Any, **more: Any) -> dict[str, Any]:
    """Sends a grid and returns the message that holds it."""
    await host.done("reply", chat_id=person.id, text="Which one?", buttons=buttons, **more)
    return await person.next_message()


def labels(message: dict[str, Any]) -> list[list[str]]:
    return [[key["text"] for key in row] for row in message["reply_markup"]["inline_keyboard"]]


def data(message: dict[str, Any], row: int, col: int) -> str:
    return str(message["reply_markup"]["inline_keyboard"][row][col]["callback_data"])


def chosen(event: Event) -> tuple[str, str, str]:
    meta = event.meta
    assert meta["button"] == "true"
    return meta["button_value"], meta["button_row"], meta["button_col"]


async def test_a_label_of_200_cjk_characters(stage: Stage) -> None:
    """A label far above what fits into callback data is sent whole, tapped, and comes back whole."""
    ann, label = stage.person(), "選択肢" * 66 + "終了"
    host = await stage.reading()
    grid = await show(stage, host, ann, [[label], ["短い"]])
    assert labels(grid) == [[label], ["短い"]]
    tap = ann.tap(grid["message_id"], label=label)
    event = await host.event()
    assert event.content == label
    assert event.meta["button_label"] == label
    assert chosen(event) == (label, "0", "0")
    assert len((await tap.answered()).text) <= 200
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[-1]))
    assert ann.messages()[-1]["text"].startswith("Which one?")


async def test_labels_that_share_100_characters_are_kept_apart(stage: Stage) -> None:
    """Two labels with 100 equal characters at their beginning are two buttons."""
    ann = stage.person()
    host = await stage.reading()
    one, two = "same " * 20 + "one", "same " * 20 + "two"
    grid = await show(stage, host, ann, [[one, two]])
    ann.tap(grid["message_id"], label=two)
    assert chosen(await host.event()) == (two, "0", "1")


async def test_equal_labels_are_kept_apart(stage: Stage) -> None:
    """Equal labels differ by value, row and column."""
    ann = stage.person()
    host = await stage.reading()
    grid = await show(stage, host, ann, [["Ok", {"label": "Ok", "value": "second"}], ["Ok"]])
    ann.tap(grid["message_id"], 0, 1)
    event = await host.event()
    assert event.content == "Ok"
    assert chosen(event) == ("second", "0", "1")
    grid = await show(stage, host, ann, [["Ok"], ["Ok"]])
    ann.tap(grid["message_id"], 1, 0)
    assert chosen(await host.event()) == ("Ok", "1", "0")


REFUSED: list[tuple[Any, str]] = [
    ([[f"b{n}" for n in range(101)]], "100"),
    ([["ok", ""]], "row 0, column 1"),
    ([["ok"], [" \u200e "]], "empty label"),
    ([["x" * 5000]], "4096"),
    ([[{"label": "x", "url": "javascript:alert(1)"}]], "https://"),
    ([[{"label": "x", "url": "https://example.com", "value": "v"}]], "url and value"),
    ([[{"label": "x", "colour": "red"}]], "colour"),
    ([[{"value": "x"}]], "label"),
    ("Yes,No", "buttons"),
    ([["x", 5]], "buttons"),
]


async def test_a_grid_that_cannot_be_shown_is_refused_before_anything_is_sent(stage: Stage) -> None:
    """101 buttons, an empty label and the like are refused naming the limit or the place; nothing was sent."""
    ann = stage.person()
    host = await stage.host()
    for buttons, said in REFUSED:
        reason = await host.refused("reply", chat_id=ann.id, text="long " * 2000, buttons=buttons)
        assert said in reason, buttons
    assert stage.tg.calls_of("sendMessage") == []


async def test_100_buttons_are_shown_and_wide_rows_laid_out_again(stage: Stage) -> None:
    """100 buttons work; a row of twelve is broken at eight, and a tap still tells the row and column it was given."""
    ann = stage.person()
    host = await stage.reading()
    wide = [f"w{n}" for n in range(12)]
    grid = await show(stage, host, ann, [["first"], wide, [f"b{n}" for n in range(87)]])
    shown = labels(grid)
    assert max(len(row) for row in shown) == 8
    assert shown[1] + shown[2] == wide
    assert sum(len(row) for row in shown) == 100
    ann.tap(grid["message_id"], label="w11")
    assert chosen(await host.event()) == ("w11", "1", "11")


async def test_a_url_button_opens_and_never_reports(stage: Stage) -> None:
    """A url button carries its address and no data; the others beside it work."""
    ann = stage.person()
    host = await stage.reading()
    buttons = [{"label": "Docs", "url": "https://example.com/a?b=1"}, {"label": "Done", "style": "success"}]
    grid = await show(stage, host, ann, [buttons])
    docs, done = grid["reply_markup"]["inline_keyboard"][0]
    assert docs["url"] == "https://example.com/a?b=1"
    assert "callback_data" not in docs
    assert done.get("style") in {None, "success"}
    ann.tap(grid["message_id"], label="Done")
    assert chosen(await host.event()) == ("Done", "0", "1")


async def test_a_typed_label_or_number_counts_as_the_tap(stage: Stage) -> None:
    """Who types the label, or its number in reading order from 1, has tapped it; what matches nothing is a message."""
    ann = stage.person()
    host = await stage.reading()
    for typed in ("reject", " Reject ", "2"):
        grid = await show(stage, host, ann, [["Approve", "Reject"], ["Later"]])
        ann.send("7")
        plain = await host.event()
        assert plain.content == "7"
        assert "button" not in plain.meta
        ann.send(typed)
        event = await host.event()
        assert event.content == "Reject"
        assert chosen(event) == ("Reject", "0", "1")
        assert event.meta["message_id"] == str(grid["message_id"])
        await stage.tg.wait_for(lambda: all(is_closed(m) for m in ann.messages()))
        ann.send(typed)
        assert "button" not in (await host.event()).meta


async def test_a_second_tap_by_anybody_is_already_answered(stage: Stage) -> None:
    """In a group the first tap counts; the same person's and another's second tap are answered with the choice."""
    group, ann, bob = await team(stage)
    host = await stage.reading()
    grid = await ask(host, group, [["Yes", "No"]])
    first, second, third = (
        who.tap(grid["message_id"], data=data(grid, 0, col), chat=group) for who, col in ((ann, 1), (bob, 0), (ann, 0))
    )
    assert chosen(await host.event()) == ("No", "0", "1")
    assert (await first.answered()).text == "No"
    for late in (second, third):
        assert "lready answered: No" in (await late.answered()).text
    await stage.tg.wait_for(lambda: is_closed(group.messages()[-1]))
    shown = group.messages()[-1]["text"]
    assert "No" in shown
    assert "ann" in shown
    bob.send("@sandbox_bot next", chat=group)
    assert "next" in (await host.event()).content


async def test_only_named_people_may_tap(stage: Stage) -> None:
    """tappers: another member's tap is refused with an alert and leaves the question open."""
    group, ann, bob = await team(stage)
    host = await stage.reading()
    grid = await ask(host, group, [["Yes", "No"]], tappers=[bob.id])
    refused = await ann.tap(grid["message_id"], label="Yes", chat=group).answered()
    assert refused.show_alert
    assert "somebody else" in refused.text
    assert "reply_markup" in group.messages()[-1]
    # Typing the label does not get around it.
    ann.send("@sandbox_bot Yes", chat=group)
    assert "button" not in (await host.event()).meta
    bob.tap(grid["message_id"], label="No", chat=group)
    event = await host.event()
    assert chosen(event) == ("No", "0", "1")
    assert event.meta["user"] == "bob"


async def test_an_expired_question_says_so(stage: Stage) -> None:
    """After panel_ttl_h a tap is told that the question has expired, its keyboard goes, and nobody is told."""
    stage.config(grace_s=0, panel_ttl_h=0.0000001)
    ann = stage.person()
    host = await stage.reading()
    grid = await show(stage, host, ann, [["Yes"]])
    answer = await ann.tap(grid["message_id"], label="Yes").answered()
    assert "expired" in answer.text
    assert answer.show_alert
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[-1]))
    ann.send("Yes")
    assert "button" not in (await host.event()).meta


async def test_data_nobody_gave_out_is_answered_visibly(stage: Stage) -> None:
    """Forged or foreign data is told to be unknown, and an open question stays as it is."""
    ann = stage.person()
    host = await stage.reading()
    grid = await show(stage, host, ann, [["Yes"]])
    real = data(grid, 0, 0)
    for forged in ("x", "approve:1", "", "A" * 22 + ".0", "\ufffd", f"{real}0", f"{real}\u0661"):
        answer = await ann.tap(grid["message_id"], data=forged).answered()
        assert answer.text, forged
        assert answer.show_alert, forged
        assert "reply_markup" in ann.messages()[-1]
    ann.tap(grid["message_id"], label="Yes")
    assert chosen(await host.event()) == ("Yes", "0", "0")


async def test_buttons_of_another_chat_or_message_do_not_count(stage: Stage) -> None:
    """Data that was given out counts only on its own message in its own chat."""
    ann, bob = stage.person("ann"), stage.person("bob")
    host = await stage.reading()
    anns = await show(stage, host, ann, [["Yes"]])
    bobs = await show(stage, host, bob, [["No"]])
    answer = await bob.tap(bobs["message_id"], data=data(anns, 0, 0)).answered()
    assert answer.show_alert
    other = await show(stage, host, ann, [["Maybe"]])
    assert (await ann.tap(other["message_id"], data=data(anns, 0, 0)).answered()).show_alert
    ann.tap(anns["message_id"], label="Yes")
    assert chosen(await host.event()) == ("Yes", "0", "0")


async def test_a_grid_survives_a_restart(stage: Stage) -> None:
    """A grid of a killed server is answered under the next one with label, value and place."""
    ann = stage.person()
    host = await stage.reading()
    grid = await show(stage, host, ann, [["A", {"label": "B", "value": "bee"}]])
    await host.kill()
    host = await stage.reading()
    ann.tap(grid["message_id"], label="B")
    assert chosen(await host.event()) == ("bee", "0", "1")


async def test_an_outcome_the_platform_refused_for_a_while_is_shown_later(stage: Stage) -> None:
    """The choice is written into the message even when the platform had faults, or the server was killed meanwhile."""
    ann = stage.person()
    host = await stage.reading()
    grid = await show(stage, host, ann, [["Yes"]])
    stage.tg.faults.add("error", method="editMessage*")
    ann.tap(grid["message_id"], label="Yes")
    await host.event()
    await stage.tg.wait_for(lambda: bool(stage.tg.calls_of("editMessageText")))
    await host.kill()
    stage.tg.faults.clear()
    assert "reply_markup" in ann.messages()[-1]
    await stage.reading()
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[-1]))
    assert "Yes" in ann.messages()[-1]["text"]


async def test_an_edit_can_change_take_or_leave_the_grid(stage: Stage) -> None:
    """edit_message with buttons replaces the grid, with [] takes it, without leaves it; old buttons stop counting."""
    ann = stage.person()
    host = await stage.reading()
    grid = await show(stage, host, ann, [["Yes"]])
    old = data(grid, 0, 0)
    await host.done("edit_message", chat_id=ann.id, message_id=grid["message_id"], text="Still?")
    assert ann.messages()[-1]["text"] == "Still?"
    assert labels(ann.messages()[-1]) == [["Yes"]]
    await host.done("edit_message", chat_id=ann.id, message_id=grid["message_id"], text="New", buttons=[["No", "Hm"]])
    assert labels(ann.messages()[-1]) == [["No", "Hm"]]
    assert (await ann.tap(grid["message_id"], data=old).answered()).text
    ann.tap(grid["message_id"], label="Hm")
    assert chosen(await host.event()) == ("Hm", "0", "1")


async def test_a_tap_during_a_flood_of_updates_is_taken_once(stage: Stage) -> None:
    """Ten taps at once on one grid make one event and ten answers."""
    group, ann, bob = await team(stage)
    host = await stage.reading()
    grid = await ask(host, group, [["Yes", "No"]])
    stage.tg.hold_updates()
    taps = [who.tap(grid["message_id"], data=data(grid, 0, n % 2), chat=group) for n in range(5) for who in (ann, bob)]
    stage.tg.release()
    answers = [(await tap.answered()).text for tap in taps]
    assert answers[0] == "Yes"
    assert all("lready answered: Yes" in text for text in answers[1:])
    ann.send("@sandbox_bot end", chat=group)
    events = await host.take(2)
    assert [e.meta.get("button_value") for e in events] == ["Yes", None]


async def team(stage: Stage) -> tuple[TelegramGroup, TelegramPerson, TelegramPerson]:
    """An enabled group with Ann and Bob in it."""
    ann, bob = stage.tg.person("ann"), stage.tg.person("bob")
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    return group, ann, bob


async def ask(host: Host, group: TelegramGroup, buttons: Any, **more: Any) -> dict[str, Any]:
    await host.done("reply", chat_id=group.id, text="Ship it?", buttons=buttons, **more)
    return await group.next_message()


async def test_forged_data_never_counts_not_even_an_approvers(stage: Stage) -> None:
    """The place of a link, and data that the tapped message has no button for, choose nothing; the grid stays open."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    host = await stage.reading()
    grid = await show(stage, host, ann, [[{"label": "Docs", "url": "https://example.com"}, "Ship"]])
    other = await show(stage, host, ann, [["Something else"]])
    panel = data(grid, 0, 1).removesuffix(".1")
    for forged, message in ((f"{panel}.0", grid), (f"{panel}.2", grid), (data(grid, 0, 1), other)):
        told = await ann.tap(message["message_id"], data=forged).answered()
        assert told.show_alert
    assert [labels(message) for message in ann.messages()[-2:]] == [[["Docs", "Ship"]], [["Something else"]]]
    ann.tap(grid["message_id"], label="Ship")
    assert chosen(await host.event()) == ("Ship", "0", "1")
