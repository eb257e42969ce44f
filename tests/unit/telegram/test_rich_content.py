"""Rich messages, as people with the newest programs send them, are read whole: words, files, mentions, commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import Attachment, Command, Message, RawEvent
from agent_channels.telegram.inbound import to_inbound
from agent_channels.telegram.markup import snapshot
from updates import BOT, GROUP, ME, message, update

FILE = {"file_id": "f", "file_unique_id": "u"}
SIZES = [{**FILE, "file_id": "s", "width": 9, "height": 9}, {**FILE, "file_id": "l", "width": 90, "height": 90}]


def p(text: Any) -> dict[str, Any]:
    return {"type": "paragraph", "text": text}


def rich(*blocks: Any, **more: Any) -> dict[str, Any]:
    return message(rich_message={"blocks": list(blocks)}, **more)


def said(*blocks: Any, kind: str = "message", **more: Any) -> Message:
    """What a rich message of these blocks means."""
    inbound = to_inbound(RawEvent("1", update(kind, rich(*blocks, **more)), 1_800_000_000.0), ME)
    assert isinstance(inbound, Message)
    return inbound


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("bare words", "bare words"),
        (p("plain"), "plain"),
        (p(["run ", {"type": "code", "text": "pytest -q"}, " twice"]), "run `pytest -q` twice"),
        (p([{"type": "bold", "text": {"type": "italic", "text": "now"}}]), "now"),
        (p(["one", {"type": "bold", "text": " "}, "two"]), "one two"),
        (p([{"type": "strikethrough", "text": "delete prod"}, " delete staging"]), "~~delete prod~~ delete staging"),
        (p({"type": "strikethrough", "text": "one\n\ntwo "}), "~~one~~\n\n~~two~~ "),
        (p(["it is ", {"type": "spoiler", "text": "Bob"}]), "it is ||Bob||"),
        (p(["E = mc", {"type": "superscript", "text": "2"}]), "E = mc<sup>2</sup>"),
        (p(["H", {"type": "subscript", "text": "2"}, "O"]), "H<sub>2</sub>O"),
        (p({"type": "code", "text": "a`b"}), "``a`b``"),
        (p({"type": "url", "text": "the page", "url": "https://a.b/c"}), "the page (https://a.b/c)"),
        (p({"type": "url", "text": "https://a.b", "url": "https://a.b/"}), "https://a.b"),
        (p({"type": "date_time", "text": "5 pm", "unix_time": 1_785_580_000}), "5 pm (2026-08-01T10:26:40Z)"),
        (p({"type": "date_time", "text": "5 pm", "unix_time": "soon"}), "5 pm"),
        (p({"type": "custom_emoji", "custom_emoji_id": "1", "alternative_text": "🎉"}), "🎉"),
        (p({"type": "mathematical_expression", "expression": "a^2"}), "$a^2$"),
        (p([{"type": "anchor", "name": "top"}, {"type": "anchor_link", "text": "up", "anchor_name": "top"}]), "up"),
        (p({"type": "email_address", "text": "a@b.c", "email_address": "a@b.c"}), "a@b.c"),
        (p({"type": "button", "button": {"text": "Open", "url": "https://a.b"}}), "[Open] (https://a.b)"),
        (p({"type": "glow", "text": ["new ", {"type": "bold", "text": "kind"}]}), "new kind"),
        (p(["see ", {"type": "hologram", "id": 4}]), "see (a kind this version cannot read: hologram)"),
        ({"type": "heading", "size": 2, "text": "Result"}, "## Result"),
        ({"type": "pre", "text": "ls -la\n", "language": "sh"}, "```sh\nls -la\n```"),
        ({"type": "pre", "text": "```x```"}, "````\n```x```\n````"),
        ({"type": "footer", "text": "the end"}, "the end"),
        ({"type": "divider"}, "---"),
        ({"type": "thinking", "text": "Running tests"}, "Running tests"),
        ({"type": "mathematical_expression", "expression": "x = 1"}, "$$\nx = 1\n$$"),
        (
            {"type": "list", "items": [
                {"label": "•", "blocks": [p("milk")]},
                {"label": "•", "blocks": [
                    p("bread"), {"type": "list", "items": [{"label": "b.", "blocks": [p("rye")]}]},
                ]},
            ]},
            "- milk\n- bread\n  b. rye",
        ),
        (
            {"type": "list", "items": [{"label": "7.", "blocks": [p("x")]}, {"value": 9, "blocks": [p("y")]}]},
            "7. x\n9. y",
        ),
        (
            {"type": "list", "items": [
                {"has_checkbox": True, "is_checked": True, "blocks": [p("tests")]},
                {"has_checkbox": True, "blocks": [p("docs")]},
            ]},
            "- [x] tests\n- [ ] docs",
        ),
        ({"type": "blockquote", "blocks": [p("no"), p("never")], "credit": "Ann"}, "> no\n> never\n> — Ann"),
        ({"type": "pullquote", "text": "no"}, "> no"),
        ({"type": "expandable_blockquote", "text": "long\nlog"}, "> long\n> log"),
        ({"type": "expandable_blockquote", "blocks": [p("long"), p("log")]}, "> long\n> log"),
        (
            {"type": "table", "caption": "Speed", "cells": [
                [{"text": "what", "is_header": True}, {"text": "ms", "is_header": True}],
                [{"text": "a|b", "rowspan": 2}, {"text": "1"}],
                [{"text": {"type": "bold", "text": "2\n3"}}],
                [{"text": "all", "colspan": 2}],
            ]},
            "| what | ms |\n| --- | --- |\n| a\\|b | 1 |\n|  | 2 3 |\n| all |  |\nSpeed",
        ),
        ({"type": "details", "summary": "Log", "blocks": [p("line 1"), p("line 2")]}, "▸ Log\nline 1\nline 2"),
        ({"type": "collage", "blocks": [p("x")], "caption": {"text": "both", "credit": "Ann"}}, "x\nboth — Ann"),
        (
            {"type": "map", "location": {"latitude": 1.5, "longitude": 2.5}, "zoom": 4, "caption": {"text": "here"}},
            "(location: 1.5, 2.5)\nhere",
        ),
        ({"type": "buttons", "buttons": [{"text": "Yes", "callback_data": "y"}, {"text": "No"}]}, "[Yes] [No]"),
        ({"type": "photo", "photo": SIZES, "caption": {"text": "the page"}}, "(photo)\nthe page"),
        ({"type": "document", "document": {**FILE, "file_name": "a.pdf"}}, "(document: a.pdf)"),
        ({"type": "voice_note", "voice_note": FILE}, "(voice)"),
        ({"type": "photo", "photo": "nonsense", "caption": "still"}, "(photo)\nstill"),
        ({"type": "carousel", "slides": [{"title": "One", "body": [p("first")]}, {"title": "Two"}]}, "One\nfirst\nTwo"),
        ({"type": "widget", "id": 4}, "(a kind this version cannot read: widget)"),
        ({"type": "paragraph", "blocks": [p("moved")]}, "moved"),
        ({"type": "list", "items": ["bare", [p("x")]]}, "- bare\n- x"),
        ({"type": "table", "cells": ["bare", [["x"]]]}, "| bare |\n| x |"),
    ],
)  # fmt: skip
def test_every_node_is_read(block: Any, text: str) -> None:
    """Its words, as Markdown where that changes the meaning, in a message, an edit, a reply; a snapshot keeps all."""
    assert said(block).text == text
    edited = said(block, kind="edited_message")
    assert (edited.text, edited.edited) == (text, True)
    forwarded = said(block, forward_origin={"type": "hidden_user", "sender_user_name": "Bob"})
    assert (forwarded.text, forwarded.forward_from) == (text, "Bob")
    inbound = to_inbound(RawEvent("1", update("message", message(text="?", reply_to_message=rich(block)))), ME)
    assert isinstance(inbound, Message)
    assert inbound.reply is not None
    assert inbound.reply.text == text
    external = message(text="?", external_reply={"origin": {"type": "hidden_user", "sender_user_name": "Bob"},
                                                 "rich_message": {"blocks": [block]}})  # fmt: skip
    inbound = to_inbound(RawEvent("1", update("message", external)), ME)
    assert isinstance(inbound, Message)
    assert inbound.reply is not None
    assert inbound.reply.text == text
    assert json.loads(snapshot(rich(block)) or "{}") == {"rich_message": rich(block)["rich_message"]}


def test_blocks_are_paragraphs() -> None:
    """With an empty line between them, as Markdown has it; empty ones leave none."""
    assert said({"type": "heading", "size": 1, "text": "A"}, p("b"), p(""), p(" "), p("c")).text == "# A\n\nb\n\nc"


def test_files_are_attachments() -> None:
    """A single picture is shown; among several files every one is there, in order, and a voice note is one."""
    got = said(p("look"), {"type": "photo", "photo": SIZES})
    assert (got.image, got.attachments) == (Attachment("photo", "l", None, "image/jpeg"), ())
    voice, file = (
        {**FILE, "file_id": "v"},
        {**FILE, "file_id": "d", "file_name": "a.pdf", "mime_type": "application/pdf"},
    )
    inside = {"type": "details", "summary": "files", "blocks": [{"type": "document", "document": file}]}
    got = said({"type": "voice_note", "voice_note": voice}, {"type": "photo", "photo": SIZES}, inside)
    assert got.image == Attachment("photo", "l", None, "image/jpeg")
    assert got.files == (
        Attachment("voice", "v"),
        Attachment("photo", "l", None, "image/jpeg"),
        Attachment("document", "d", "a.pdf", "application/pdf"),
    )
    future = said({"type": "hologram", "hologram": {**FILE, "file_id": "h"}})
    assert future.attachments == (Attachment("hologram", "h"),)
    replied = message(text="?", reply_to_message=rich(inside))
    inbound = to_inbound(RawEvent("1", update("message", replied)), ME)
    assert isinstance(inbound, Message)
    assert inbound.reply is not None
    assert [found.name for found in inbound.reply.files] == ["a.pdf"]


@pytest.mark.parametrize(
    ("node", "mentioned"),
    [
        ({"type": "mention", "text": "@Sample_Bot", "username": "Sample_Bot"}, True),
        ({"type": "mention", "text": ["@", "sample_bot"]}, True),
        ({"type": "bold", "text": [{"type": "mention", "text": "@sample_bot", "username": "sample_bot"}]}, True),
        ({"type": "text_mention", "text": "you", "user": BOT}, True),
        ({"type": "mention", "text": "@other_bot", "username": "other_bot"}, False),
        ({"type": "text_mention", "text": "Ann", "user": {"id": 7}}, False),
        ("@sample_bot", False),
    ],
)
def test_a_mention_within_blocks_is_one(node: Any, mentioned: bool) -> None:
    """In any block and under any formatting; a name that Telegram did not take for one is only a word."""
    quote = {"type": "blockquote", "blocks": [p(["hey ", node])]}
    assert said(quote, chat=GROUP).addressed is mentioned
    assert said(quote).addressed


def test_a_command_within_blocks_is_one() -> None:
    """At the very beginning, with its argument; one for another bot is not ours."""
    node = {"type": "bot_command", "text": "/Deploy", "bot_command": "deploy"}
    got = said(p([node, " now ", {"type": "bold", "text": "please"}]), chat=GROUP)
    assert (got.command, got.addressed) == (Command("deploy", "now please"), True)
    assert said(p(["run ", node])).command is None
    assert said({"type": "blockquote", "blocks": [p([node])]}).command is None
    foreign = said(p([{"type": "bot_command", "text": "/help@other_bot"}]), chat=GROUP)
    assert (foreign.command, foreign.for_another_bot) == (None, True)


@pytest.mark.parametrize("broken", [None, 5, "x", [], {}, {"blocks": []}, {"blocks": None}, {"blocks": [None, 4]}])
def test_a_message_without_readable_blocks_is_not_silent(broken: Any) -> None:
    """It says that it is there."""
    inbound = to_inbound(RawEvent("1", update("message", {**message(), "rich_message": broken})), ME)
    assert isinstance(inbound, Message)
    assert inbound.text.startswith("(a kind this version cannot read: rich message)") or inbound.text == "4"


def test_what_lies_very_deep_is_read_without_its_form() -> None:
    """Far beyond what Telegram takes, words still arrive."""
    block: Any = p({"type": "strikethrough", "text": "deepest"})
    for _ in range(120):
        block = {"type": "blockquote", "blocks": [block]}
    assert "deepest" in said(block, p("last")).text
    inline: Any = "deepest"
    for _ in range(120):
        inline = {"type": "bold", "text": [inline]}
    assert said(p(inline)).text == "deepest"


# ---- any tree

WORDS = st.text("abcdefghijklmnopqrstuvwxyzäß語", min_size=1, max_size=8)
INLINE_KINDS = """bold italic underline strikethrough spoiler subscript superscript marked code url text_mention
date_time anchor_link reference reference_link email_address mention hashtag bot_command glow""".split()  # noqa: SIM905
TEXTS = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=3)
    | st.builds(
        lambda kind, text: {"type": kind, "text": text, "url": "https://a.b", "unix_time": 0},
        st.sampled_from(INLINE_KINDS), inner,
    )
    | st.builds(lambda text: {"type": "custom_emoji", "alternative_text": text}, WORDS)
    | st.builds(lambda text: {"type": "mathematical_expression", "expression": text}, WORDS)
    | st.builds(lambda text: {"type": "button", "button": {"text": text}}, inner),
    max_leaves=6,
)  # fmt: skip
SPANS = st.none() | st.integers(-1, 30)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Blocks that hold others, known and unknown."""
    blocks = st.lists(inner, max_size=3)
    caption = st.none() | TEXTS | st.builds(lambda text, credit: {"text": text, "credit": credit}, TEXTS, TEXTS)
    kinds = [
        "blockquote",
        "expandable_blockquote",
        "collage",
        "slideshow",
        "details",
        "accordion",
        "photo",
        "paragraph",
    ]
    item = st.fixed_dictionaries(
        {"blocks": blocks},
        optional={"label": st.sampled_from(["•", "3.", "iv."]), "has_checkbox": st.booleans(), "value": st.integers()},
    )
    cell = st.fixed_dictionaries(
        {}, optional={"text": TEXTS, "colspan": SPANS, "rowspan": SPANS, "is_header": st.booleans(), "blocks": blocks}
    )
    return (
        st.fixed_dictionaries(
            {"type": st.sampled_from(kinds), "blocks": blocks},
            optional={"summary": TEXTS, "credit": TEXTS, "caption": caption, "extra": blocks},
        )
        | st.builds(lambda items, text: {"type": "list", "items": items, "caption": text},
                    st.lists(item | inner, max_size=4), TEXTS)
        | st.builds(lambda cells, text: {"type": "table", "cells": cells, "caption": text},
                    st.lists(st.lists(cell, max_size=4), max_size=4), caption)
    )  # fmt: skip


LEAVES = TEXTS.map(p) | st.builds(
    lambda kind, text: {"type": kind, "text": text},
    st.sampled_from(["heading", "pre", "footer", "pullquote", "thinking", "novelty"]), TEXTS,
)  # fmt: skip
TREES = st.lists(st.recursive(LEAVES, containers, max_leaves=8), max_size=4)
SEEN = frozenset({"text", "summary", "caption", "credit", "alternative_text", "expression"})


def visible(node: Any, *, seen: bool = False) -> Iterator[str]:
    """Every word that a program would show of a tree."""
    if isinstance(node, str):
        yield from [node] if seen else []
    elif isinstance(node, list):
        for one in node:
            yield from visible(one, seen=seen)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from visible(value, seen=key in SEEN)


@given(TREES)
def test_every_visible_word_arrives(blocks: list[Any]) -> None:
    """Whatever the tree looks like, in whatever kinds of node."""
    words = list(visible(blocks))
    got = to_inbound(RawEvent("1", update("message", rich(*blocks))), ME)
    assert isinstance(got, Message)
    left = "".join(got.text.split())
    for word in sorted(words, key=len, reverse=True):
        assert word in left
        left = left.replace(word, "\0", 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["type", "text", "blocks", "items", "cells", "caption", "credit", "photo", "document", "file_id", "size",
             "location", "button", "buttons", "label", "value", "url", "user", "username", "colspan", "rowspan"]
        )
        | st.text(max_size=3),
        inner
        | st.sampled_from(["paragraph", "list", "table", "photo", "document", "map", "buttons", "button", "details",
                           "mention", "text_mention", "date_time", "pre", "heading"]),
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_nothing_makes_the_walk_fail(tree: Any) -> None:
    """Whatever stands where blocks should be, the message arrives as one that could be read."""
    inbound = to_inbound(RawEvent("1", update("message", {**message(), "rich_message": {"blocks": tree}})), ME)
    assert isinstance(inbound, Message)
    assert inbound.text or inbound.files
