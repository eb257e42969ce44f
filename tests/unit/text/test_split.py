"""Formatted text is split where a reader would split it, and loses nothing but white space."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.text.formatted_text import Dialect, FormattedText
from agent_channels.core.text.markdown import parse
from agent_channels.core.text.split import split_formatted


def parts(source: str, limit: int) -> list[FormattedText]:
    """The parts of a Markdown text, of at most `limit` code points each."""
    return split_formatted(parse(source, Dialect()), lambda part: len(part.text) / limit, limit)


def texts(source: str, limit: int) -> list[str]:
    return [part.text for part in parts(source, limit)]


def test_cuts_prefer_the_ends_of_paragraphs_lines_sentences_and_words() -> None:
    """The best cut in the second half of a part is taken."""
    paragraphs = "\n\n".join(f"Paragraph {n} has a few words.\nAnd a line." for n in range(8))
    assert all(part.startswith("Paragraph") for part in texts(paragraphs, 110))
    items = "\n".join(f"- item {n} with a few words. And more" for n in range(20))
    assert all(part.startswith("• item") for part in texts(items, 100))
    sentences = " ".join(f"Sentence {n} is short." for n in range(20))
    assert all(part.endswith(".") for part in texts(sentences, 100))
    assert all(set(part.split()) == {"word"} for part in texts("word " * 100, 64))


def test_a_heading_stays_with_the_text_below_it() -> None:
    """No part ends with a heading while there is another cut."""
    source = "\n\n".join(f"Some words before it, number {n}.\n\n## Heading {n}\n\nWords below it." for n in range(12))
    found = texts(source, 100)
    assert len(found) > 4
    assert not [part for part in found if re.search(r"Heading \d+$", part)]


def test_a_link_and_inline_code_are_not_cut_at_their_spaces() -> None:
    """Both are shorter than a part, so each is whole in one."""
    source = "word " * 9 + "[a link of words](https://b.co) `some code here` " * 9
    for part in parts(source, 60):
        for span in part.spans:
            assert part.text[span.start : span.end] in {"a link of words", "some code here"}


def test_every_part_of_a_table_has_its_header() -> None:
    """A table that is cut begins with the names of its columns again."""
    rows = "\n".join(f"| row {n} | {n} |" for n in range(40))
    found = texts(f"| Name | n |\n|---|---|\n{rows}", 120)
    assert len(found) > 4
    assert all(re.match(r"Name +n\n-+ +-+\nrow", part) for part in found)


def test_code_is_cut_before_a_line_that_is_not_indented() -> None:
    """A function stays whole where it fits."""
    code = "\n".join(f"def f{n}():\n    x = {n}\n    return x" for n in range(20))
    found = parts(f"```python\n{code}\n```", 100)
    assert all(part.text.startswith("def f") for part in found)
    assert {(span.kind, span.value) for part in found for span in part.spans} == {("pre", "python")}


@given(st.text(st.sampled_from("ab .\n*`|-#\u0301👍🏽"), max_size=300), st.integers(20, 80))
def test_nothing_but_white_space_is_lost(source: str, limit: int) -> None:
    """Joined, the parts read as the text does, and every part is within the limit."""
    found = texts(source, limit)
    assert all(part.strip() and len(part) <= limit for part in found)
    if "|" not in source:
        assert "".join("".join(found).split()) == "".join(parse(source, Dialect()).text.split())


@pytest.mark.parametrize("char", ["x", "\u0301", "\u200d", "🇩", "😀", "`", "\n> ", "a\n\n"], ids=ascii)
def test_fifty_thousand_of_anything_are_split(char: str) -> None:
    """However odd the text, every part fits."""
    assert all(len(part) <= 4096 for part in texts(char * 50_000, 4096))
