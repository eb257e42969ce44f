"""Formats are taken by name, Telegram's own only up to one message; keyboards are drawn as asked."""

from __future__ import annotations

import contextlib

import pytest
from telegram.constants import ReactionEmoji

from agent_channels.core.contract.outgoing import KeyboardButton
from agent_channels.core.errors import Refused
from agent_channels.core.text.formatted_text import spans_over
from agent_channels.sandbox.telegram.reply_markup import parse_reply_markup
from agent_channels.telegram.formatting import entities, render
from agent_channels.telegram.markup import LIMITS, REACTIONS, closed_keyboard, keyboard_markup, parse_mode


@pytest.mark.parametrize(
    ("format_", "text", "size"),
    [
        ("html", "<b>" + "word " * 2000 + "</b>", 10_000),
        ("html", "&lt;" * 4097, 4097),
        ("markdownv2", "*bold* " * 1000, 5000),
        ("markdownv2", "\\." * 4097, 4097),
        ("html", "😀" * 2049, 4098),
        ("markdownv2", "x" * 50_000, 50_000),
    ],
)
def test_a_text_in_a_format_of_telegrams_own_is_never_split(format_: str, text: str, size: int) -> None:
    """If more is visible than one message takes, it is refused with the length, the limit and the ways out."""
    with pytest.raises(Refused) as refused:
        render(text, format_)
    for words in (f"{size:,} characters", "4,096", f"format {format_} cannot be split", "markdown", "replies"):
        assert words in str(refused.value)


def test_markup_does_not_count() -> None:
    """Telegram counts what is visible: tags, entities, escapes and the targets of links are free."""
    link = "https://example.org/" + "x" * 80
    for format_, text in (
        ("html", f'<a href="{link}">word</a> ' * 100 + "&amp;" * 1000),
        ("markdownv2", f"[word]({link}) " * 100 + "*_bold_* " * 300 + "\\." * 1000),
    ):
        assert [part.text for part in render(text, format_)] == [text]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 50_000, "😀" * 25_000, " " * 50_000, "\u0301" * 50_000, "\U0001f1e6" * 50_000, "<" * 50_000,
        "<b>" * 16_000, "<a" * 25_000, "<a '" * 12_500, "&" * 50_000, "[" * 50_000, "[a](" * 12_500, "_" * 50_000,
        "*_" * 25_000, "`" * 50_000, "||" * 25_000, "\\" * 50_000, "```\n" * 12_500, ">||\n" * 12_500, "</b>" * 12_500,
    ],
    ids=lambda text: repr(text[:6]),
)  # fmt: skip
def test_text_of_any_kind_ends_quickly(text: str) -> None:
    """Whatever an agent writes, cutting or measuring it is quick and no part is too long."""
    for format_ in ("html", "markdownv2"):
        with contextlib.suppress(Refused):
            render(text, format_)
    assert all(len(part.text.encode("utf-16-le")) // 2 <= 4096 for part in render(text, "text"))


def test_what_fits_is_sent_as_it_was_written() -> None:
    """Up to 4,096 UTF-16 units nothing is changed, not even broken markup: Telegram reports what is wrong with it."""
    for format_ in ("text", "html", "markdownv2"):
        for text in ("<b>open", "*open", "```\nopen", "😀" * 2048, "  spaces  "):
            assert [(part.text, part.plain) for part in render(text, format_)] == [(text, text)]
    assert len(render("😀" * 2049, "text")) == 2


def test_formats_are_known_by_name_and_others_refused() -> None:
    """`format` is one of four, of which Markdown is drawn here; anything else is refused with the list."""
    assert [parse_mode(name) for name in ("markdown", "text", "markdownv2", "html")] == [
        None,
        None,
        "MarkdownV2",
        "HTML",
    ]
    with pytest.raises(Refused, match="'rich' is not known here; it is one of markdown, text, markdownv2, html"):
        parse_mode("rich")
    with pytest.raises(Refused, match="'rich' is not known here"):
        render("x" * 5000, "rich")


def test_a_keyboard_carries_label_data_url_and_style() -> None:
    """Rows stay rows; `secondary` is the app's own look and is not sent."""
    sent = keyboard_markup(
        (
            (KeyboardButton("Yes", "id.0", style="success"), KeyboardButton("No", "id.1", style="danger")),
            (KeyboardButton("More", "id.2", style="secondary"), KeyboardButton("Docs", url="https://e.org/x")),
        )
    )
    assert sent == {
        "inline_keyboard": [
            [
                {"text": "Yes", "callback_data": "id.0", "style": "success"},
                {"text": "No", "callback_data": "id.1", "style": "danger"},
            ],
            [{"text": "More", "callback_data": "id.2"}, {"text": "Docs", "url": "https://e.org/x"}],
        ]
    }
    assert parse_reply_markup(sent, lambda _since: True) is not None


def test_no_keyboard_is_none() -> None:
    """Nothing to draw is drawn as nothing."""
    assert keyboard_markup(None) is None
    assert keyboard_markup(()) is None


def test_words_are_marked_where_they_stand_in_utf16_units() -> None:
    """A code and a moment cover themselves and nothing else, emoji before them or not."""
    text = "👋😀 code: ABCD2345 until 14:05 UTC"
    moment = ("time", "14:05 UTC", "1765202700:t")
    spans = spans_over(text, [moment, ("code", "ABCD2345", ""), ("code", "nowhere", "")])
    assert entities(text, spans) == [
        {"type": "code", "offset": 11, "length": 8},
        {"type": "date_time", "offset": 26, "length": 9, "unix_time": 1_765_202_700, "date_time_format": "t"},
    ]


def test_buttons_that_copy_ask_or_do_nothing() -> None:
    """A copied text is no data; a button for words opens the reply field; a chosen button is disabled."""
    row = (KeyboardButton("Copy", "id.0", copy="make test"), KeyboardButton("Other…", "id.1", form=True))
    sent = keyboard_markup((row,))
    assert sent is not None
    copied, other = sent["inline_keyboard"][0]
    assert copied == {"text": "Copy", "copy_text": {"text": "make test"}}
    assert other == {"text": "Other…", "callback_data": "id.1"}
    assert sent["force_reply"] is True
    assert parse_reply_markup(sent, lambda _since: True) == sent
    for style, drawn in (("success", {"style": "success"}), ("secondary", {}), (None, {})):
        closed = closed_keyboard(KeyboardButton("Yes", "id.0", style=style))
        assert closed == {"inline_keyboard": [[{"text": "Yes", "disabled": {}, **drawn}]]}
        assert parse_reply_markup(closed, lambda _since: True) == closed


def test_the_limits_are_the_bot_apis() -> None:
    """The figures of Telegram's documentation."""
    assert (LIMITS.text, LIMITS.unit, LIMITS.buttons, LIMITS.row) == (4096, "utf16", 100, 8)
    assert len(REACTIONS) == 73
    assert {emoji.value for emoji in ReactionEmoji} == REACTIONS
    assert not {"✅", "❌"} & REACTIONS
    assert {"👌", "👍", "👀", "✍", "😴"} <= REACTIONS
