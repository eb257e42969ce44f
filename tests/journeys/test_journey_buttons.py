"""Buttons on every platform: such that copy, what stays of a closed question, and what a late tap is told."""

from __future__ import annotations

import json

from harness import Host
from phones import Phone, Play, Said

REFUSED = [
    ({"copy": ""}, "1 to 256"),
    ({"copy": "y" * 257}, "1 to 256"),
    ({"copy": "a\u202eb"}, "nobody sees"),
    ({"copy": "a", "url": "https://example.com"}, "url and copy"),
    ({"copy": "a", "value": "b"}, "copy and value"),
]
COMMAND = "make test && echo '``` done'\nexit"


async def talking(play: Play) -> tuple[Phone, Host]:
    """Ann, who has written, and the agent."""
    ann = play.friend("ann")
    host = await play.reading()
    await play.being_read()
    ann.say("hello")
    await host.event()
    return ann, host


async def closed(play: Play, phone: Phone, message: Said) -> Said:
    """The message once nothing of it can be tapped any more."""
    await play.wait_for(lambda: not phone.shown(message.id).labels)
    return phone.shown(message.id)


async def test_a_button_that_copies_is_no_answer(play: Play) -> None:
    """It gives its text whole to whoever taps it, typed or tapped it answers nothing, and the question stays open."""
    ann, host = await talking(play)
    buttons = [[{"label": "Copy it", "copy": COMMAND}, "Done"]]
    await host.done("reply", chat_id=ann.chat_id, text="Run this:", buttons=buttons)
    message = await ann.hear()
    for _ in range(2):
        assert (await ann.copy(message, "Copy it")).replace("\u200b", "") == COMMAND
    ann.say("Copy it")
    assert "button" not in (await host.event()).meta
    ann.say("1")
    assert "button" not in (await host.event()).meta
    ann.tap(message.id, "Done")
    event = await host.event()
    assert (event.content, event.meta["button_col"]) == ("Done", "1")
    assert (await closed(play, ann, message)).kept == ("Done",)


async def test_ask_takes_buttons_that_copy_beside_its_answers(play: Play) -> None:
    """With several choices they have no check mark; alone they are refused, as there is no answer."""
    ann, host = await talking(play)
    copy = {"label": "Copy", "copy": "x"}
    assert "cannot be an answer" in await host.refused("ask", chat_id=ann.chat_id, text="?", buttons=[[copy]])
    call = host.calling("ask", chat_id=ann.chat_id, text="Which?", buttons=[[copy, "A", "B"]], multi=True)
    message = await ann.hear()
    assert "☐ A" in [label for row in message.labels for label in row]
    assert await ann.copy(message, "Copy") == "x"
    ann.tap(message.id, "☐ B")
    await play.wait_for(lambda: any("☑ B" in row for row in ann.shown(message.id).labels))
    ann.tap(message.id, "Done")
    answer = json.loads((await host.answered(call)).text)
    assert answer["labels"] == ["B"]


async def test_what_cannot_be_copied_is_refused(play: Play) -> None:
    """Empty, too long, with hidden characters, or with something else to do: nothing is sent."""
    _, host = await talking(play)
    for button, why in REFUSED:
        chat_id = host.events[0].meta["chat_id"]
        assert why in await host.refused("reply", chat_id=chat_id, text="?", buttons=[[{"label": "x", **button}]])


async def test_of_a_closed_question_the_choice_stays_also_after_a_restart(play: Play) -> None:
    """It is disabled, in its own words, the others are gone; a late tap is told what was chosen."""
    ann, host = await talking(play)
    buttons = [["Yes", {"label": "No", "style": "danger"}], ["Later"]]
    await host.done("reply", chat_id=ann.chat_id, text="Ship?", buttons=buttons)
    message = await ann.hear()
    await host.kill()
    host = await play.reading()
    await play.being_read()
    ann.tap(message.id, "No")
    assert (await host.event()).content == "No"
    shown = await closed(play, ann, message)
    assert shown.kept == ("No",)
    assert "No · ann" in shown.text
    assert "lready answered: No" in await ann.tap_again(message.id)()
    await host.done("reply", chat_id=ann.chat_id, text="Once more?", buttons=buttons)
    message = await ann.hear()
    ann.say("/cancel")
    assert (await closed(play, ann, message)).kept == ()
