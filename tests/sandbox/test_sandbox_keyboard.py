"""Inline keyboards and taps."""

from __future__ import annotations

import asyncio

import pytest

pytestmark = pytest.mark.cold

TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


def keys(*rows):
    return {"inline_keyboard": [list(row) for row in rows]}


def key(text="Yes", **action):
    return {"text": text, **(action or {"callback_data": "yes"})}


@pytest.mark.parametrize(
    "button",
    [
        key(callback_data="x" * 64),
        key(callback_data="ж" * 32),
        key(url="https://example.com/"),
        key(url="tg://user?id=1"),
        key(copy_text={"text": "copied"}),
        key(web_app={"url": "https://example.com/app"}),
        key(switch_inline_query=""),
        {"text": "Yes", "disabled": {}},
        {"text": "Yes", "disabled": {}, "style": "success"},
        key(copy_text={"text": "x" * 256}),
        key(callback_data="x", style="danger"),
        key(callback_data="x", style="success", icon_custom_emoji_id="5368324170671202286"),
    ],
)
async def test_buttons_accepted(raw, ann, button):
    """Every kind of button comes back as it was sent."""
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=keys([button]))
    assert sent["reply_markup"] == keys([button])


@pytest.mark.parametrize(
    ("button", "words"),
    [
        (key(callback_data="x" * 65), "BUTTON_DATA_INVALID"),
        (key(callback_data="ж" * 33), "BUTTON_DATA_INVALID"),
        (
            key(callback_data=""),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        ({"text": "x"}, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
        (key("", callback_data="x"), "inline keyboard button text must be non-empty"),
        ({"callback_data": "x"}, "can't parse inline keyboard button: Can't find field \"text\""),
        (key(url="not-a-url"), "inline keyboard button URL 'not-a-url' is invalid: Wrong HTTP URL"),
        (key(url="http://localhost:80"), "inline keyboard button URL 'http://localhost:80' is invalid: Wrong HTTP URL"),
        (
            key(url="ftp://example.com"),
            "inline keyboard button URL 'ftp://example.com' is invalid: Unsupported URL protocol",
        ),
        (
            key(web_app={"url": "http://example.com"}),
            "inline keyboard button Web App URL 'http://example.com' is invalid: Only HTTPS links are allowed",
        ),
        (key(copy_text={"text": ""}), "BUTTON_COPY_TEXT_INVALID"),
        (key(copy_text={"text": "x" * 257}), "BUTTON_COPY_TEXT_INVALID"),
        (key(disabled=True), 'can\'t parse inline keyboard button: Field "disabled" must be an empty Object'),
        (key(pay=True), "BUTTON_TYPE_INVALID"),
        (key(callback_data="x", style="loud"), "can't parse inline keyboard button: Invalid button style specified"),
        (key(callback_data="x", url="https://example.com"), None),
    ],
)
async def test_buttons_refused(raw, ann, button, words):
    """A message with a button that Telegram refuses, or that has two actions, is refused."""
    two = "can't parse inline keyboard button: exactly one type of button must be specified, found url, callback_data"
    refused = await raw.refused("sendMessage", chat_id=ann.id, text="?", reply_markup=keys([button]))
    assert refused == f"Bad Request: {words or two}"
    assert ann.inbox == []


async def test_hundred_buttons(raw, ann):
    """A keyboard has at most 100 buttons."""
    row = [key() for _ in range(10)]
    await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=keys(*[row] * 10))
    refused = await raw.refused("sendMessage", chat_id=ann.id, text="?", reply_markup=keys(*[row] * 10, [key()]))
    assert refused == "Bad Request: reply markup is too long"


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("{not json", "can't parse reply keyboard markup JSON object"),
        ("[]", "object expected as reply markup"),
        ({"inline_keyboard": "bad"}, 'field "inline_keyboard" must be of type Array'),
        ({"force_reply": "yes"}, 'field "force_reply" must be of type Boolean'),
    ],
)
async def test_markup_refused(raw, ann, markup, words):
    """Malformed markup is refused."""
    refused = await raw.refused("sendMessage", chat_id=ann.id, text="?", reply_markup=markup)
    assert refused == f"Bad Request: {words}"


async def test_other_keyboards_are_accepted(raw, ann):
    """Reply keyboards and forced replies are accepted and are not part of the message."""
    for markup in ({"keyboard": [[{"text": "A"}, "B"]]}, {"remove_keyboard": True}, {"force_reply": True}):
        sent = await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=markup)
        assert "reply_markup" not in sent


async def test_tap_is_answered(raw, ann, updates):
    """A tap reaches the bot with its message and data, and the person sees the answer."""
    await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=keys([key("No", callback_data="n"), key()]))
    message = await ann.next_message()
    tap = ann.tap(message["message_id"], 0, 1)
    (update,) = await updates()
    query = update["callback_query"]
    assert (query["data"], query["from"]["id"], query["id"]) == ("yes", ann.id, tap.id)
    assert query["message"]["message_id"] == message["message_id"]
    assert tap.answer is None
    waiting = asyncio.create_task(tap.answered())
    await raw.ok("answerCallbackQuery", callback_query_id=tap.id, text="done", show_alert=True)
    answer = await waiting
    assert (answer.text, answer.show_alert) == ("done", True)


async def test_taps_by_label_and_forged(raw, ann, updates):
    """A button is found by its label; forged data needs no button; a missing button cannot be tapped."""
    rows = keys([key("No", callback_data="n"), key("Web", url="https://example.com")])
    message = await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=rows)
    ann.tap(message["message_id"], label="No")
    ann.tap(message["message_id"], data="forged:1")
    assert [update["callback_query"]["data"] for update in await updates()] == ["n", "forged:1"]
    for where in ({"label": "Maybe"}, {"row": 1}, {"col": 7}, {"label": "Web"}):
        with pytest.raises(LookupError, match="button"):
            ann.tap(message["message_id"], **where)
    with pytest.raises(LookupError, match="no message 999"):
        ann.tap(999)


async def test_late_double_and_unknown_answers(tg, raw, ann):
    """A query is answered once, within a minute, and only if it exists."""
    message = await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=keys([key()]))
    tap = ann.tap(message["message_id"])
    assert await raw.refused("answerCallbackQuery", callback_query_id="12345") == TOO_OLD
    assert await raw.refused("answerCallbackQuery") == TOO_OLD
    long = await raw.refused("answerCallbackQuery", callback_query_id=tap.id, text="x" * 201)
    assert long == "Bad Request: MESSAGE_TOO_LONG"
    await raw.ok("answerCallbackQuery", callback_query_id=tap.id, text="x" * 200)
    assert await raw.refused("answerCallbackQuery", callback_query_id=tap.id) == TOO_OLD
    late = ann.tap(message["message_id"])
    tg.advance(61)
    assert await raw.refused("answerCallbackQuery", callback_query_id=late.id) == TOO_OLD
    with pytest.raises(TimeoutError):
        await late.answered(timeout=0.01)


async def test_a_keyboard_that_opens_the_reply_field(raw, ann):
    """It says so for good: an edit that keeps the keyboard changes nothing about it."""
    keyboard = {**keys([key()]), "force_reply": True}
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=keyboard)
    assert sent["reply_markup"] == keyboard
    place = {"chat_id": ann.id, "message_id": sent["message_id"]}
    edited = await raw.ok("editMessageReplyMarkup", **place, reply_markup=keys([key("No")]))
    assert edited["reply_markup"] == {**keys([key("No")]), "force_reply": True}
    plain = await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=keys([key()]))
    place["message_id"] = plain["message_id"]
    edited = await raw.ok("editMessageReplyMarkup", **place, reply_markup={**keys([key("No")]), "force_reply": True})
    assert edited["reply_markup"] == keys([key("No")])
