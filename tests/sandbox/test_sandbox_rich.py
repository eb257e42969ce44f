"""Rich and ephemeral messages of people: what the bot receives, and what a phone would not send."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.cold


def p(text):
    return {"type": "paragraph", "text": text}


def nested(levels):
    block = p("deep")
    for _ in range(levels - 1):
        block = {"type": "blockquote", "blocks": [block]}
    return block


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([], "a list of blocks"),
        ([{"type": "hologram"}], "no type of block"),
        ([{"type": "heading", "text": "x"}], "needs size"),
        ([{"type": "table"}], "needs cells"),
        ([p("x")] * 501, "500 blocks"),
        ([p("x" * 32_769)], "32768 characters"),
        ([nested(17)], "16 levels"),
        ([{"type": "table", "cells": [[{"text": "x"}] * 21]}], "20 columns"),
        ([{"type": "buttons", "buttons": [{"text": "x"}] * 9}], "8 buttons"),
        ([{"type": "photo", "photo": []}] * 51, "50 files"),
    ],
)
async def test_limits_of_rich_messages(ann, blocks, reason):
    """A phone sends no more than Telegram takes; exactly as much is sent."""
    with pytest.raises(ValueError, match=reason):
        ann.send_rich(blocks)
    ann.send_rich([p("x" * 32_768)])
    ann.send_rich([nested(16)])


async def test_a_rich_message_has_no_text(ann, updates):
    """Sent, edited and replied to: blocks only; edited into a text it has one."""
    sent = ann.send_rich([p("one")])
    ann.edit_rich(sent["message_id"], [p("two")])
    ann.send("this?", reply_to=sent["message_id"])
    ann.edit(sent["message_id"], "three")
    first, edited, reply, plain = await updates()
    assert first["message"]["rich_message"] == {"blocks": [p("one")]}
    assert "text" not in first["message"]
    assert edited["edited_message"]["rich_message"] == {"blocks": [p("two")]}
    assert reply["message"]["reply_to_message"]["rich_message"] == {"blocks": [p("two")]}
    assert (plain["edited_message"]["text"], "rich_message" in plain["edited_message"]) == ("three", False)


async def test_ephemeral_messages_have_the_id_zero(tg, ann, updates):
    """Each has a number of its own; nobody sees it in the group."""
    group = tg.group("Team", members=[ann])
    await updates()
    ann.send_ephemeral("/pair", chat=group)
    ann.send_ephemeral("/pair", chat=group)
    found = [update["message"] for update in await updates()]
    assert [(one["message_id"], one["ephemeral_message_id"]) for one in found] == [(0, 1), (0, 2)]
    assert found[0]["receiver_user"]["is_bot"]
    assert all("/pair" not in str(message) for message in group.messages())
