"""Rich and ephemeral messages: what the bot receives, what it sends, and what neither a phone nor a bot may send."""

from __future__ import annotations

import pytest

from agent_channels.core.outbound.compose import sayable
from agent_channels.telegram.formatting import render
from rich_answers import ANSWERS

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


# --- what bots send

TASK = {"blocks": [p("do it")], "has_checkbox": True, "is_checked": True}
CELL = {"align": "left", "valign": "top", "text": "x"}
KEYS = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}


async def test_a_bot_sends_blocks_and_the_answer_has_no_text(raw, ann):
    """Lists get labels, addresses and names become links, and code is left alone; the keyboard and the reply stay."""
    blocks = [
        p(["see https://example.org/x or README.md, @bob, #go, ", {"type": "code", "text": "README.md"}]),
        {"type": "list", "items": [TASK, {"blocks": [p("three")], "value": 3, "type": "1"}, {"blocks": [p("dot")]}]},
        {"type": "pre", "text": "run.sh"},
        {"type": "table", "cells": [[CELL]]},
    ]
    question = ann.send("?")
    sent = await raw.ok(
        "sendRichMessage",
        chat_id=ann.id,
        rich_message={"blocks": blocks, "is_rtl": True},
        reply_markup=KEYS,
        reply_parameters={"message_id": question["message_id"]},
    )
    assert not {"text", "entities", "caption"} & sent.keys()
    assert sent["reply_markup"] == KEYS
    assert sent["reply_to_message"]["text"] == "?"
    first, tasks, code, _ = sent["rich_message"]["blocks"]
    assert sent["rich_message"]["is_rtl"] is True
    assert [one["type"] for one in first["text"] if isinstance(one, dict)] == [
        "url",
        "url",
        "mention",
        "hashtag",
        "code",
    ]
    assert [item["label"] for item in tasks["items"]] == ["☑", "3.", "•"]
    assert code["text"] == "run.sh"
    plain = await raw.ok(
        "sendRichMessage", chat_id=ann.id, rich_message={"blocks": [p("a.md")], "skip_entity_detection": True}
    )
    assert plain["rich_message"] == {"blocks": [p("a.md")]}


@pytest.mark.parametrize(
    ("rich", "reason"),
    [
        ({}, "RICH_MESSAGE_CONTENT_REQUIRED"),
        ({"blocks": []}, "RICH_MESSAGE_CONTENT_REQUIRED"),
        ({"blocks": [p(" ")]}, "RICH_MESSAGE_CONTENT_REQUIRED"),
        ({"blocks": [p("x")], "html": "x"}, "exactly one of"),
        ({"blocks": "x"}, "can't parse InputRichMessage"),
        ("x", "can't parse InputRichMessage"),
        ({"blocks": [{"type": "table"}]}, "can't parse InputRichBlock: Can't find field \"cells\""),
        ({"blocks": [{"type": "heading", "text": "x"}]}, "can't parse InputRichBlock: Can't find field \"size\""),
        ({"blocks": [{"type": "hologram"}]}, "can't parse InputRichBlock"),
        ({"blocks": [{"type": "thinking", "text": "x"}]}, "Block is not allowed"),
        ({"blocks": [{"type": "list", "items": [{"blocks": []}]}]}, "can't parse InputRichBlockListItem"),
        ({"blocks": [{"type": "list", "items": [{"blocks": [p("x")], "value": "2"}]}]}, "must be a valid Number"),
        ({"blocks": [{"type": "table", "cells": [[{"text": "x"}]]}]}, 'Can\'t find field "align"'),
        ({"blocks": [p({"type": "huge", "text": "x"})]}, "can't parse RichText"),
        ({"blocks": [p({"type": "bold"})]}, "can't parse RichText"),
        ({"blocks": [p("openai:key@home")]}, "RICH_MESSAGE_EMAIL_INVALID"),
        ({"blocks": [p("x" * 32_769)]}, "RICH_MESSAGE_TOO_LONG"),
        ({"blocks": [p("x")] * 501}, "RICH_MESSAGE_INVALID"),
        ({"blocks": [{"type": "table", "cells": [[CELL] * 21]}]}, "RICH_MESSAGE_INVALID"),
        ({"blocks": [nested(17)]}, "RICH_MESSAGE_INVALID"),
    ],
)
async def test_what_is_refused(raw, ann, rich, reason):
    """Sent and edited alike, in the words of Telegram where they are known."""
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="x")
    assert reason in await raw.refused("sendRichMessage", chat_id=ann.id, rich_message=rich)
    place = {"chat_id": ann.id, "message_id": sent["message_id"]}
    assert reason in await raw.refused("editMessageText", **place, rich_message=rich)
    assert len(ann.inbox) == 1


async def test_a_text_becomes_rich_in_place_and_back(raw, ann):
    """The message keeps its id; exactly one of both contents; the same again changes nothing; a caption stays one."""
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="x", reply_markup=KEYS)
    place = {"chat_id": ann.id, "message_id": sent["message_id"]}
    rich = {"rich_message": {"blocks": [p("y")]}}
    edited = await raw.ok("editMessageText", **place, **rich)
    assert edited["rich_message"] == {"blocks": [p("y")]}
    assert not {"text", "reply_markup"} & edited.keys()
    assert "not modified" in await raw.refused("editMessageText", **place, **rich)
    assert "exactly one" in await raw.refused("editMessageText", **place, **rich, text="x")
    assert "parse_mode" in await raw.refused("editMessageText", **place, **rich, parse_mode="HTML")
    assert (await raw.ok("editMessageReplyMarkup", **place, reply_markup=KEYS))["rich_message"] == {"blocks": [p("y")]}
    assert "message text is empty" in await raw.refused("editMessageText", **place)
    back = await raw.ok("editMessageText", **place, text="z")
    assert (back["text"], "rich_message" in back) == ("z", False)


async def test_an_old_server_knows_nothing_of_it(tg, raw, ann):
    """The method is not found; of an edit, the parameter that it does not know is not looked at."""
    tg.set_version("10.0")
    rich = {"rich_message": {"blocks": [p("y")]}}
    assert await raw.refused("sendRichMessage", chat_id=ann.id, **rich) == "Not Found: method not found"
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="x")
    place = {"chat_id": ann.id, "message_id": sent["message_id"]}
    assert await raw.refused("editMessageText", **place, **rich) == "Bad Request: message text is empty"
    assert (await raw.ok("editMessageText", **place, **rich, text="z"))["text"] == "z"
    for wrong in ("ten", "10", "10.0.1", ""):
        with pytest.raises(ValueError, match="not a version"):
            tg.set_version(wrong)


async def test_another_client_reads_and_writes_them(aio, ann):
    """What is sent to Telegram is what another library's types of rich messages hold, and so is the answer."""
    from aiogram.types import InputRichMessage

    for source in ANSWERS.values():
        for part in render(sayable(source), "markdown"):
            if part.rich is None:
                continue
            given = InputRichMessage.model_validate({**part.rich, "skip_entity_detection": True})
            assert given.model_dump(exclude_none=True) == {**part.rich, "skip_entity_detection": True}
            sent = await aio.send_rich_message(ann.id, given)
            assert sent.rich_message
            assert len(sent.rich_message.blocks) == len(part.rich["blocks"])
