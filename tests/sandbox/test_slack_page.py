"""Slack on the chat page: texts, blocks, threads, menus, forms and what one person alone sees, as plain values."""

from __future__ import annotations

import pytest

from agent_channels.sandbox.page.scene import SceneChat
from agent_channels.sandbox.page.slack_text import plain_text, rich_mrkdwn
from agent_channels.sandbox.page.slack_view import chat_view, file_data, form
from agent_channels.sandbox.slack.manifest import configure
from agent_channels.sandbox.slack.records import SlackApp
from slack_wire import actions, button, section

pytest_plugins = ["slack_fixtures"]

NAMES = {"U1": "Ann", "C1": "general"}
MANIFEST = """{"display_information": {"name": "Agent"}, "features": {"bot_user": {"display_name": "agent"},
"app_home": {"messages_tab_enabled": true}, "slash_commands": [{"command": "/stop", "description": "Stop",
"should_escape": true}]}, "oauth_config": {"scopes": {"bot": ["chat:write", "commands", "im:history"]}},
"settings": {"event_subscriptions": {"bot_events": ["message.im"]}, "interactivity": {"is_enabled": true},
"socket_mode_enabled": true}}"""


def place(chat_id: str) -> SceneChat:
    return SceneChat("slack", chat_id, chat_id, "", "", ("eve",))


def paragraph(*pieces):
    return {"type": "paragraph", "text": list(pieces)}


MRKDWN = [
    ("a *b* _c_", [paragraph("a ", ("bold", "b"), " ", ("italic", "c"))]),
    ("~d~ `e*f*`", [paragraph(("strikethrough", "d"), " ", ("code", "e*f*"))]),
    ("2*3*4 and snake_case_name", [paragraph("2*3*4 and snake_case_name")]),
    ("&lt;b&gt; &amp; :wave: :no_such:", [paragraph("<b> & ", "👋", " ", ":no_such:")]),
    ("<@U1> in <#C1|general>", [paragraph(("mention", "@Ann"), " in ", ("mention", "#general"))]),
    ("<!here>", [paragraph(("mention", "@here"))]),
    ("&gt; one\n&gt; two\nthree", [{"type": "blockquote", "blocks": [paragraph("one\ntwo")]}, paragraph("three")]),
    ("x\n```\nlet a = 1 &lt; 2;\n```", [paragraph("x"), {"type": "pre", "text": "let a = 1 < 2;"}]),
]  # fmt: skip


def simple(node):
    """Write marks as pairs."""
    if isinstance(node, list):
        return [simple(one) for one in node]
    if isinstance(node, dict) and node.get("type") in {"bold", "italic", "strikethrough", "code", "mention"}:
        text = simple(node["text"])
        return (node["type"], text[0] if isinstance(text, list) else text)
    return {name: simple(value) for name, value in node.items()} if isinstance(node, dict) else node


@pytest.mark.parametrize(("text", "blocks"), MRKDWN, ids=[text for text, _ in MRKDWN])
def test_mrkdwn_is_drawn_as_the_client_draws_it(text, blocks):
    """Marks at the edges of words, mentions by name, emoji as characters, quotes and code."""
    assert simple(rich_mrkdwn(text, NAMES)) == blocks


def test_a_link_and_a_line():
    """A link has its label; in one line a text has no marks."""
    assert rich_mrkdwn("<https://a.example/?b&amp;c|here>", NAMES) == [
        paragraph({"type": "url", "url": "https://a.example/?b&c", "text": "here"})
    ]
    assert plain_text("*Bold* for <@U1>\n&gt; quoted", NAMES) == "Bold for @Ann quoted"


async def test_a_channel_with_threads_buttons_and_words_for_one(slack, api, room, eve):
    """Replies stand in their thread under its first message; a broadcast in both; an ephemeral one names its reader."""
    root = eve.send("*Deploy* 🦄 @sandbox-bot", channel=room)
    grid = [section("*Sure?*"), actions(button("Yes", "y", style="primary"), button("No", "n")), actions(MENU)]
    posted = await api.ok("chat.postMessage", channel=room.id, thread_ts=root["ts"], text="Sure?", blocks=grid)
    await api.ok("chat.postMessage", channel=room.id, thread_ts=root["ts"], text="both", reply_broadcast="true")
    await api.ok("chat.postEphemeral", channel=room.id, user=eve.id, text="psst `K7QX2M9P`")
    await api.ok("reactions.add", channel=room.id, timestamp=root["ts"], name="eyes")
    await api.ok("assistant.threads.setStatus", channel_id=room.id, thread_ts=root["ts"], status="works")
    view = chat_view(slack, place(room.id))
    assert view["topics"] == {
        "list": [{"id": root["ts"], "name": "Deploy 🦄 @Your agent", "icon": "#"}],
        "creates": None,
    }
    assert view["typing"] == [root["ts"]]
    shown = {(one["topic"], one["text"] or "…") for one in view["messages"]}
    deploy = "Deploy 🦄 @Your agent"
    assert shown == {
        ("", deploy),
        (root["ts"], deploy),
        (root["ts"], "Sure?"),
        ("", "both"),
        (root["ts"], "both"),
        ("", "psst K7QX2M9P"),
    }
    first = view["messages"][0]
    bold = {"type": "bold", "offset": 0, "length": 6}
    # An emoji counts as two, as in the browser.
    assert first["entities"] == [bold, {"type": "mention", "offset": 10, "length": 11}]
    assert (first["by"], first["bot"], first["reactions"]) == ("eve", False, ["👀"])
    asked = next(one for one in view["messages"] if one["id"] == posted["ts"])
    assert [[key["label"] for key in row] for row in asked["grid"]] == [["Yes", "No"], []]
    assert asked["grid"][0][0]["style"] == "primary"
    assert asked["menus"] == [{"id": "m", "placeholder": "Choose", "options": [{"label": "One", "value": "1"}]}]
    told = view["messages"][-1]
    assert (told["only"], told["code"]) == ("eve", "K7QX2M9P")


MENU = {
    "type": "static_select",
    "action_id": "m",
    "options": [{"text": {"type": "plain_text", "text": "One"}, "value": "1"}],
}
RICH = {
    "type": "rich_text",
    "elements": [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "x", "style": {"bold": True}}]},
        {
            "type": "rich_text_list",
            "style": "ordered",
            "offset": 2,
            "elements": [{"type": "rich_text_section", "elements": []}],
        },
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "code"}]},
        {"type": "rich_text_quote", "elements": [{"type": "user", "user_id": "U0NOBODY001"}]},
    ],
}
TABLE = {
    "type": "table",
    "rows": [[{"type": "raw_text", "text": "head"}], [RICH]],
    "column_settings": [{"align": "right"}],
}  # fmt: skip


async def test_blocks_become_rich_messages(slack, api, eve):
    """Headers, lists, code, quotes, tables, context and dividers are each drawn as what they are."""
    heading = {"type": "header", "text": {"type": "plain_text", "text": "Head"}}
    context = {"type": "context", "elements": [{"type": "mrkdwn", "text": "small"}]}
    blocks = [heading, {"type": "divider"}, RICH, TABLE, context]
    await api.ok("chat.postMessage", channel=eve.dm.id, text="fallback", blocks=blocks)
    drawn = chat_view(slack, place(eve.dm.id))["messages"][-1]["rich"]["blocks"]
    kinds = ["heading", "divider", "paragraph", "list", "pre", "blockquote", "table", "footer"]
    assert [one["type"] for one in drawn] == kinds
    assert drawn[3]["items"][0]["value"] == 3
    head, cell = drawn[6]["cells"][0][0], drawn[6]["cells"][1][0]
    assert (head["is_header"], head["align"], cell["text"][0]) == (True, "right", {"type": "bold", "text": ["x"]})


async def test_files_joins_and_forms(slack, room, eve):
    """A picture is a picture, a join a line of its own, a modal the page's form with what is wrong in it."""
    room.add(slack.person("ann", "Ann"))
    eve.send("look", channel=room, attachments=[("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 16), ("b.txt", b"b")])
    joined, sent = chat_view(slack, place(room.id))["messages"]
    assert joined["service"] == "Ann joined"
    assert [(one["name"], one.get("picture")) for one in sent["files"]] == [("a.png", True), ("b.txt", None)]
    assert file_data(slack, sent["files"][1]["url"].rpartition("/")[2]) == b"b"
    assert file_data(slack, "F0NOBODY001") is None
    field = {"type": "plain_text_input", "action_id": "why", "multiline": True, "max_length": 9}
    block = {"type": "input", "block_id": "b", "label": {"type": "plain_text", "text": "Why?"}, "element": field}
    view = {"title": {"type": "plain_text", "text": "Form"}, "blocks": [block]}
    drawn = form(view, {"b": "too short"})
    assert drawn["title"] == "Form"
    assert drawn["components"][0]["components"] == [
        {"custom_id": "why", "label": "Why? (too short)", "style": 2, "max_length": 9, "required": True}
    ]


def test_an_app_is_made_from_its_manifest():
    """Scopes, events, commands and switches are taken; what Slack refuses is named by its place."""
    app = SlackApp("A1")
    configure(app, MANIFEST)
    assert (app.bot_scopes, app.events) == (["chat:write", "commands", "im:history"], {"message.im"})
    assert (app.commands, app.socket_mode, app.interactivity, app.messages_tab) == ({"/stop": True}, True, True, True)
    wrong = {
        '"name": "Agent"': ('"name": ""', "/display_information/name"),
        '"message.im"]': ('"message.channels"]', "message.channels needs the scope channels:history"),
        '"chat:write",': ('"chat.write",', "no scope 'chat.write'"),
        '"commands", ': ("", "need the scope commands"),
        '"/stop"': ('"stop"', "'stop' is not a command"),
        '"description": "Stop"': ('"description": ""', "0/description is missing"),
        '"display_name": "agent"': ('"display_name": ""', "the app has no bot"),
        '["message.im"]': ('["message.space"]', "no event 'message.space'"),
        "{": ("", "not JSON"),
    }
    for old, (new, why) in wrong.items():
        with pytest.raises(ValueError, match=why):
            configure(app, MANIFEST.replace(old, new, 1))
