"""What people send, as Telegram puts it, into the core's values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent_channels.core.contract.messages import (
    Attachment,
    Chat,
    ChatMigrated,
    Ignored,
    Inbound,
    Joined,
    Membership,
    Message,
    Person,
    RawEvent,
    ReplyContext,
)
from agent_channels.telegram.inbound import to_inbound
from updates import ANN, BOT, GROUP, ME, entity, forum, message, reply, update

SIZES = {"file_unique_id": "u", "width": 1, "height": 1, "duration": 1}


def read(kind: str = "message", **body: Any) -> Inbound:
    return to_inbound(RawEvent("1", update(kind, message(**body) if "message" in kind else body), 1_800_000_000.0), ME)


def said(**body: Any) -> Message:
    inbound = read(**body)
    assert isinstance(inbound, Message)
    return inbound


def test_a_direct_message() -> None:
    """Who, where, when and what; ids are strings, a direct message is addressed."""
    assert said(text="hello 😀") == Message(
        chat=Chat("7", "direct"),
        message_id="5",
        sender=Person("7", "Ann Smith", "ann"),
        ts=datetime(2026, 8, 1, 10, 30, 45, tzinfo=UTC),
        text="hello 😀",
        addressed=True,
    )


@pytest.mark.parametrize(
    ("field", "content", "attachment"),
    [
        (
            "document",
            {
                "file_id": "f",
                "file_unique_id": "u",
                "file_name": "a b.pdf",
                "mime_type": "application/pdf",
                "file_size": 9,
            },
            Attachment("document", "f", "a b.pdf", "application/pdf", 9),
        ),
        ("document", {"file_id": "f", "file_unique_id": "u"}, Attachment("document", "f")),
        (
            "voice",
            {"file_id": "f", **SIZES, "mime_type": "audio/ogg", "file_size": 9},
            Attachment("voice", "f", None, "audio/ogg", 9),
        ),
        (
            "audio",
            {"file_id": "f", **SIZES, "file_name": "s.mp3", "mime_type": "audio/mpeg"},
            Attachment("audio", "f", "s.mp3", "audio/mpeg"),
        ),
        ("video", {"file_id": "f", **SIZES, "mime_type": "video/mp4"}, Attachment("video", "f", None, "video/mp4")),
        ("video_note", {"file_id": "f", **SIZES, "length": 1, "file_size": 3}, Attachment("video_note", "f", size=3)),
        (
            "sticker",
            {"file_id": "f", **SIZES, "type": "regular", "is_animated": False, "is_video": False, "emoji": "👍"},
            Attachment("sticker", "f"),
        ),
        (
            "animation",
            {"file_id": "f", **SIZES, "file_name": "x.mp4", "mime_type": "video/mp4", "file_size": 2},
            Attachment("animation", "f", "x.mp4", "video/mp4", 2),
        ),
    ],
)
def test_every_kind_of_file(field: str, content: dict[str, Any], attachment: Attachment) -> None:
    """Kind, id, name, type and size, under the platform's own field name; the caption is the text."""
    got = said(**{field: content}, caption="look")
    assert (got.text, got.attachments, got.image) == ("look", (attachment,), None)
    assert said(**{field: content}).text == ""


def test_an_animation_is_told_once() -> None:
    """Telegram sends it as a document too, for old programs."""
    file = {"file_id": "f", "file_unique_id": "u"}
    got = said(animation={**file, **SIZES}, document=file)
    assert got.attachments == (Attachment("animation", "f"),)


def test_a_photo_is_its_largest_size() -> None:
    """As a picture to fetch, not as an attachment."""
    sizes = [
        {"file_id": f"f{n}", "file_unique_id": "u", "width": n, "height": n, "file_size": n} for n in (90, 1280, 320)
    ]
    got = said(photo=sizes, caption="look")
    assert (got.image, got.attachments, got.text) == (
        Attachment("photo", "f1280", None, "image/jpeg", 1280),
        (),
        "look",
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"location": {"latitude": 1.5, "longitude": 2.5}}, "(location: 1.5, 2.5)"),
        (
            {
                "venue": {"location": {"latitude": 1.5, "longitude": 2.5}, "title": "Café", "address": "Way 1"},
                "location": {"latitude": 1.5, "longitude": 2.5},
            },
            "(venue: Café, Way 1, 1.5, 2.5)",
        ),
        ({"contact": {"phone_number": "+49", "first_name": "Bob", "last_name": "B"}}, "(contact: Bob B, +49)"),
        ({"dice": {"emoji": "🎲", "value": 4}}, "(dice: 🎲 4)"),
        (
            {
                "poll": {
                    "id": "1", "question": "When?", "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
                    "type": "regular", "allows_multiple_answers": False,
                    "allows_revoting": False, "members_only": False,
                    "options": [
                        {"text": "now", "voter_count": 0, "persistent_id": "a"},
                        {"text": "later", "voter_count": 0, "persistent_id": "b"},
                    ],
                }
            },
            "(poll: When? – now | later)",
        ),
        ({"story": {"id": 1, "chat": GROUP}}, "(story)"),
    ],
)  # fmt: skip
def test_what_has_no_text_and_no_file_is_told_in_words(body: dict[str, Any], text: str) -> None:
    """Nothing a person sends disappears without a sign."""
    assert said(**body).text == text


OLD_POLL = {
    "id": "1", "question": "When?", "total_voter_count": 0, "is_closed": False, "is_anonymous": True, "type": "regular",
    "allows_multiple_answers": False, "options": [{"text": "now", "voter_count": 0}],
}  # fmt: skip


def test_a_detail_that_is_not_as_it_should_be_costs_no_message() -> None:
    """A detail in another server's version is left out; the text, its sender and its chat are still there."""
    strange = {"text": "no id, no chat"}
    got = said(text="yes, then", reply_to_message=strange, entities=[entity("bold", 0, 3)])
    assert (got.text, got.reply, got.sender.id) == ("yes, then", None, "7")
    assert said(poll={"id": "1"}).text == "(poll)"
    assert said(poll={"id": "1"}, chat=GROUP).addressed is False
    photo = [{"file_id": "f"}]
    assert said(photo=photo).text == "(photo)"
    assert said(photo=photo, caption="look").text == "look"
    edited = read("edited_message", text="x", reply_to_message=strange)
    assert isinstance(edited, Message)
    assert edited.edited is True


def test_an_older_servers_poll_is_read() -> None:
    """What newer servers say besides is not needed."""
    assert said(poll=OLD_POLL).text == "(poll: When? – now)"
    got = said(text="yes", reply_to_message=message(message_id=4, poll=OLD_POLL))
    assert got.reply == ReplyContext("4", "ann", "(poll: When? – now)")


@pytest.mark.parametrize(
    "body",
    [
        {"left_chat_member": ANN},
        {"new_chat_title": "T"},
        {"pinned_message": message(text="x")},
        {"group_chat_created": True},
        {},
    ],
)
def test_a_service_message_is_nobodys(body: dict[str, Any]) -> None:
    """Titles and pins are not for the agent."""
    assert read(**body, chat=GROUP) == Ignored("a service message")


def test_who_joins_a_group_is_known() -> None:
    """What was said before is not theirs to read."""
    got = read(new_chat_members=[ANN], chat=GROUP)
    assert isinstance(got, Joined)
    assert (got.chat.id, got.user_ids) == ("-100", (str(ANN["id"]),))


def test_an_edit_is_an_edit() -> None:
    """The same message, said to be edited, dated as it was first sent."""
    got = read("edited_message", text="hello!", edit_date=1_785_580_300)
    assert isinstance(got, Message)
    assert (got.edited, got.message_id, got.text) == (True, "5", "hello!")
    assert got.ts == datetime(2026, 8, 1, 10, 30, 45, tzinfo=UTC)


# ---- threads


def test_a_topic_is_a_thread() -> None:
    """With its name, when the message that opened it came along."""
    got = said(**forum(text="hi", message_thread_id=33, is_topic_message=True))
    assert (got.thread_id, got.thread_name, got.reply) == ("33", None, None)
    created = {"name": "Plans", "icon_color": 1}
    got = said(
        **forum(
            text="hi",
            message_thread_id=33,
            is_topic_message=True,
            reply_to_message=message(message_id=33, chat=GROUP, forum_topic_created=created),
        )
    )
    assert (got.thread_id, got.thread_name, got.reply) == ("33", "Plans", None)


def test_the_general_topic_and_reply_chains_are_no_threads() -> None:
    """General carries no id; outside forums a reply's thread id is only the chain it is in."""
    assert said(**forum(text="hi")).thread_id is None
    assert said(text="hi", chat=GROUP, message_thread_id=4, reply_to_message=reply("x")).thread_id is None


# ---- replies and forwards


@pytest.mark.parametrize(
    ("body", "quote"),
    [
        ({"reply_to_message": reply("what?")}, ReplyContext("4", "bob", "what?")),
        ({"reply_to_message": reply("what?", sender=BOT)}, ReplyContext("4", "sample_bot", "what?")),
        (
            {"reply_to_message": reply("a long text"), "quote": {"text": "long", "position": 2}},
            ReplyContext("4", "bob", "long"),
        ),
        (
            {"reply_to_message": message(message_id=4, photo=[], caption="look")},
            ReplyContext("4", "ann", "look"),
        ),
        ({"reply_to_message": reply(None)}, ReplyContext("4", "bob", None)),
        (
            {"reply_to_message": message(message_id=4, text="x", **{"from": None}, sender_chat=GROUP)},
            ReplyContext("4", "Team", "x"),
        ),
        ({"reply_to_message": message(message_id=4, text="x", **{"from": None})}, ReplyContext("4", None, "x")),
    ],
)
def test_a_reply_says_to_what(body: dict[str, Any], quote: ReplyContext) -> None:
    """The message, its author, and the part that was quoted."""
    assert said(text="this", **body).reply == quote


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ({"type": "user", "sender_user": {"id": 8, "is_bot": False, "first_name": "Bob", "username": "bob"}}, "bob"),
        ({"type": "user", "sender_user": {"id": 8, "is_bot": False, "first_name": "Bob", "last_name": "B"}}, "Bob B"),
        ({"type": "hidden_user", "sender_user_name": "Somebody"}, "Somebody"),
        ({"type": "chat", "sender_chat": GROUP}, "Team"),
        ({"type": "channel", "chat": {"id": -3, "type": "channel", "title": "News"}, "message_id": 9}, "News"),
        ({"type": "channel", "chat": {"id": -3, "type": "channel"}, "message_id": 9}, "-3"),
        (None, None),
    ],
)
def test_a_forward_says_from_whom(origin: dict[str, Any] | None, name: str | None) -> None:
    """Every kind of origin Telegram has."""
    body = {"forward_origin": {**origin, "date": 1_785_580_000}} if origin else {}
    assert said(text="x", **body).forward_from == name


# ---- senders


def test_an_anonymous_admin_speaks_as_the_group() -> None:
    """The user in `from` is then only Telegram's stand-in for it."""
    stand_in = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    got = said(text="x", chat=GROUP, sender_chat=GROUP, **{"from": stand_in})
    assert got.sender == Person("-100", "Team", None)


def test_a_linked_channel_speaks_as_itself() -> None:
    """As above, for posts of a channel."""
    channel = {"id": -3, "type": "channel", "title": "News", "username": "news"}
    got = said(
        text="x", chat=GROUP, sender_chat=channel, **{"from": {"id": 777000, "is_bot": False, "first_name": "T"}}
    )
    assert got.sender == Person("-3", "News", "news")


def test_nobody_at_all_is_ignored() -> None:
    """A message without a sender is not anybody's."""
    assert read(text="x", **{"from": None}) == Ignored("a message without a sender")


def test_another_bot_is_known_as_one() -> None:
    """The gate decides what that means."""
    got = said(text="x", chat=GROUP, **{"from": {"id": 9, "is_bot": True, "first_name": "H", "username": "h_bot"}})
    assert got.sender == Person("9", "H", "h_bot", is_bot=True)


# ---- the bot's own standing


def test_a_group_that_became_a_supergroup_moved() -> None:
    """Its old id and the new one, so that its rule can go along."""
    old = {"id": -5, "type": "group", "title": "Team"}
    assert read(chat=old, migrate_to_chat_id=-1001234567890) == ChatMigrated("-5", "-1001234567890")
    assert read(chat=GROUP, migrate_from_chat_id=-5) == ChatMigrated("-5", "-100")


@pytest.mark.parametrize(
    ("status", "present"),
    [("member", True), ("administrator", True), ("left", False), ("kicked", False)],
)
def test_being_added_and_removed(status: str, present: bool) -> None:
    """In a group, and blocked or unblocked in a direct chat."""
    rights = dict.fromkeys(
        (
            "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
            "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
            "can_edit_stories", "can_delete_stories",
        ),
        False,
    )  # fmt: skip
    new = {"user": BOT, "status": status, "until_date": 0, **(rights if status == "administrator" else {})}
    for chat, kind in ((GROUP, Chat("-100", "group", "Team")), ({"id": 7, "type": "private"}, Chat("7", "direct"))):
        body = {
            "chat": chat, "from": ANN, "date": 1_785_580_245, "old_chat_member": {"user": BOT, "status": "left"},
            "new_chat_member": new,
        }  # fmt: skip
        assert read("my_chat_member", **body) == Membership(kind, Person("7", "Ann Smith", "ann"), present)
