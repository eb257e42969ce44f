"""What people send, as Telegram puts it, into the core's values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import (
    Attachment,
    Chat,
    ChatMigrated,
    DraftStopped,
    Ignored,
    Inbound,
    Joined,
    Membership,
    Message,
    Person,
    RawEvent,
    ReplyContext,
    ThreadRenamed,
)
from agent_channels.telegram.formatting import marked
from agent_channels.telegram.inbound import to_inbound
from updates import ANN, BOB, BOT, GROUP, ME, entity, forum, message, reply, update

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
    """Kind, id, name, type and size, under the platform's own name; the caption, or a sticker's emoji, is the text."""
    got = said(**{field: content}, caption="look")
    assert (got.text, got.attachments, got.image) == ("look", (attachment,), None)
    assert said(**{field: content}).text == content.get("emoji", "")


def test_an_animation_is_told_once() -> None:
    """Telegram sends it as a document too, for old programs."""
    file = {"file_id": "f", "file_unique_id": "u"}
    got = said(animation={**file, **SIZES}, document=file)
    assert got.attachments == (Attachment("animation", "f"),)


def test_a_live_photo_is_a_picture_and_a_file() -> None:
    """Its still is shown, the moving one can be fetched."""
    still = [{"file_id": "s", "width": 9, "height": 9}]
    for body in ({"live_photo": {"file_id": "f", "photo": still}}, {"live_photo": {"file_id": "f"}, "photo": still}):
        got = said(**body)
        assert (got.image, got.attachments) == (
            Attachment("photo", "s", None, "image/jpeg"),
            (Attachment("live_photo", "f"),),
        )


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


CHECKLIST = {
    "title": "Shop",
    "tasks": [
        {"id": 1, "text": "milk", "completed_by_user": ANN, "completion_date": 1_785_580_000},
        {"id": 2, "text": "old bread", "text_entities": [entity("strikethrough", 0, 3)]},
    ],
}
POLL = {
    "id": "1",
    "question": "When?",
    "description": "for the move",
    "options": [{"text": "now", "persistent_id": "a"}, {"text": "later", "persistent_id": "b"}],
}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"checklist": CHECKLIST}, "(checklist: Shop – [x] milk | [ ] ~~old~~ bread)"),
        (
            {
                "checklist_tasks_done": {
                    "checklist_message": {"checklist": CHECKLIST},
                    "marked_as_done_task_ids": [2],
                    "marked_as_not_done_task_ids": [1],
                }
            },
            "(checklist: Shop – done: ~~old~~ bread – not done: milk)",
        ),
        ({"checklist_tasks_done": {"marked_as_done_task_ids": [2]}}, "(checklist – done: task 2)"),
        ({"checklist_tasks_added": {"tasks": [{"id": 3, "text": "eggs"}]}}, "(checklist – added: eggs)"),
        ({"poll": POLL}, "(poll: When? – for the move – now | later)"),
        (
            {"poll_option_added": {"option_text": "never", "poll_message": {"poll": POLL}}},
            "(poll: When? – added: never)",
        ),
        (
            {"users_shared": {"request_id": 1, "users": [{"user_id": 8, "first_name": "Bob", "username": "bob"}]}},
            "(shared: Bob @bob id 8)",
        ),
        ({"users_shared": {"request_id": 1, "users": [{"user_id": 8}, {"user_id": 9}]}}, "(shared: id 8, id 9)"),
        ({"user_shared": {"request_id": 1, "user_id": 8}}, "(shared: id 8)"),
        ({"chat_shared": {"request_id": 1, "chat_id": -3, "title": "News"}}, "(shared chat: News id -3)"),
        ({"web_app_data": {"data": '{"size": 4}', "button_text": "Order"}}, '(web app, Order: {"size": 4})'),
        ({"gift": {"gift": {"sticker": {"emoji": "🎂"}}, "text": "well done"}}, "(gift 🎂: well done)"),
        ({"gift": {"gift": {"sticker": {}}}}, "(gift)"),
        ({"unique_gift": {"gift": {"base_name": "Plush Pepe", "number": 7}, "origin": "transfer"}},
         "(gift: Plush Pepe #7)"),
        ({"game": {"title": "Chess", "description": "for two", "photo": []}}, "(game: Chess – for two)"),
        ({"invoice": {"title": "Book", "description": "", "currency": "EUR", "total_amount": 900}}, "(invoice: Book)"),
        ({"successful_payment": {"currency": "XTR", "total_amount": 5}}, "(payment: 5 XTR)"),
        ({"giveaway": {"prize_description": "a car", "winner_count": 1}}, "(giveaway: a car)"),
        ({"paid_media": {"star_count": 5, "paid_media": []}}, "(paid media)"),
        ({"widget": {"html": "x"}}, "(a kind this version cannot read: widget)"),
        ({"sticker": {"file_id": "f", "emoji": "👍"}}, "👍"),
    ],
)  # fmt: skip
def test_every_kind_of_message_says_what_it_holds(body: dict[str, Any], text: str) -> None:
    """The same words, whether it is sent or replied to, and whatever a later version of Telegram adds."""
    assert said(**body).text == text
    got = said(text="this", reply_to_message=message(message_id=4, **body))
    assert got.reply is not None
    assert got.reply.text == text


@pytest.mark.parametrize("kind", ["checklist", "checklist_tasks_done", "users_shared", "gift", "poll", "web_app_data"])
@pytest.mark.parametrize("broken", [{}, 5, "x", [1], {"gift": 3}, {"tasks": None}])
def test_a_kind_that_is_not_as_it_should_be_is_named(kind: str, broken: Any) -> None:
    """Nothing is lost to a detail: the message still says of which kind it is."""
    got = read(**{kind: broken})
    assert isinstance(got, Message)
    assert kind.split("_", maxsplit=1)[0] in got.text


@pytest.mark.parametrize(
    ("text", "entities", "shown"),
    [
        ("delete prod delete staging", [entity("strikethrough", 0, 12)], "~~delete prod~~ delete staging"),
        ("a 😀 b", [entity("strikethrough", 2, 2)], "a ~~😀~~ b"),
        ("one\n\ntwo x", [entity("strikethrough", 0, 8)], "~~one~~\n\n~~two~~ x"),
        ("it is Bob", [entity("spoiler", 6, 3)], "it is ||Bob||"),
        ("run rm -rf *", [entity("code", 4, 8)], "run `rm -rf *`"),
        ("a `b` c", [entity("code", 2, 3)], "a `` `b` `` c"),
        ("ls -la", [entity("pre", 0, 6)], "```\nls -la\n```"),
        ("do\nls\nok", [entity("pre", 3, 2, language="sh")], "do\n```sh\nls\n```\nok"),
        ("do ls ok", [entity("pre", 3, 2)], "do \n```\nls\n```\n ok"),
        ("```x```", [entity("pre", 0, 7)], "````\n```x```\n````"),
        ("no\nnever\nwhy?", [entity("blockquote", 0, 8)], "> no\n> never\nwhy?"),
        ("no\nnever", [entity("expandable_blockquote", 0, 8), entity("strikethrough", 0, 2)], "> ~~no~~\n> never"),
        ("x", [entity("strikethrough", 0, 1), entity("spoiler", 0, 1)], "~~||x||~~"),
        ("go here", [entity("text_link", 3, 4, url="https://a.b/"), entity("strikethrough", 3, 4)],
         "go ~~here~~ (https://a.b/)"),
        ("yes, then", [entity("bold", 0, 3), entity("italic", 5, 4)], "yes, then"),
        ("x", [entity("strikethrough", 5, 4), entity("pre", 1, 0)], "x"),
        ("a  b", [entity("strikethrough", 1, 2)], "a  b"),
        ("say ls ok", [entity("blockquote", 0, 9), entity("pre", 4, 2)], "> say \n> ```\n> ls\n> ```\n>  ok"),
        ("at 5pm", [entity("date_time", 3, 3, unix_time=1_785_580_000)], "at 5pm (2026-08-01T10:26:40Z)"),
        ("at 5pm", [entity("date_time", 3, 3, unix_time=10**15)], "at 5pm"),
        ("at 5pm", [entity("date_time", 3, 3, unix_time=None)], "at 5pm"),
    ],
)  # fmt: skip
def test_formatting_that_changes_the_meaning_is_shown(text: str, entities: list[dict[str, Any]], shown: str) -> None:
    """As Markdown, in a text, a caption, a quote and in what is replied to."""
    assert said(text=text, entities=entities).text == shown
    photo = [{"file_id": "f", "width": 1, "height": 1}]
    assert said(photo=photo, caption=text, caption_entities=entities).text == shown
    replied = message(message_id=4, text=text, entities=entities)
    for body in (
        {"reply_to_message": replied},
        {"reply_to_message": reply("whole"), "quote": {"text": text, "entities": entities, "position": 0}},
    ):
        found = said(text="this", **body).reply
        assert found is not None
        assert found.text == shown


@given(
    st.text(st.sampled_from("a `~|>\né"), max_size=12),
    st.lists(
        st.builds(
            entity,
            st.sampled_from(["strikethrough", "spoiler", "code", "pre", "blockquote", "text_link", "bold"]),
            st.integers(-2, 14), st.integers(-2, 14), url=st.just("https://a.b"),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_no_formatting_loses_a_character(text: str, entities: list[dict[str, Any]]) -> None:
    """Whatever overlaps and wherever it lies, every character is still there, in order."""
    shown = iter(marked(text, entities))
    assert all(character in shown for character in text)


OLD_POLL = {
    "id": "1", "question": "When?", "total_voter_count": 0, "is_closed": False, "is_anonymous": True, "type": "regular",
    "allows_multiple_answers": False, "options": [{"text": "now", "voter_count": 0}],
}  # fmt: skip


def test_a_detail_that_is_not_as_it_should_be_costs_no_message() -> None:
    """A detail in another server's version is left out; the text, its sender and its chat are still there."""
    strange = {"text": "no id, no chat"}
    whole = [{"file_id": "f", "width": 1, "height": 1}]
    assert said(photo=whole, caption="look", reply_to_message=strange).image is not None
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
        ({"reply_to_message": reply("what?", sender=BOT)}, ReplyContext("4", "sample_bot", "what?", own=True)),
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


PICTURE = Attachment("photo", "f2", None, "image/jpeg", 9)
SIZED = [{"file_id": "f1", "width": 1, "height": 1}, {"file_id": "f2", "width": 2, "height": 2, "file_size": 9}]
ORIGIN = {"type": "user", "sender_user": BOB, "date": 1}


@pytest.mark.parametrize(
    ("body", "replied"),
    [
        (
            {"reply_to_message": message(message_id=4, photo=SIZED)},
            ReplyContext("4", "ann", "(photo)", (PICTURE,)),
        ),
        (
            {"reply_to_message": message(message_id=4, document={"file_id": "f", "file_name": "a.pdf"}, caption="see")},
            ReplyContext("4", "ann", "see", (Attachment("document", "f", "a.pdf"),)),
        ),
        (
            {"reply_to_message": message(message_id=4, audio={"file_id": "f", "title": "Song"})},
            ReplyContext("4", "ann", "(audio: Song)", (Attachment("audio", "f", "Song"),)),
        ),
        (
            {"external_reply": {"origin": ORIGIN, "photo": SIZED}},
            ReplyContext("", "bob", "(photo)", (PICTURE,)),
        ),
        ({"external_reply": {"origin": ORIGIN}}, ReplyContext("", "bob", "(a message in another chat)")),
        (
            {"external_reply": {"origin": ORIGIN}, "quote": {"text": "that part", "position": 0}},
            ReplyContext("", "bob", "that part"),
        ),
        ({"external_reply": {"origin": ORIGIN, "poll": POLL}},
         ReplyContext("", "bob", "(poll: When? – for the move – now | later)")),
        ({"reply_to_story": {"id": 1, "chat": GROUP}}, ReplyContext("", "Team", "(story)")),
        (
            {"reply_to_message": message(message_id=4, checklist=CHECKLIST), "reply_to_checklist_task_id": 1},
            ReplyContext("4", "ann", "milk"),
        ),
        (
            {"reply_to_message": message(message_id=4, poll=POLL), "reply_to_poll_option_id": "b"},
            ReplyContext("4", "ann", "later"),
        ),
    ],
)  # fmt: skip
def test_a_reply_names_what_it_is_about(body: dict[str, Any], replied: ReplyContext) -> None:
    """Files with their names and ids, a task, an option, a story, also in another chat."""
    assert said(text="this", **body).reply == replied


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


def test_a_post_in_a_channel_is_the_channels() -> None:
    """It is for all who read the channel, so it needs no mention; an edit of it is one."""
    channel = {"id": -3, "type": "channel", "title": "News"}
    for kind in ("channel_post", "edited_channel_post"):
        body = message(text="red", chat=channel, sender_chat=channel, **{"from": None})
        got = to_inbound(RawEvent("1", update(kind, body), 1_800_000_000.0), ME)
        assert isinstance(got, Message)
        assert (got.chat, got.sender.name, got.addressed) == (Chat("-3", "group", "News"), "News", True)
        assert got.edited is (kind == "edited_channel_post")


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


def test_a_topic_that_telegram_named() -> None:
    """It is told from one that a person named."""
    topic = {"message_thread_id": 5, "is_topic_message": True}
    opened = {"name": "New Chat", "icon_color": 7322096}
    named = ThreadRenamed("7", "5", "New Chat")
    assert read(**topic, forum_topic_created=opened) == named
    assert read(**topic, forum_topic_created={**opened, "is_name_implicit": True}) == replace(named, implicit=True)
    assert read(**topic, forum_topic_edited={"name": "Deploys"}) == ThreadRenamed("7", "5", "Deploys")


def test_a_draft_that_was_stopped() -> None:
    """The id of a draft may be a string; the person is the private chat's."""
    chat = {"id": 7, "type": "private", "first_name": "Ann", "username": "ann"}
    ann = Person("7", "Ann", "ann")
    for number in (9, "9"):
        stopped = read("stopped_message_generation", chat=chat, draft_id=number)
        assert stopped == DraftStopped(Chat("7", "direct"), ann, 9)
    assert isinstance(read("stopped_message_generation", chat=GROUP, draft_id=9), Ignored)
    assert isinstance(read("stopped_message_generation", chat=chat, draft_id="x"), Ignored)


def test_a_post_that_was_copied_into_its_discussion_group() -> None:
    """It says whose copy it is; any other message of a channel is none."""
    news = {"id": -200, "type": "channel", "title": "News"}
    assert said(chat=GROUP, text="x", sender_chat=news, is_automatic_forward=True).copy_of == "-200"
    assert said(chat=GROUP, text="x", sender_chat=news).copy_of is None
