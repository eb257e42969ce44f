"""Embeds and components, as programs on Discord post them, are read whole, whatever a later version adds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import Identity, Message, RawEvent
from agent_channels.discord.inbound import to_inbound
from agent_channels.discord.rich_content import rich_words

ME = Identity("100000000000000001", "agent", "Agent")
V2 = 1 << 15


def said(**body: Any) -> Message:
    """What a message with these fields means."""
    data = {
        "id": "600000000000000006", "type": 0, "channel_id": "300000000000000003", "content": "", "mentions": [],
        "author": {"id": "200000000000000002", "username": "ann"}, "timestamp": "2026-11-21T10:00:00.123000+00:00",
        **body,
    }  # fmt: skip
    found = to_inbound(RawEvent("m1", json.dumps({"t": "MESSAGE_CREATE", "d": data})), ME)
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize(
    ("embed", "text"),
    [
        ({"title": "A"}, "A"),
        ({"title": "A", "url": "https://a.b", "description": "b\nc"}, "A (https://a.b)\nb\nc"),
        ({"author": {"name": "octo"}, "footer": {"text": "CI"}}, "octo\nCI"),
        ({"fields": [{"name": "step", "value": "lint"}, {"name": "\u200b", "value": "x"}]}, "step: lint\n\u200b: x"),
        ({"image": {"url": "https://a.b/c.png"}}, "(photo: https://a.b/c.png)"),
        ({"image": {"url": "attachment://c.png"}, "title": "A"}, "A"),
        ({"description": "for <@100000000000000001>"}, "for @agent"),
        ({"panels": [{"heading": {"text": "new"}}]}, "new"),
    ],
)
def test_an_embed_is_read(embed: dict[str, Any], text: str) -> None:
    """Author, title, text, fields, footer, and the words of parts that are not known."""
    assert said(embeds=[embed]).text == text
    assert said(embeds=[embed], content="see").text == f"see\n{text}"


def test_a_preview_is_not_said_twice() -> None:
    """Discord makes it of a link in the text; what a program posts with a link is its own."""
    link = {"type": "link", "url": "https://a.b", "title": "A"}
    assert said(content="https://a.b", embeds=[link]).text == "https://a.b"
    assert said(content="https://a.b", embeds=[{**link, "type": "rich"}]).text == "https://a.b\nA (https://a.b)"
    assert said(content="look", embeds=[link]).text == "look\nA (https://a.b)"


def test_buttons_under_a_text_are_not_part_of_it() -> None:
    """They are there to be tapped; in a message that is made of components they are what people see."""
    row = {"type": 1, "components": [{"type": 2, "label": "Yes"}, {"type": 2, "emoji": {"name": "👎"}}]}
    assert said(content="Ship?", components=[row]).text == "Ship?"
    assert said(components=[{"type": 10, "content": "Ship?"}, row], flags=V2).text == "Ship?\n[Yes] [👎]"
    assert said(components=[row]).text == "[Yes] [👎]"


@pytest.mark.parametrize(
    ("component", "text"),
    [
        ({"type": 13, "file": {"url": "attachment://a.pdf"}, "name": "a.pdf"}, "(document: a.pdf)"),
        ({"type": 11, "media": {"url": "https://a.b", "attachment_id": "1"}, "description": "x"}, "(photo: x)"),
        ({"type": 18, "label": "Name", "component": {"type": 4, "value": "Ann"}}, "Name\nAnn"),
        ({"type": 40, "content": "new", "items": [{"label": "one"}, {"type": 10, "content": "two"}]}, "new\none\ntwo"),
        ({"type": "odd"}, "(a kind this version cannot read: component odd)"),
        ({"type": 14}, "(a message without text)"),
    ],
)
def test_a_component_is_read(component: dict[str, Any], text: str) -> None:
    """What it shows; one that is not known by its words, or by its number."""
    assert said(components=[component], flags=V2).text == text


WORDS = st.text("abcdefghijklmnopqrstuvwxyzäß語", min_size=1, max_size=8)
TREES = st.recursive(
    st.builds(lambda text: {"type": 10, "content": text}, WORDS)
    | st.builds(lambda text: {"type": 2, "label": text}, WORDS)
    | st.builds(lambda text: {"type": 11, "description": text}, WORDS)
    | st.builds(lambda text, kind: {"type": kind, "content": text}, WORDS, st.integers(60, 90)),
    lambda inner: st.builds(
        lambda kind, parts, spoiler: {"type": kind, "components": parts, "spoiler": spoiler},
        st.sampled_from([1, 9, 17, 77]), st.lists(inner, min_size=1, max_size=4), st.booleans(),
    )
    | st.builds(lambda label, part: {"type": 18, "label": label, "component": part}, WORDS, inner),
    max_leaves=12,
)  # fmt: skip


def visible(node: Any) -> Iterator[str]:
    """Every word that a program would show of a tree."""
    if isinstance(node, list):
        for one in node:
            yield from visible(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from [value] if key in {"content", "label", "description"} else visible(value)


@given(st.lists(TREES, max_size=4))
def test_every_visible_word_arrives(components: list[Any]) -> None:
    """Whatever the tree looks like."""
    left = rich_words({"components": components, "flags": V2})
    for word in sorted(visible(components), key=len, reverse=True):
        assert word in left
        left = left.replace(word, "\0", 1)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["type", "components", "component", "accessory", "content", "label", "items",
                                         "media", "url", "options", "fields", "name", "value", "author", "image",
                                         "embeds", "title", "footer", "emoji", "placeholder"]),
                        inner | st.integers(0, 20), max_size=5), max_leaves=20))  # fmt: skip
def test_nothing_makes_the_walk_fail(tree: Any) -> None:
    """Whatever stands where embeds and components should be, the message arrives."""
    assert said(content="hi", embeds=tree, components=tree, flags=V2).text.startswith("hi")
    assert said(embeds=[tree], components=[tree], flags=V2).text


@pytest.mark.parametrize("part", ["poll", "sticker_items", "message_snapshots", "attachments"])
@pytest.mark.parametrize("broken", [5, "x", [1], {"a": 3}, [{}]])
def test_a_part_that_is_not_as_it_should_be_costs_no_message(part: str, broken: Any) -> None:
    """The text is still there; without one, the part is named."""
    forward = {"message_reference": {"type": 1, "message_id": "4"}} if part == "message_snapshots" else {}
    assert said(**forward, content="hello", **{part: broken}).text.startswith("hello")
    assert said(**forward, **{part: broken}).text


def test_a_reply_to_what_cannot_be_read_is_still_a_message() -> None:
    """Its own words and files count."""
    replied = {"message_reference": {"message_id": "4"}, "referenced_message": {"id": "4", "author": 5}}
    got = said(content="why?", type=19, **replied)
    assert (got.text, got.reply) == ("why?", None)
