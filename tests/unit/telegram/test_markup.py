"""Telegram's two markup languages are cut so that a strict parser takes every part; keyboards are drawn as asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from telegram.constants import ParseMode, ReactionEmoji

from agent_channels.core.contract.outgoing import KeyboardButton
from agent_channels.core.errors import Refused
from agent_channels.sandbox.telegram.parse_html import parse_html
from agent_channels.sandbox.telegram.parse_markdown import parse_markdown_v2
from agent_channels.sandbox.telegram.reply_markup import parse_reply_markup
from agent_channels.telegram.markup import LIMITS, REACTIONS, code_entity, keyboard_markup, parse_mode, split

PARSERS = {"html": parse_html, "markdownv2": parse_markdown_v2}
WORDS = st.lists(st.sampled_from(["word", "😀", "日本語", "x" * 300, "e\u0301", "a.b"]), min_size=1, max_size=25)


TAGS = [
    "b",
    "i",
    "u",
    "s",
    "code",
    "pre",
    "tg-spoiler",
    "blockquote",
    "blockquote expandable",
    "a href='https://e.org/x>'",
]


def long(texts: st.SearchStrategy[str], between: str) -> st.SearchStrategy[str]:
    """Texts of well over two parts."""
    joined = st.lists(texts, min_size=1, max_size=5).map(between.join)
    return joined.map(lambda text: (text + " ") * (9000 // len(text) + 1))


def escaped(text: str) -> str:
    """Text as it must be written in MarkdownV2."""
    return "".join("\\" + ch if ch in "_*[]()~`>#+-=|{}.!\\" else ch for ch in text)


def html(depth: int) -> st.SearchStrategy[str]:
    words = WORDS.map(lambda found: " ".join(found).replace(".", " &amp; &lt;b&gt; "))
    if not depth:
        return words
    tags = st.sampled_from(TAGS)
    wrapped = st.tuples(tags, html(depth - 1)).map(lambda pair: f"<{pair[0]}>{pair[1]}</{pair[0].split()[0]}>")
    return st.lists(st.one_of(words, wrapped), min_size=1, max_size=4).map(" ".join)


def markdown(depth: int, used: frozenset[str] = frozenset()) -> st.SearchStrategy[str]:
    words = WORDS.map(lambda found: escaped(" ".join(found)))
    code = WORDS.map(lambda found: "`" + " ".join(found).replace(".", "\\`") + "`")
    fence = WORDS.map(lambda found: "```py\n" + "\n".join(found) + "\n```")
    link = WORDS.map(lambda found: f"[{escaped(' '.join(found[:4]))}](https://e.org/a\\)b)")
    choices = [words, words, code, fence, link]
    for mark in ("*", "_", "__", "~", "||"):
        if depth and mark not in used:
            inner = markdown(depth - 1, used | {mark})
            choices.append(inner.map(lambda text, mark=mark: f"{mark} {text} {mark}"))  # type: ignore[misc]
    return st.lists(st.one_of(choices), min_size=1, max_size=4).map(" ".join)


def kinds(entities: list[dict[str, Any]]) -> set[str]:
    return {entity["type"] for entity in entities}


def accepted(text: str, format_: str) -> None:
    """Every part parses by itself, is not too long, and together they say and emphasise what the text does."""
    parse = PARSERS[format_]
    whole, entities = parse(text)
    parts = split(text, format_)
    parsed = [parse(part) for part in parts]
    assert all(len(part.encode("utf-16-le")) // 2 <= 4096 for part in parts)
    assert all(said.strip() for said, _ in parsed)
    assert "".join("".join(said for said, _ in parsed).split()) == "".join(whole.split())
    drawn = [kind for _, found in parsed for kind in kinds(found)]
    assert set(drawn) == kinds(entities)


@settings(max_examples=60)
@given(long(html(2), "\n\n"))
def test_every_part_of_a_cut_html_text_is_accepted(text: str) -> None:
    """Tags that are open at a cut are closed there and opened again; references and tags are never cut."""
    accepted(text, "html")


@settings(max_examples=60)
@given(long(markdown(2), " "))
@example("_" + "italic __both__ " * 600 + "_")
@example("__" + "underlined _both_ " * 600 + "__")
@example("_" + "word " * 2000 + "_")
@example("*bold _" + "x" * 9000 + "_*")
def test_every_part_of_a_cut_markdownv2_text_is_accepted(text: str) -> None:
    """Marks that are open at a cut are closed there and opened again, underline beside italic included."""
    accepted(text, "markdownv2")


@pytest.mark.parametrize(
    ("text", "format_", "kind"),
    [
        ("<b>" + "word " * 2000 + "</b>", "html", "bold"),
        ("<pre><code class='language-py'>" + "x = 1\n" * 2000 + "</code></pre>", "html", "pre"),
        ('<a href="https://e.org/?a=1&amp;b=2">' + "word " * 2000 + "</a>", "html", "text_link"),
        ("<blockquote expandable>" + "word " * 2000 + "</blockquote>", "html", "expandable_blockquote"),
        ("```python\n" + "x = f(1)  # _*[ \\`\n" * 500 + "```", "markdownv2", "pre"),
        ("||" + "word " * 2000 + "||", "markdownv2", "spoiler"),
    ],
)
def test_emphasis_goes_on_in_every_part(text: str, format_: str, kind: str) -> None:
    """What was bold, code, linked, quoted or hidden is so from the first part to the last."""
    parts = [PARSERS[format_](part) for part in split(text, format_)]
    assert len(parts) > 2
    assert all(kinds(entities) == {kind} for _, entities in parts)


def test_a_code_block_keeps_its_language_in_every_part() -> None:
    """The language is repeated with the fence."""
    for text, format_ in (
        ("```python\n" + "x = 1\n" * 2000 + "```", "markdownv2"),
        ("<pre><code class='language-python'>" + "x = 1\n" * 2000 + "</code></pre>", "html"),
    ):
        parts = split(text, format_)
        assert len(parts) > 2
        assert all(PARSERS[format_](part)[1][0]["language"] == "python" for part in parts)


@pytest.mark.parametrize(
    "text",
    [
        "intro\\.\n" * 500 + "**>quoted line\n>second line\n>last||\n" + "after\\.\n" * 400,
        ">quoted *bold* line\n" * 400,
        "`a` ``` b ``` \\`" * 500,
        "[a](https://e.org) ![👍](tg://emoji?id=5368324170671202286) " * 200,
        "\\*\\_\\`\\~\\| " * 1500,
        "*a* _b_ __c__ ~d~ ||e|| " * 400,
    ],
    ids=["expandable quote", "quotes", "code", "links", "escapes", "marks"],
)
def test_peculiar_markdown_is_cut_whole(text: str) -> None:
    """Quotes, custom emoji, escapes and code survive a cut."""
    parse_markdown_v2(text)
    said = [parse_markdown_v2(part)[0] for part in split(text, "markdownv2")]
    assert len(said) > 1
    assert Counter("".join(said).split()) >= Counter()
    assert "".join("".join(said).split()) == "".join(parse_markdown_v2(text)[0].split())


@pytest.mark.parametrize("format_", ["text", "html", "markdownv2"])
@pytest.mark.parametrize(
    "text",
    [
        "x" * 50_000, "😀" * 25_000, " " * 50_000, "\u0301" * 50_000, "\U0001f1e6" * 50_000, "<" * 50_000,
        "<b>" * 16_000, "<a" * 25_000, "<a '" * 12_500, "&" * 50_000, "[" * 50_000, "[a](" * 12_500, "_" * 50_000,
        "*_" * 25_000, "`" * 50_000, "||" * 25_000, "\\" * 50_000, "```\n" * 12_500, ">||\n" * 12_500, "</b>" * 12_500,
    ],
    ids=lambda text: repr(text[:6]),
)  # fmt: skip
def test_markup_that_means_nothing_ends_quickly_too(text: str, format_: str) -> None:
    """Whatever an agent writes, cutting it is quick and no part is too long."""
    parts = split(text, format_)
    assert all(len(part.encode("utf-16-le", "surrogatepass")) // 2 <= 4096 for part in parts)


def test_a_mark_too_long_to_repeat_makes_no_part_too_long() -> None:
    """A link that would fill every part is not opened again; its text goes on."""
    text = f"<a href='https://e.org/{'x' * 3000}'>" + "word " * 2000 + "</a>"
    parts = split(text, "html")
    assert all(len(part) <= 4096 for part in parts)
    assert "".join(parts).count("word") == 2000
    assert len(parts) < 6


def test_what_fits_is_sent_as_it_was_written() -> None:
    """Up to 4,096 UTF-16 units nothing is touched, not even broken markup: Telegram says what is wrong with it."""
    for format_ in ("text", "html", "markdownv2"):
        for text in ("<b>open", "*open", "```\nopen", "😀" * 2048, "  spaces  "):
            assert split(text, format_) == [text]
        assert len(split("😀" * 2049, format_)) == 2


def test_formats_are_known_by_name_and_others_refused() -> None:
    """`format` is one of four, of which Markdown is drawn here; anything else is refused with the list."""
    assert [parse_mode(name) for name in ("markdown", "text", "markdownv2", "html")] == [
        None,
        None,
        ParseMode.MARKDOWN_V2,
        ParseMode.HTML,
    ]
    with pytest.raises(Refused, match="'rich' is not known here; it is one of markdown, text, markdownv2, html"):
        parse_mode("rich")


def test_a_keyboard_carries_label_data_url_and_style() -> None:
    """Rows stay rows; `secondary` is the app's own look and is not sent."""
    markup = keyboard_markup(
        (
            (KeyboardButton("Yes", "id.0", style="success"), KeyboardButton("No", "id.1", style="danger")),
            (KeyboardButton("More", "id.2", style="secondary"), KeyboardButton("Docs", url="https://e.org/x")),
        )
    )
    assert markup is not None
    sent = markup.to_dict()
    assert sent == {
        "inline_keyboard": [
            [
                {"text": "Yes", "callback_data": "id.0", "style": "success"},
                {"text": "No", "callback_data": "id.1", "style": "danger"},
            ],
            [{"text": "More", "callback_data": "id.2"}, {"text": "Docs", "url": "https://e.org/x"}],
        ]
    }
    assert parse_reply_markup(sent) is not None


def test_no_keyboard_is_none() -> None:
    """Nothing to draw is drawn as nothing."""
    assert keyboard_markup(None) is None
    assert keyboard_markup(()) is None


def test_a_code_is_marked_where_it_stands_in_utf16_units() -> None:
    """The entity covers the code and nothing else, emoji before it notwithstanding; without a code there is none."""
    (entity,) = code_entity("👋😀 code: ABCD2345 end", "ABCD2345") or []
    assert (entity.type, entity.offset, entity.length) == ("code", 11, 8)
    assert code_entity("no code", "ABCD2345") is None
    assert code_entity("text", None) is None


def test_the_limits_are_the_bot_apis() -> None:
    """The figures of Telegram's documentation."""
    assert (LIMITS.text, LIMITS.unit, LIMITS.buttons, LIMITS.row) == (4096, "utf16", 100, 8)
    assert len(REACTIONS) == 73
    assert {emoji.value for emoji in ReactionEmoji} == REACTIONS
    assert not {"✅", "❌"} & REACTIONS
    assert {"👌", "👍", "👀", "✍", "😴"} <= REACTIONS
