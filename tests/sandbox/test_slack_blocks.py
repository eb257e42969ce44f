"""What the fake Slack takes as blocks, and how it words what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from agent_channels.sandbox.slack.blocks import checked_attachments, checked_blocks, checked_view
from agent_channels.sandbox.slack.errors import SlackError
from slack_wire import actions, button, section

pytest_plugins = ["slack_fixtures"]


def text(value: str, kind: str = "plain_text") -> dict[str, str]:
    return {"type": kind, "text": value}


def menu(count: int, **more: Any) -> dict[str, Any]:
    options = [{"text": text(f"o{number}"), "value": str(number)} for number in range(count)]
    return {"type": "static_select", "placeholder": text("Choose"), "options": options, "action_id": "m", **more}


def table(rows: int, cols: int, cell: str = "x") -> dict[str, Any]:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": cell} for _ in range(cols)] for _ in range(rows)]}


def rich(*elements: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def modal(*blocks: Any, **more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": text("Form"), "submit": text("Send"), "blocks": list(blocks), **more}


def field(action_id: str = "a", **more: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": action_id, **more}
    return {"type": "input", "label": text("Why?"), "element": element}


CONFIRM = {"title": text("Sure?"), "text": text("*Really*", "mrkdwn"), "confirm": text("Yes"), "deny": text("No")}
ACCEPTED = [
    [section("x" * 3000)],
    [section("x", fields=[text("y" * 2000, "mrkdwn")] * 3, accessory=button("b", "a"))],
    [{"type": "header", "text": text("h" * 150)}, {"type": "divider"}],
    [{"type": "context", "elements": [text("c", "mrkdwn"), {"type": "image", "image_url": "u", "alt_text": "a"}]}],
    [actions(*(button("l" * 75, f"a{number}", value="v" * 2000) for number in range(5)))],
    [actions(*(button("x", f"a{number}") for number in range(25)))],
    [actions(button("x", "a", style="danger", confirm=CONFIRM), button("y", "b", url="https://a.example"))],
    [actions(menu(100, action_id="m" * 255))],
    [actions(menu(2, option_groups=[{"label": text("g"), "options": menu(1)["options"]}]))],
    [actions(button("x", "same")), actions(button("x", "same"))],
    [section("x")] * 50,
    [table(100, 20)],
    [{"type": "markdown", "text": "m" * 12_000}],
    [rich({"type": "text", "text": "b", "style": {"bold": True}}, {"type": "emoji", "name": "wave"})],
    [
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": rich()["elements"]},
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "code"}]},
            ],
        }
    ],
    [field()],
]
LONG_TEXT = [
    "failed to match all allowed schemas /blocks/0/text",
    "must be less than 3001 characters /blocks/0/text/text",
]
NO_TEXT = ["failed to match all allowed schemas /blocks/0/text", "must be more than 0 characters /blocks/0/text/text"]
REFUSED = [
    ([section("x" * 3001)], LONG_TEXT),
    ([section("")], NO_TEXT),
    ([{"type": "section"}], ["missing required field: text /blocks/0"]),
    ([{"type": "divider", "text": "x"}], ["invalid additional property: text /blocks/0"]),
    ([{"type": "sectoin"}], ["unsupported type: sectoin /blocks/0/type"]),
    ([section("x")] * 51, ["no more than 50 items allowed /blocks"]),
    ([{"type": "header", "text": text("h" * 151)}], ["must be less than 151 characters /blocks/0/text/text"]),
    ([{"type": "header", "text": text("h", "mrkdwn")}], ["must be a valid enum value /blocks/0/text/type"]),
    ([actions(*(button("x") for _ in range(26)))], ["no more than 25 items allowed /blocks/0/elements"]),
    ([actions()], ["no less than 1 items allowed /blocks/0/elements"]),
    ([actions(button("l" * 76))], ["must be less than 76 characters /blocks/0/elements/0/text/text"]),
    ([actions(button("l", value="v" * 2001))], ["must be less than 2001 characters /blocks/0/elements/0/value"]),
    ([actions(button("l", "a" * 256))], ["must be less than 256 characters /blocks/0/elements/0/action_id"]),
    ([actions(button("l", url="u" * 3001))], ["must be less than 3001 characters /blocks/0/elements/0/url"]),
    ([actions(button("l", style="secondary"))], ["must be a valid enum value /blocks/0/elements/0/style"]),
    (
        [actions(button("l", "a"), button("k", "a"))],
        ['`action_id` "a" already exists for another element in this block /blocks/0/elements/1/action_id'],
    ),
    ([section("x", block_id="b")] * 2, ['`block_id` "b" already exists /blocks/1/block_id']),
    (
        [actions(button("l", confirm={**CONFIRM, "title": text("t" * 101)}))],
        ["must be less than 101 characters /blocks/0/elements/0/confirm/title/text"],
    ),
    ([actions(menu(101))], ["no more than 100 items allowed /blocks/0/elements/0/options"]),
    (
        [actions(menu(1, options=[{"text": text("o" * 76), "value": "v" * 151}]))],
        [
            "failed to match all allowed schemas /blocks/0/elements/0/options/0/text",
            "must be less than 76 characters /blocks/0/elements/0/options/0/text/text",
            "must be less than 151 characters /blocks/0/elements/0/options/0/value",
        ],
    ),
    (
        [actions(menu(1, initial_option={"text": text("other"), "value": "9"}))],
        ["must match an option in options /blocks/0/elements/0/initial_option"],
    ),
    ([table(101, 1)], ["no more than 100 items allowed /blocks/0/rows"]),
    ([table(1, 21)], ["no more than 20 items allowed /blocks/0/rows/0"]),
    ([table(1, 1, "")], ["must be more than 0 characters /blocks/0/rows/0/0/text"]),
    (
        [{"type": "markdown", "text": "m" * 7000}, {"type": "markdown", "text": "m" * 5001}],
        ["must be less than 12001 characters /blocks/1/text"],
    ),
    (
        [rich({"type": "text", "text": ""})],
        ["must be more than 0 characters /blocks/0/elements/0/elements/0/text"],
    ),
    ([rich({"type": "bold"})], ["unsupported type: bold /blocks/0/elements/0/elements/0/type"]),
    (
        [rich({"type": "text", "text": "x", "style": {"blink": True}})],
        ["invalid additional property: blink /blocks/0/elements/0/elements/0/style"],
    ),
]
VIEWS = [
    (modal(title=text("t" * 25)), ["must be less than 25 characters /view/title/text"]),
    (modal(field(), submit=None), ["missing required field: submit /view"]),
    (modal(private_metadata="m" * 3001), ["must be less than 3001 characters /view/private_metadata"]),
    (modal(field(max_length=3001)), ["must be between 1 and 3000 /view/blocks/0/element/max_length"]),
    (modal(table(1, 1)), ["unsupported type: table /view/blocks/0/type"]),
    (modal(*[section("x")] * 101), ["no more than 100 items allowed /view/blocks"]),
    ({"type": "home", "blocks": []}, ["must be a valid enum value /view/type", "missing required field: title /view"]),
]


@pytest.mark.parametrize("blocks", ACCEPTED, ids=range(len(ACCEPTED)))
def test_blocks_at_their_limits_are_accepted(blocks):
    """Exactly at each limit a block is taken."""
    assert [one["type"] for one in checked_blocks(blocks)] == [one["type"] for one in blocks]


@pytest.mark.parametrize(("blocks", "problems"), REFUSED, ids=[problems[-1] for _, problems in REFUSED])
async def test_blocks_beyond_their_limits_are_refused(api, eve, blocks, problems):
    """One beyond each limit is refused with Slack's words and the pointer to the value."""
    assert await api.problems("chat.postMessage", channel=eve.dm.id, blocks=blocks) == problems
    assert eve.inbox == []


@pytest.mark.parametrize(("view", "problems"), VIEWS, ids=[problems[-1] for _, problems in VIEWS])
def test_views_beyond_their_limits_are_refused(view, problems):
    """A modal has its own limits, and a submit button where there are inputs."""
    with pytest.raises(SlackError) as refused:
        checked_view({name: value for name, value in view.items() if value is not None})
    pointed = [one.replace(" [json-pointer:", " ").rstrip("]") for one in refused.value.extra["errors"]]
    assert (refused.value.error, pointed) == ("invalid_arguments", problems)


def test_limits_of_whole_messages():
    """One table, and some 13,000 characters in all blocks together; attachments hold blocks too."""
    with pytest.raises(SlackError) as two:
        checked_blocks([table(1, 1), table(1, 1)])
    assert (two.value.error, two.value.extra["errors"]) == ("invalid_attachments", ["only_one_table_allowed"])
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        checked_blocks([section("x" * 3000)] * 5)
    with pytest.raises(SlackError) as wrong:
        checked_attachments([{"blocks": [section("")]}])
    assert wrong.value.error == "invalid_attachments"
    assert "[json-pointer:/attachments/0/blocks/0/text]" in wrong.value.extra["errors"][0]
    assert checked_attachments([{"color": "#f00", "blocks": [table(2, 2)]}])[0]["id"] == 1
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        checked_blocks({"type": "section"})
