"""Markdown of every kind, drawn for each platform: the strict server takes every part, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings

from agent_channels.core.text.formatted_text import Dialect, RenderedPart
from agent_channels.core.text.markdown import parse
from agent_channels.discord import formatting as discord
from agent_channels.sandbox.slack.blocks import checked_blocks
from agent_channels.sandbox.telegram.entities import TEXT_LIMIT, format_text
from agent_channels.slack import formatting as slack
from agent_channels.telegram import formatting as telegram
from discord_reading import fences, read
from markdown_texts import ANYTHING, DOCUMENTS
from slack_reading import read_blocks

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
LONG = "# Title\n\n" + "A sentence with **bold words** in it. " * 300 + "\n\n```py\n" + "x = 1\n" * 900 + "```\n"


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def solid(text: str) -> str:
    """Without white space, which is lost at cuts, and the invisible sign that parts marks."""
    return "".join(text.replace("\u200b", "").split())


def whole(parts: Sequence[str], source: str, look: Dialect) -> None:
    """Asserts that the parts, read one after the other, are the text; only heads of tables come again."""
    rich = parse(source, look)
    text, at = solid(rich.text), 0
    heads = {solid(rich.text[span.start : span.start + span.header]) for span in rich.spans if span.header}
    for part in map(solid, parts):
        again = next(
            (head for head in sorted(heads, key=len) if part.startswith(head) and not text.startswith(part, at)), ""
        )
        body = part.removeprefix(again)
        assert text.startswith(body, at), (body[:200], text[at : at + 200])
        at += len(body)
    assert at == len(text)


def taken(part: RenderedPart) -> str:
    """What Telegram's server keeps of a part; it refuses entities that are wrong."""
    entities = telegram.entities(part.text, part.spans)
    text, kept = format_text(part.text, "", entities, lambda user: {"id": user})
    assert text
    assert units(text) <= TEXT_LIMIT
    assert len(entities) <= 100
    assert {entity["type"] for entity in entities if entity["type"] == "pre"} == {
        entity["type"] for entity in kept if entity["type"] == "pre"
    }
    return text


@SETTINGS
@given(DOCUMENTS | ANYTHING)
@example(LONG)
@example("```\n" * 40)
@example("**a** " * 3000)
@example("\ud800 **x**")
@example("A\u030a \u0333")
def test_telegram_takes_every_part_and_loses_nothing(source: str) -> None:
    """Text and entities are valid, at most 4,096 units and 100 entities; joined, the parts read as the text does."""
    parts = telegram.render(source, "markdown")
    whole([taken(part) for part in parts], source, telegram.DIALECT)


@SETTINGS
@given(DOCUMENTS | ANYTHING)
@example(LONG)
@example("**a** " * 3000)
@example("[a](https://x.com/" + "y" * 700 + ") " * 5)
@example('> - word\n> - ## https://x.com/_a_(b)?q="1"x**2')
@example('http://0"`0`')
@example('a http://0"b"||`0`|| c')
@example('> ***wordhttps://x.com/_a_(b)?q="1"x*b*c_***')
def test_discord_takes_every_part_and_shows_what_was_meant(source: str) -> None:
    """Each part has at most 2,000 units and closes its fences; what its client reads is the text."""
    parts = discord.render(source, "markdown")
    for part in parts:
        assert units(part.text) <= 2000
        assert part.text.strip()
        assert fences(part.text) == 0
        assert solid(read(part.text)) == solid(part.plain)
    whole([part.plain for part in parts], source, discord.DIALECT)


@SETTINGS
@given(DOCUMENTS | ANYTHING)
@example(LONG)
@example("```\n" * 40)
@example("**a** " * 3000)
@example("[a](https://x.com/" + "y" * 2700 + ") " * 3)
@example("> a\n> ```\n> b\n> ```\n> c")
@example("**粗**體`碼`字\n\n---\n> 引")
def test_slack_takes_every_part_and_shows_what_was_meant(source: str) -> None:
    """Each part has at most 4,000 characters and valid blocks; what people read of them is the text."""
    parts = slack.render(source, "markdown")
    for part in parts:
        assert len(part.text) <= 4000
        blocks = slack.draw(slack.formatted_text(part.text, part.format, part.spans))
        assert solid(read_blocks(checked_blocks(blocks))) == solid(part.plain)
    whole([part.plain for part in parts], source, slack.DIALECT)


@pytest.mark.parametrize("platform", [telegram, discord, slack], ids=["telegram", "discord", "slack"])
@pytest.mark.parametrize(
    "source",
    [
        "x" * 50_000, "😀" * 25_000, "[" * 50_000, "![" * 25_000, "*a " * 16_000, "_*" * 20_000, "`a``b" * 10_000,
        "> " * 25_000, "- " * 25_000, "|a" * 20_000 + "\n" + "|-" * 20_000, "http://" * 7000, "(http://" * 6000,
        "[a](b" * 10_000, "\u0301" * 50_000, "\u200d" * 50_000, "<" * 50_000, "[]" * 25_000, "# a\n" * 12_500,
    ],
    ids=lambda source: repr(source[:6]),
)  # fmt: skip
def test_fifty_thousand_of_anything_are_drawn(source: str, platform: object) -> None:
    """However odd the text, it is drawn in parts that fit, within the test's patience."""
    limits: dict[object, int] = {telegram: 4096, discord: 2000, slack: 8000}
    parts = platform.render(source, "markdown")  # type: ignore[attr-defined]
    limit = limits[platform]
    assert parts
    assert all(units(part.text) <= limit for part in parts)


def test_a_cut_code_block_keeps_its_language_and_a_cut_table_its_head() -> None:
    """Every part of a block is drawn as one, and every part of a table begins with the names of its columns."""
    code = discord.render("```python\n" + "print('hello')\n" * 400 + "```", "markdown")
    assert len(code) > 2
    assert all(part.text.startswith("```python\n") and part.text.endswith("\n```") for part in code)
    table = "| Name | Size |\n|---|--:|\n" + "\n".join(f"| file {n} | {n} |" for n in range(400))
    for module in (telegram, discord, slack):
        parts = module.render(table, "markdown")
        assert len(parts) > 1
        assert all(re.match(r"Name +Size\n-+ +-+\nfile", part.plain) for part in parts)
    blocks = telegram.render("```go\n" + "\tx := 1\n" * 900 + "```", "markdown")
    assert {span.value for part in blocks for span in part.spans} == {"go"}
