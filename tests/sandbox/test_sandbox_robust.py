"""The sandbox refuses nonsense instead of failing on it."""

from __future__ import annotations

import random
import string

import pytest

from agent_channels.sandbox.telegram.entities import format_text
from agent_channels.sandbox.telegram.errors import BotApiError
from agent_channels.sandbox.telegram.methods import METHODS
from agent_channels.sandbox.telegram.utf16 import utf16

pytestmark = pytest.mark.cold

NAMES = """text parse_mode entities reply_markup reply_parameters reply_to_message_id message_thread_id photo document
caption caption_entities media question options latitude longitude phone_number first_name action reaction offset limit
callback_query_id allowed_updates commands scope language_code user_id file_id message_ids duration width title"""

ENTITY = {"type": "bold", "offset": 0, "length": 1}
BUTTON = {"text": "x", "callback_data": "y"}
NONSENSE = [
    *(None, "", 0, -1, 1, 3.5, True, "abc", "{}", "[]", [], {}, [[]], [{}], [5], [[5]], {"a": 1}, 10**30, "<b>", "*x*"),
    *([ENTITY | odd] for odd in ({"offset": "x"}, {"length": None}, {"type": []}, {"type": "text_link", "url": 5})),
    *(
        [ENTITY | {"type": kind, field: odd}]
        for kind, field, odd in (
            ("custom_emoji", "custom_emoji_id", []),
            ("text_mention", "user", 5),
            ("text_mention", "user", {"id": "x"}),
            ("pre", "language", 5),
        )
    ),
    *({"inline_keyboard": [[BUTTON | odd]]} for odd in ({"style": []}, {"text": 5}, {"callback_data": 5})),
    *({"inline_keyboard": [[{"text": "x", "url": odd}]]} for odd in (5, "http://[", "http://a:b.c", "http://é.fr")),
    *(
        {"inline_keyboard": [[{"text": "x", name: odd}]]}
        for name in ("copy_text", "web_app")
        for odd in (5, {"text": 5})
    ),
    *({"inline_keyboard": odd} for odd in (5, [5], [[5]])),
    {"keyboard": [[5]]},
    *({"message_id": odd} for odd in ([], None, "x")),
    {"message_id": 1, "chat_id": []},
    {"message_id": 1, "quote": 5},
    [{"type": "emoji", "emoji": []}],
    *(
        [odd] * 2
        for odd in ({"type": "photo", "media": 5}, {"type": []}, {"type": "photo", "media": "x", "caption": 5})
    ),
    [{"command": 5, "description": []}],
    {"type": 5},
]


async def test_nonsense_is_refused(tg, raw, ann):
    """Whatever the parameters, every method answers as the Bot API does, never with 500."""
    choose = random.Random(20)  # noqa: S311
    names = NAMES.split()
    photo = ann.send_photo()["photo"][-1]["file_id"]
    for _ in range(1500):
        method = choose.choice(sorted(METHODS))
        params = {name: choose.choice(NONSENSE) for name in choose.sample(names, choose.randint(0, 6))}
        likely = {"chat_id": ann.id, "from_chat_id": ann.id, "text": "hello", "photo": photo, "message_id": 1}
        params |= {name: value for name, value in likely.items() if choose.random() < 0.7}
        status, body = await raw(method, **params)
        assert status in {200, 400, 403, 404}, (method, params)
        assert body["ok"] == (status == 200)


def assert_well_formed(text, entities):
    """Every entity lies inside the text, starts and ends between characters, and crosses no other."""
    edges = {utf16(text[:index]) for index in range(len(text) + 1)}
    spans = [(one["offset"], one["offset"] + one["length"]) for one in entities]
    assert all(begin in edges and end in edges and begin < end for begin, end in spans)
    assert not any(a < c < b < d for a, b in spans for c, d in spans)
    assert text == text.strip(" \n") or entities


def formatted(text, mode, entities):
    """Return (text and entities as the server keeps them or None, the refusal or "")."""
    try:
        return format_text(text, mode, entities, lambda _: None), ""
    except BotApiError as refusal:
        return None, refusal.description


@pytest.mark.parametrize("mode", ["HTML", "MarkdownV2", "Markdown"])
def test_any_markup_is_parsed_or_refused(mode):
    """Any text either becomes well-formed entities or is refused with a reason."""
    choose = random.Random(21)  # noqa: S311
    for _ in range(3000):
        markup = "".join(choose.choices(CHARACTERS, k=choose.randint(0, 30)))
        kept, refusal = formatted(markup, mode, None)
        if kept:
            assert_well_formed(*kept)
        else:
            assert refusal.startswith("Bad Request: can't parse entities: "), markup


def test_any_entities_are_nested_or_refused():
    """Any entities become nested ones, or are refused for lying outside the text."""
    choose = random.Random(22)  # noqa: S311
    for _ in range(3000):
        text = "".join(choose.choices("ab 🎉\n\r", k=choose.randint(0, 20)))
        spans = [(choose.choice(KINDS), choose.randint(0, 12), choose.randint(0, 12)) for _ in range(4)]
        kept, refusal = formatted(text, "", [{"type": kind, "offset": at, "length": size} for kind, at, size in spans])
        if kept:
            assert_well_formed(*kept)
        else:
            assert "entity" in refusal, (text, spans)


CHARACTERS = string.ascii_letters[:3] + "_*`~|[]()<>!&;/=\"'#\\\n \r-.🎉ä"
KINDS = ["bold", "italic", "code", "pre", "blockquote", "spoiler"]
