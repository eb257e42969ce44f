"""Taps as Telegram sends them, and that nothing it could send stops the program."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import Chat, Ignored, Inbound, Message, Person, RawEvent, Tap
from agent_channels.telegram.inbound import ALLOWED_UPDATES, to_inbound
from agent_channels.telegram.markup import snapshot
from updates import ANN, BOT, GROUP, ME, entity, forum, message, reply, update

QUESTION = message(
    message_id=100,
    text="Shall I?",
    entities=[entity("bold", 0, 5)],
    **{"from": BOT},
    reply_markup={"inline_keyboard": [[{"text": "Yes", "callback_data": "id.0"}]]},
)


def tapped(shown: dict[str, Any] | None = QUESTION, **more: Any) -> str:
    body = {"id": "4382", "from": ANN, "chat_instance": "1", "data": "id.0", "message": shown, **more}
    return update("callback_query", {key: value for key, value in body.items() if value is not None})


def read(payload: str) -> Any:
    return to_inbound(RawEvent("1", payload, 1_800_000_000.0), ME)


def test_a_tap() -> None:
    """Who, on which message of which chat, with what the button carried and how the message reads."""
    assert read(tapped()) == Tap(
        tap_id="4382",
        data="id.0",
        chat=Chat("7", "direct"),
        message_id="100",
        sender=Person("7", "Ann Smith", "ann"),
        ts=datetime.fromtimestamp(1_800_000_000, UTC),
        thread_id=None,
        snapshot=json.dumps({"text": "Shall I?", "entities": [entity("bold", 0, 5)]}),
        shown=frozenset({"id.0"}),
    )


def test_what_the_message_has_no_button_for_is_forged() -> None:
    """Telegram shows the message as it is; any client can send any data."""
    keyboard = {
        "inline_keyboard": [[{"text": "Docs", "url": "https://x.example"}, {"text": "Yes", "callback_data": "id.0"}]]
    }
    assert not read(tapped({**QUESTION, "reply_markup": keyboard})).forged
    assert read(tapped({**QUESTION, "reply_markup": keyboard}, data="id.1")).forged


def test_a_button_within_a_rich_message_is_one() -> None:
    """It is in the blocks, not in the keyboard; a button that is in neither is forged."""
    button = {"text": "Yes", "callback_data": "id.7"}
    blocks = [
        {"type": "paragraph", "text": ["Sure? ", {"type": "button", "button": button}]},
        {"type": "buttons", "buttons": [{"text": "No", "callback_data": "id.8"}]},
    ]
    rich = {key: value for key, value in QUESTION.items() if key not in {"text", "entities"}}
    rich["rich_message"] = {"blocks": blocks}
    for data, forged in (("id.0", False), ("id.7", False), ("id.8", False), ("id.9", True)):
        got = read(tapped(rich, data=data))
        assert (got.data, got.forged) == (data, forged)
    assert json.loads(got.snapshot) == {"rich_message": {"blocks": blocks}}


@pytest.mark.parametrize(
    ("people", "key"),
    [
        ({"from": BOT, "receiver_user": ANN}, "e12.7"),
        ({"from": ANN, "receiver_user": BOT}, "e12.7"),
        ({"from": ANN}, "e12.7"),
        ({"from": BOT}, "e12.-100"),
    ],
)
def test_a_message_that_only_one_person_sees_has_a_key(people: dict[str, Any], key: str) -> None:
    """All of them have the id 0; the key is the same in a message, a tap on it and a reply to it."""
    hidden = message(message_id=0, ephemeral_message_id=12, chat=GROUP, text="Code?", **people)
    assert read(tapped(hidden)).message_id == key
    if people["from"] == ANN:
        assert read(update("message", hidden)).message_id == key
    answer = read(update("message", message(text="1234", chat=GROUP, reply_to_message=hidden)))
    assert answer.reply.message_id == key


def test_a_tap_in_a_topic() -> None:
    """The thread is that of the message."""
    got = read(tapped({**QUESTION, **forum(message_thread_id=33, is_topic_message=True)}))
    assert (got.chat, got.thread_id) == (Chat("-100", "group", "Team"), "33")


def test_a_tap_on_a_message_too_old_to_be_shown() -> None:
    """Telegram gives only its chat and number then: it still counts."""
    got = read(tapped({"chat": GROUP, "message_id": 100, "date": 0}))
    assert isinstance(got, Tap)
    assert (got.chat.id, got.message_id, got.snapshot, got.thread_id) == ("-100", "100", None, None)
    assert not got.forged


@pytest.mark.parametrize(
    "payload",
    [
        tapped(None, inline_message_id="9"),
        tapped(data=None, game_short_name="chess"),
        tapped(None),
    ],
    ids=["inline message", "game", "no message"],
)
def test_a_tap_outside_every_chat_is_ignored(payload: str) -> None:
    """It belongs to no question of ours."""
    assert read(payload) == Ignored("a tap on a message outside every chat")


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        ({"text": "x"}, {"text": "x"}),
        (
            {"text": "x", "entities": [{"type": "bold"}], "link_preview_options": {"is_disabled": True}, "chat": 1},
            {"text": "x", "entities": [{"type": "bold"}], "link_preview_options": {"is_disabled": True}},
        ),
        (
            {"caption": "x", "caption_entities": [{"type": "bold"}]},
            {"caption": "x", "caption_entities": [{"type": "bold"}]},
        ),
        ({"photo": []}, None),
        ({"text": ""}, None),
        ({}, None),
    ],
)
def test_how_a_message_reads_is_kept_for_its_outcome(shown: dict[str, Any], kept: dict[str, Any] | None) -> None:
    """Text or caption with formatting and preview; nothing for a message without either."""
    note = snapshot(shown)
    assert (None if note is None else json.loads(note)) == kept


def test_what_is_not_asked_for_is_ignored() -> None:
    """Updates of other kinds mean nothing here; those asked for are named at every poll."""
    for kind in ("business_message", "message_reaction", "inline_query", "poll", "chat_member", "something_new"):
        body = {"inline_query": {"id": "1", "from": ANN, "query": "", "offset": ""}}.get(kind, {})
        inbound = read(json.dumps({"update_id": 1, kind: body} if body else {"update_id": 1}))
        assert inbound == Ignored("a kind of update that we did not ask for")
    wanted = {"message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "my_chat_member"}
    assert set(ALLOWED_UPDATES) == wanted | {"message_reaction", "poll_answer"}


@pytest.mark.parametrize(
    "payload",
    ["", "{", "null", "[]", "1", '"x"', "{}", '{"update_id": "x"}', '{"update_id": 1, "message": 5}', "\x00",
     "[" * 100_000, '{"update_id": 1, "message": {}}', '{"update_id": 1, "message": {"text": 5}}',
     '{"update_id": NaN}'],
)  # fmt: skip
def test_what_cannot_be_read_is_ignored(payload: str) -> None:
    """Never an exception: what follows must not wait for it."""
    assert isinstance(read(payload), Ignored)


SAMPLES = [
    update("message", message(text="/start x", entities=[entity("bot_command", 0, 6)])),
    update(
        "message",
        message(text="@sample_bot", entities=[entity("mention", 0, 11)], chat=GROUP, reply_to_message=reply("x")),
    ),
    update("message", message(photo=[{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 2}], caption="c")),
    update("message", message(document={"file_id": "f", "file_unique_id": "u"}, forward_origin={"type": "chat"})),
    update("edited_message", forum(**message(text="x", message_thread_id=3, is_topic_message=True))),
    tapped(),
    update(
        "my_chat_member",
        {
            "chat": GROUP,
            "from": ANN,
            "date": 1,
            "old_chat_member": {"user": BOT, "status": "left"},
            "new_chat_member": {"user": BOT, "status": "member"},
        },
    ),
]
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(st.characters(), max_size=5),
    st.just([]), st.just({}), st.just([{}]), st.just({"id": []}), st.just([[1]]), st.just("\ud800"),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a JSON value."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in below for deeper in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    key, rest = path[0], path[1:]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = changed(value[key], rest, new)
    return copy


@given(st.sampled_from(SAMPLES), st.data())
def test_no_change_to_an_update_stops_the_program(sample: str, data: st.DataObject) -> None:
    """Any value anywhere in an update is read or ignored; a message that is read has strings for ids."""
    value = json.loads(sample)
    for _ in range(data.draw(st.integers(1, 3))):
        value = changed(value, data.draw(st.sampled_from(places(value))), data.draw(JUNK))
    inbound = read(json.dumps(value))
    assert isinstance(inbound, Inbound)
    if isinstance(inbound, Message | Tap):
        assert isinstance(inbound.chat.id, str)
        assert isinstance(inbound.message_id, str)
        assert isinstance(inbound.sender.id, str)


@given(
    st.text(st.characters())
    | st.recursive(JUNK, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(json.dumps)
)
def test_no_text_at_all_stops_the_program(payload: str) -> None:
    """As above, for JSON that is not an update in the first place."""
    assert isinstance(read(payload), Ignored)
