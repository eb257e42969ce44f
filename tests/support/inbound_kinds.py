"""What people send, kind by kind, and what the agent reads of it: proven by a test, and a page of the docs.

Read by file, so it imports nothing of the tests.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["DISCORD", "SERVICE", "SLACK", "TELEGRAM", "Kind"]


class Kind(NamedTuple):
    """One kind of message."""

    name: str
    body: dict[str, Any]
    """The fields that the platform sends, besides who, where and when."""
    reads: str
    """The content of the agent's event; for `reply_to_text`, see `replied`."""
    files: str = ""
    """The kinds of its files, in order; those of the message that it replies to in parentheses."""
    replied: str | None = None
    """What the agent reads of the message that it replies to."""


def _p(text: Any) -> dict[str, Any]:
    return {"type": "paragraph", "text": text}


def _rich(*blocks: Any) -> dict[str, Any]:
    return {"rich_message": {"blocks": list(blocks)}}


def _span(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


_FILE = {"file_id": "f", "file_unique_id": "u"}
_PHOTO = [{**_FILE, "width": 90, "height": 90}]
_PLACE = {"latitude": 1.5, "longitude": 2.5}
_POLL = {
    "id": "1", "question": "When?", "description": "for the move",
    "options": [{"text": "now", "persistent_id": "a"}, {"text": "later", "persistent_id": "b"}],
}  # fmt: skip
_LIST = {"title": "Shop", "tasks": [{"id": 1, "text": "milk", "completion_date": 9}, {"id": 2, "text": "bread"}]}
_BOB = {"id": 8, "is_bot": False, "first_name": "Bob", "username": "bob"}
_ORIGIN = {"type": "user", "sender_user": _BOB, "date": 9}


def _answers(text: str, /, **replied: Any) -> dict[str, Any]:
    chat = {"id": 7, "type": "private"}
    return {"text": text, "reply_to_message": {"message_id": 4, "date": 9, "chat": chat, "from": _BOB, **replied}}


TELEGRAM = (
    Kind("text", {"text": "hello"}, "hello"),
    Kind("text with something struck out",
         {"text": "delete prod delete staging", "entities": [_span("strikethrough", 0, 11)]},
         "~~delete prod~~ delete staging"),
    Kind("text with a spoiler", {"text": "it is Bob", "entities": [_span("spoiler", 6, 3)]}, "it is ||Bob||"),
    Kind("text with code", {"text": "run ls", "entities": [_span("code", 4, 2)]}, "run `ls`"),
    Kind("text with a block of code", {"text": "ls -la", "entities": [_span("pre", 0, 6, language="sh")]},
         "```sh\nls -la\n```"),
    Kind("text with a quotation", {"text": "no\nwhy?", "entities": [_span("blockquote", 0, 2)]}, "> no\nwhy?"),
    Kind("text with a link under words", {"text": "see here", "entities": [_span("text_link", 4, 4, url="https://a.b")]},
         "see here (https://a.b)"),
    Kind("text with a moment", {"text": "at 5 pm", "entities": [_span("date_time", 3, 4, unix_time=1_785_580_000)]},
         "at 5 pm (2026-08-01T10:26:40Z)"),
    Kind("rich message: paragraphs and a heading", _rich({"type": "heading", "size": 2, "text": "Plan"}, _p("ship it")),
         "## Plan\n\nship it"),
    Kind("rich message: a table",
         _rich({"type": "table", "cells": [[{"text": "ms", "is_header": True}], [{"text": "12"}]]}),
         "| ms |\n| --- |\n| 12 |"),
    Kind("rich message: tasks",
         _rich({"type": "list", "items": [{"has_checkbox": True, "is_checked": True, "blocks": [_p("tests")]},
                                          {"has_checkbox": True, "blocks": [_p("docs")]}]}),
         "- [x] tests\n- [ ] docs"),
    Kind("rich message: a numbered list",
         _rich({"type": "list", "items": [{"label": "4.", "blocks": [_p("x")]}, {"label": "5.", "blocks": [_p("y")]}]}),
         "4. x\n5. y"),
    Kind("rich message: something folded", _rich({"type": "details", "summary": "Log", "blocks": [_p("line 1")]}),
         "▸ Log\nline 1"),
    Kind("rich message: a quotation", _rich({"type": "blockquote", "blocks": [_p("no")], "credit": "Ann"}),
         "> no\n> — Ann"),
    Kind("rich message: mathematics", _rich({"type": "mathematical_expression", "expression": "x^2"}), "$$\nx^2\n$$"),
    Kind("rich message: a map", _rich({"type": "map", "location": _PLACE, "zoom": 9}), "(location: 1.5, 2.5)"),
    Kind("rich message: buttons in the text", _rich({"type": "buttons", "buttons": [{"text": "Yes"}, {"text": "No"}]}),
         "[Yes] [No]"),
    Kind("rich message: files in the text",
         _rich(_p("look"), {"type": "photo", "photo": _PHOTO, "caption": {"text": "the page"}},
               {"type": "document", "document": {**_FILE, "file_id": "d", "file_name": "a.pdf"}}),
         "look\n\n(photo)\nthe page\n\n(document: a.pdf)", "photo, document"),
    Kind("rich message: a block of a later version", _rich({"type": "carousel", "slides": [{"title": "One"}]}), "One"),
    Kind("photo", {"photo": _PHOTO}, "(photo)", "photo"),
    Kind("photo with a caption", {"photo": _PHOTO, "caption": "look"}, "look", "photo"),
    Kind("live photo", {"photo": _PHOTO, "live_photo": {**_FILE, "file_id": "v"}}, "(photo, live photo)",
         "photo, live_photo"),
    Kind("file", {"document": {**_FILE, "file_name": "a.pdf"}}, "(document)", "document"),
    Kind("voice note", {"voice": _FILE}, "(voice)", "voice"),
    Kind("music", {"audio": {**_FILE, "title": "Song"}}, "(audio)", "audio"),
    Kind("video", {"video": _FILE}, "(video)", "video"),
    Kind("round video", {"video_note": _FILE}, "(video note)", "video_note"),
    Kind("animation", {"animation": _FILE, "document": _FILE}, "(animation)", "animation"),
    Kind("sticker", {"sticker": {**_FILE, "emoji": "👍"}}, "👍", "sticker"),
    Kind("location", {"location": _PLACE}, "(location: 1.5, 2.5)"),
    Kind("venue", {"venue": {"location": _PLACE, "title": "Café", "address": "Way 1"}, "location": _PLACE},
         "(venue: Café, Way 1, 1.5, 2.5)"),
    Kind("contact", {"contact": {"phone_number": "+49", "first_name": "Bob"}}, "(contact: Bob, +49)"),
    Kind("dice", {"dice": {"emoji": "🎲", "value": 4}}, "(dice: 🎲 4)"),
    Kind("poll", {"poll": _POLL}, "(poll: When? – for the move – now | later)"),
    Kind("an option added to a poll", {"poll_option_added": {"option_text": "never", "poll_message": {"poll": _POLL}}},
         "(poll: When? – added: never)"),
    Kind("an option deleted from a poll", {"poll_option_deleted": {"option_text": "now"}}, "(poll – deleted: now)"),
    Kind("checklist", {"checklist": _LIST}, "(checklist: Shop – [x] milk | [ ] bread)"),
    Kind("tasks ticked off", {"checklist_tasks_done": {"checklist_message": {"checklist": _LIST},
                                                       "marked_as_done_task_ids": [2]}},
         "(checklist: Shop – done: bread)"),
    Kind("tasks added", {"checklist_tasks_added": {"tasks": [{"id": 3, "text": "eggs"}]}}, "(checklist – added: eggs)"),
    Kind("people shared with the bot",
         {"users_shared": {"request_id": 1, "users": [{"user_id": 8, "username": "bob"}]}},
         "(shared: @bob id 8)"),
    Kind("a chat shared with the bot", {"chat_shared": {"request_id": 1, "chat_id": -3, "title": "News"}},
         "(shared chat: News id -3)"),
    Kind("data of a web app", {"web_app_data": {"data": "4", "button_text": "Order"}}, "(web app, Order: 4)"),
    Kind("gift", {"gift": {"gift": {"sticker": {"emoji": "🎂"}}, "text": "well done"}}, "(gift 🎂: well done)"),
    Kind("unique gift", {"unique_gift": {"gift": {"base_name": "Pepe", "number": 7}}}, "(gift: Pepe #7)"),
    Kind("story", {"story": {"id": 1, "chat": {"id": -100, "type": "channel"}}}, "(story)"),
    Kind("game", {"game": {"title": "Chess", "description": "for two"}}, "(game: Chess – for two)"),
    Kind("invoice", {"invoice": {"title": "Book", "currency": "EUR", "total_amount": 900}}, "(invoice: Book)"),
    Kind("payment", {"successful_payment": {"currency": "XTR", "total_amount": 5}}, "(payment: 5 XTR)"),
    Kind("refund", {"refunded_payment": {"currency": "XTR", "total_amount": 5}}, "(refunded payment: 5 XTR)"),
    Kind("giveaway", {"giveaway": {"prize_description": "a car", "winner_count": 1}}, "(giveaway: a car)"),
    Kind("winners of a giveaway", {"giveaway_winners": {"winner_count": 1}}, "(giveaway winners)"),
    Kind("paid media", {"paid_media": {"star_count": 5, "paid_media": []}}, "(paid media)"),
    Kind("paid media that was paid for",
         {"paid_media": {"star_count": 5, "paid_media": [{"type": "photo", "photo": _PHOTO}]}, "caption": "look"},
         "look", "photo"),
    Kind("a kind of a later version that is only words", {"hologram": "hello"},
         "(a kind this version cannot read: hologram)\nhello"),
    Kind("a kind of a later version", {"widget": {"html": "<p>", "title": "Weather"}},
         "(a kind this version cannot read: widget)\nWeather"),
    Kind("a kind of file of a later version", {"hologram": {**_FILE, "file_name": "x.holo"}}, "(hologram)", "hologram"),
    Kind("forward", {"text": "hello", "forward_origin": _ORIGIN}, "hello"),
    Kind("reply to a picture", _answers("wrong?", photo=_PHOTO, caption="the page"), "wrong?", "(photo)", "the page"),
    Kind("reply to a file", _answers("page 2?", document={**_FILE, "file_name": "a.pdf"}), "page 2?", "(document)",
         "(document: a.pdf)"),
    Kind("reply to a voice note", _answers("do that", voice=_FILE), "do that", "(voice)", "(voice)"),
    Kind("reply to a rich message", _answers("why?", **_rich({"type": "pre", "text": "boom"})), "why?", "",
         "```\nboom\n```"),
    Kind("reply to a task of a checklist", {**_answers("done", checklist=_LIST), "reply_to_checklist_task_id": 2},
         "done", "", "bread"),
    Kind("reply to an option of a poll", {**_answers("this", poll=_POLL), "reply_to_poll_option_id": "b"},
         "this", "", "later"),
    Kind("reply to a quoted part", {**_answers("why?", text="a, b"), "quote": {"text": "b", "position": 3}},
         "why?", "", "b"),
    Kind("reply to a message in another chat",
         {"text": "this?", "external_reply": {"origin": _ORIGIN, "photo": _PHOTO}},
         "this?", "(photo)", "(photo)"),
    Kind("reply to a story", {"text": "nice", "reply_to_story": {"id": 1, "chat": {"id": 8, "first_name": "Bob"}}},
         "nice", "", "(story)"),
)  # fmt: skip


def _attachment(name: str, mime: str, **more: Any) -> dict[str, Any]:
    return {"id": "1000000000000001", "filename": name, "content_type": mime, "size": 3, "url": "", **more}


def _replied(text: str, /, **replied: Any) -> dict[str, Any]:
    author = {"id": "800000000000000008", "username": "bob"}
    place = {"id": "4", "channel_id": "300000000000000003"}
    return {
        "content": text,
        "type": 19,
        "message_reference": {"type": 0, "message_id": "4", "channel_id": "300000000000000003"},
        "referenced_message": {**place, "type": 0, "author": author, "content": "", **replied},
    }


def _forward(**snapshot: Any) -> dict[str, Any]:
    return {
        "message_reference": {"type": 1, "message_id": "4", "channel_id": "300000000000000003"},
        "message_snapshots": [{"message": {"type": 0, "content": "", **snapshot}}],
    }


_EMBED = {
    "type": "rich", "title": "Build 7", "url": "https://a.b/7", "description": "failed", "footer": {"text": "CI"},
    "author": {"name": "octo"}, "fields": [{"name": "step", "value": "lint"}],
}  # fmt: skip
_EMBED_WORDS = "octo\nBuild 7 (https://a.b/7)\nfailed\nstep: lint\nCI"
_V2 = {
    "flags": 1 << 15,
    "components": [
        {"type": 17, "components": [
            {"type": 9, "components": [{"type": 10, "content": "## Deploy"}],
             "accessory": {"type": 2, "label": "Open", "url": "https://a.b"}},
            {"type": 14},
            {"type": 1, "components": [{"type": 3, "placeholder": "Where", "options": [{"label": "prod"}]}]},
        ]},
    ],
}  # fmt: skip
_V2_WORDS = "## Deploy\n[Open] (https://a.b)\n[Where: prod]"
_LUNCH = {
    "question": {"text": "Lunch?"},
    "answers": [{"answer_id": 1, "poll_media": {"text": "yes", "emoji": {"name": "🍕"}}},
                {"answer_id": 2, "poll_media": {"text": "no"}}],
}  # fmt: skip
_ENDED = {
    "poll_question_text": "Lunch?", "victor_answer_text": "yes", "victor_answer_votes": "3", "total_votes": "5",
}  # fmt: skip

DISCORD = (
    Kind("text", {"content": "hello ~~old~~ ||Bob||"}, "hello ~~old~~ ||Bob||"),
    Kind("text with a mention of the bot", {"content": "<@100000000000000001> go"}, "@agent go"),
    Kind("text with a mention of the bot's role",
         {"content": "<@&900000000000000009> go", "own_roles": ["900000000000000009"]}, "@agent go"),
    Kind("text with a server's emoji", {"content": "<a:party:123456789012345678>"}, ":party:"),
    Kind("text with a moment", {"content": "at <t:1785580000:R>"}, "at 2026-08-01T10:26:40Z"),
    Kind("picture", {"attachments": [_attachment("a.png", "image/png")]}, "(photo)", "photo"),
    Kind("file", {"attachments": [_attachment("a.pdf", "application/pdf")]}, "(document)", "document"),
    Kind("file whose name Discord replaced",
         {"attachments": [_attachment("c953.pdf", "application/pdf", title="五月報表")], "content": "look"}, "look",
         "document"),
    Kind("video", {"attachments": [_attachment("a.mp4", "video/mp4")]}, "(video)", "video"),
    Kind("voice message", {"attachments": [_attachment("voice-message.ogg", "audio/ogg")], "flags": 1 << 13}, "(voice)",
         "voice"),
    Kind("sticker", {"sticker_items": [{"name": "Wave"}]}, "(sticker: Wave)"),
    Kind("poll", {"poll": _LUNCH}, "(poll: Lunch? – 🍕 yes | no)"),
    Kind("poll with votes", {"poll": {**_LUNCH, "results": {"answer_counts": [{"id": 1, "count": 3}]}}},
         "(poll: Lunch? – 🍕 yes (3) | no)"),
    Kind("the result of a poll",
         {"type": 46, "embeds": [{"type": "poll_result",
                                  "fields": [{"name": name, "value": value} for name, value in _ENDED.items()]}]},
         "(poll ended: Lunch? – yes 3/5)"),
    Kind("embed", {"embeds": [_EMBED]}, _EMBED_WORDS),
    Kind("embed beside a text", {"content": "see", "embeds": [_EMBED]}, f"see\n{_EMBED_WORDS}"),
    Kind("link with a preview",
         {"content": "https://a.b/7", "embeds": [{"type": "article", "url": "https://a.b/7", "title": "Seven"}]},
         "https://a.b/7"),
    Kind("components", _V2, _V2_WORDS),
    Kind("components with a spoiler",
         {"flags": 1 << 15,
          "components": [{"type": 17, "spoiler": True, "components": [{"type": 10, "content": "Bob"}]}]},
         "||Bob||"),
    Kind("components with pictures",
         {"flags": 1 << 15, "components": [{"type": 12, "items": [{"media": {"url": "https://a.b/c.png"},
                                                                   "description": "the page"}]}]},
         "(photo: the page https://a.b/c.png)"),
    Kind("a component of a later version", {"flags": 1 << 15, "components": [{"type": 99}]},
         "(a kind this version cannot read: component 99)"),
    Kind("the start of a thread", {**_replied("", content="ship it?"), "type": 21},
         "(this thread began with a message of bob) ship it?"),
    Kind("forward", _forward(content="hello"), "hello"),
    Kind("forward of an embed", _forward(embeds=[_EMBED]), _EMBED_WORDS),
    Kind("forward of components", _forward(**_V2), _V2_WORDS),
    Kind("forward of a file", _forward(attachments=[_attachment("a.pdf", "application/pdf")]), "(document)",
         "document"),
    Kind("reply to a picture", _replied("wrong?", attachments=[_attachment("a.png", "image/png")]), "wrong?", "(photo)",
         "(photo: a.png)"),
    Kind("reply to a file", _replied("page 2?", attachments=[_attachment("a.pdf", "application/pdf")]), "page 2?",
         "(document)", "(document: a.pdf)"),
    Kind("reply to a voice message",
         _replied("do that", attachments=[_attachment("voice-message.ogg", "audio/ogg")], flags=1 << 13), "do that",
         "(voice)", "(voice: voice-message.ogg)"),
    Kind("reply to an embed", _replied("why?", embeds=[_EMBED]), "why?", "", _EMBED_WORDS),
    Kind("reply to components", _replied("when?", **_V2), "when?", "", _V2_WORDS),
    Kind("reply to what Discord says", _replied("welcome", type=7), "welcome", "", "(somebody joined)"),
    Kind("an invitation to a game", {"activity": {"type": 1}}, "(an invitation to join in)"),
    Kind("a kind of a later version", {"hologram": {"id": "1"}}, "(a kind this version cannot read: hologram)"),
    Kind("a type of message of a later version", {"type": 99}, "(a kind this version cannot read: message type 99)"),
)  # fmt: skip

# What Telegram itself says in a chat: the agent gets no event, and reads these words in a reply to it.
SERVICE = (
    Kind("somebody joined", {"new_chat_members": [_BOB]}, "(somebody joined)"),
    Kind("somebody left", {"left_chat_member": _BOB}, "(somebody left)"),
    Kind("a new name", {"new_chat_title": "Team"}, "(the group has a new name: Team)"),
    Kind("a pinned message", {"pinned_message": {"text": "rules"}}, "(a message was pinned: rules)"),
    Kind("a closed topic", {"forum_topic_closed": {}}, "(the topic was closed)"),
    Kind("a boost", {"boost_added": {"boost_count": 1}}, "(the group was boosted)"),
    Kind("another background", {"chat_background_set": {}}, "(the chat has a new background)"),
    Kind("another owner", {"chat_owner_changed": {"new_owner": _BOB}}, "(the chat has a new owner)"),
    Kind("a community", {"community_chat_added": {}}, "(the chat was added to a community)"),
    Kind("a video chat", {"video_chat_started": {}}, "(a video chat began)"),
)


def _file(mime: str, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"files": [{"id": "F1", "name": name, "mimetype": mime, "size": 9, **more}], "subtype": "file_share"}


def _section(*elements: dict[str, Any], kind: str = "rich_text_section") -> dict[str, Any]:
    return {"type": kind, "elements": list(elements)}


_SHARED = {
    "is_share": True, "is_msg_unfurl": True, "author_name": "Bob", "text": "ship it", "footer": "Thread in #general",
    "from_url": "https://team.slack.com/archives/C1/p1", "fallback": "[Bob] ship it",
}  # fmt: skip
_APP_BLOCKS = [
    {"type": "header", "text": {"type": "plain_text", "text": "Build 7"}},
    {"type": "section", "text": {"type": "mrkdwn", "text": "passed in *3 min*"},
     "fields": [{"type": "mrkdwn", "text": "by <@U0ANN00001>"}]},
    {"type": "divider"},
    {"type": "context", "elements": [{"type": "plain_text", "text": "main"}, {"type": "mrkdwn", "text": "a1b2c3"}]},
    {"type": "image", "image_url": "https://a.b/c.png", "alt_text": "the chart"},
    {"type": "actions",
     "elements": [{"type": "button", "action_id": "x", "text": {"type": "plain_text", "text": "Open"}}]},
]  # fmt: skip
_TABLE_BLOCK = {
    "type": "table",
    "rows": [[{"type": "raw_text", "text": "ms"}, {"type": "raw_text", "text": "n"}],
             [{"type": "rich_text", "elements": [_section({"type": "text", "text": "12"})]},
              {"type": "raw_text", "text": "3"}]],
}  # fmt: skip

SLACK = (
    Kind("text", {"text": "hello *bold* &lt;b&gt; &amp; more"}, "hello *bold* <b> & more"),
    Kind("text with a mention of the bot", {"text": "<@U0AGENT001> go"}, "@agent go"),
    Kind("text with a mention of somebody", {"text": "ask <@U0ANN00001>"}, "ask @ann"),
    Kind(
        "text with a mention of a group, and of everybody",
        {"text": "<!subteam^S012AB3CD|@ops> and <!here>"},
        "@ops and @here",
    ),
    Kind("text with a channel", {"text": "see <#C0GENERAL1|general>"}, "see #general"),
    Kind("text with an address", {"text": "<https://a.b/c>"}, "https://a.b/c"),
    Kind("text with a link under words", {"text": "see <https://a.b|here>"}, "see here (https://a.b)"),
    Kind("text with a mail address", {"text": "<mailto:a@b.co|a@b.co>"}, "a@b.co"),
    Kind("text with a moment", {"text": "at <!date^1785580000^{time}|5 pm>"}, "at 2026-08-01T10:26:40Z"),
    Kind("picture", _file("image/png", "a.png"), "(photo)", "photo"),
    Kind("file", {**_file("application/pdf", "a.pdf"), "text": "look"}, "look", "document"),
    Kind("video", _file("video/mp4", "a.mp4"), "(video)", "video"),
    Kind("voice message", _file("audio/webm", "audio.m4a", subtype="slack_audio"), "(voice)", "voice"),
    Kind(
        "file that was deleted",
        {"files": [{"id": "F1", "mode": "tombstone"}]},
        "(a kind this version cannot read: file)",
    ),
    Kind("shared message", {"text": "this?", "attachments": [_SHARED]}, "this?\nBob\nship it"),
    Kind(
        "link with a preview",
        {"text": "<https://a.b/7>", "attachments": [{"original_url": "https://a.b/7", "title": "Seven", "text": "7"}]},
        "https://a.b/7",
    ),
    Kind(
        "attachment of a program",
        {
            "text": "",
            "bot_id": "B0CI000001",
            "username": "CI",
            "attachments": [
                {
                    "pretext": "Done",
                    "title": "Build 7",
                    "title_link": "https://ci/7",
                    "text": "green",
                    "fields": [{"title": "branch", "value": "main"}],
                    "footer": "ci",
                }
            ],
        },
        "Done\nBuild 7 (https://ci/7)\ngreen\nbranch: main\nci",
    ),
    Kind(
        "blocks of a program",
        {"text": "", "bot_id": "B0CI000001", "username": "CI", "blocks": _APP_BLOCKS},
        "Build 7\npassed in *3 min*\nby @ann\nmain a1b2c3\n(photo: the chart)\n[Open]",
    ),
    Kind(
        "rich text of a program",
        {
            "text": "",
            "bot_id": "B0CI000001",
            "blocks": [
                {
                    "type": "rich_text",
                    "elements": [
                        _section(
                            {"type": "text", "text": "see "}, {"type": "link", "url": "https://a.b", "text": "this"}
                        ),
                        {
                            "type": "rich_text_list",
                            "style": "ordered",
                            "elements": [
                                _section({"type": "text", "text": "one"}),
                                _section({"type": "emoji", "name": "fire"}),
                            ],
                        },
                        _section({"type": "text", "text": "x = 1"}, kind="rich_text_preformatted"),
                    ],
                }
            ],
        },
        "see this (https://a.b)\n1. one\n2. :fire:\nx = 1",
    ),
    Kind("table", {"text": "", "bot_id": "B0CI000001", "blocks": [_TABLE_BLOCK]}, "ms | n\n12 | 3"),
    Kind("a block of a later version", {"text": "", "blocks": [{"type": "hologram", "title": "Bob"}]}, "Bob"),
    Kind(
        "a block of a later version without words",
        {"text": "", "blocks": [{"type": "hologram"}]},
        "(a kind this version cannot read: block hologram)",
    ),
    Kind(
        "a kind of a later version", {"text": "", "subtype": "hologram"}, "(a kind this version cannot read: hologram)"
    ),
    Kind(
        "reply in a thread",
        {
            "text": "why?",
            "thread_ts": "1765000000.000100",
            "parent_user_id": "U0ANN00001",
            "root": {"text": "ship it?"},
        },
        "why?",
        replied="ship it?",
    ),
)
