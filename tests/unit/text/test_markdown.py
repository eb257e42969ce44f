"""Markdown is read as its authors mean it: CommonMark and tables, but names and formulas as they were written."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.text.formatted_text import Dialect
from agent_channels.core.text.markdown import escape, is_plain, parse

DIALECT = Dialect()


def spans(source: str) -> set[tuple[str, str, str]]:
    """(kind, text, value) of every span but list markers and bare URLs."""
    formatted = parse(source, DIALECT)
    return {
        (span.kind, formatted.text[span.start : span.end], span.value)
        for span in formatted.spans
        if span.kind not in {"bullet", "task", "address"}
    }


@pytest.mark.parametrize(
    "source",
    [
        "__init__.py",
        "README.md",
        "foo_bar_baz",
        "a*b*c",
        "x**2 + y**2",
        "2**3**4",
        "self.__init__(x)",
        "the __main__ module",
        "src/*.py, tests/*.py",
        "**/*.ts and **/*.js",
        "f(*args, **kwargs)",
        "a || b || c",
        "a||b||c",
        "10~20, ~5",
        "C:\\dir\\x",
        'https://x.com/_a_(b)?q="1"&r=[2]',
        "(https://x.com/a_b_c)",
        "5 < 6 > 4",
        "<b>not HTML</b>",
        "# 1",
        "[INFO]: done",
        "price: $5 & more",
        "snake_case_ and _private_x",
        "-5",
        "user@example.com",
        "1.5",
        "#hashtag",
        "arr[0](x)[1]",
    ],
)
def test_text_without_markup_is_not_changed(source: str) -> None:
    """Names, formulas, paths, URLs and operators read as they were written."""
    expected = source.removeprefix("# ").replace("arr[0](x)", "arr0 (x)")
    assert parse(source, DIALECT).text == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "**b** *i* ~~s~~ ||p|| `c`",
            {("bold", "b", ""), ("italic", "i", ""), ("strike", "s", ""), ("spoiler", "p", ""), ("code", "c", "")},
        ),
        ("__two words__ and _one_", {("bold", "two words", ""), ("italic", "one", "")}),
        ("***both***", {("bold", "both", ""), ("italic", "both", "")}),
        ("**Commit**s", {("bold", "Commit", "")}),
        ("这是**重要。**的", {("bold", "重要。", "")}),
        ("他说**“好”**吧", {("bold", "“好”", "")}),
        ("`a*b` **x `__init__` y**", {("code", "a*b", ""), ("bold", "x __init__ y", ""), ("code", "__init__", "")}),
        ("[a](https://b.com/x_(y))", {("link", "a", "https://b.com/x_(y)")}),
        ("[a][r]\n\n[r]: https://b.com", {("link", "a", "https://b.com")}),
        ("![alt](https://b.com/i.png)", {("link", "alt", "https://b.com/i.png")}),
        ("### T", {("heading", "T", "3")}),
        ("```py title\nx\n```", {("pre", "x", "py")}),
        ("> a\n> b", {("quote", "a\nb", "")}),
    ],
)
def test_markup_becomes_spans(source: str, expected: set[tuple[str, str, str]]) -> None:
    """Styles, links, headings, code and quotations become spans over a text without markup."""
    assert spans(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[a](javascript:alert(1))", "a (javascript:alert(1))"),
        ("[a](file:///etc/passwd)", "a (file:///etc/passwd)"),
        ("[main](src/main.py)", "main (src/main.py)"),
        ("[local](http://localhost:3000)", "local (http://localhost:3000)"),
        ("[mail](mailto:a@b.co)", "mail (mailto:a@b.co)"),
        ("[https://good.com](https://evil.com)", "https://good.com (https://evil.com)"),
        ("[x](http://a.com:99999/)", "x (http://a.com:99999/)"),
    ],
)
def test_an_unusable_link_shows_its_url(source: str, expected: str) -> None:
    """Only URLs that every platform accepts become links, and no link hides behind another URL."""
    formatted = parse(source, DIALECT)
    assert formatted.text == expected
    assert not [span for span in formatted.spans if span.kind == "link"]


def test_lists_and_tasks_are_laid_out() -> None:
    """Nested lists are indented, numbers count from the first one, and tasks show their checkbox."""
    source = "3. a\n4. b\n   - c\n     - d\n\n- [ ] open\n- [x] done"
    assert parse(source, DIALECT).text == "3. a\n4. b\n   • c\n     • d\n\n☐ open\n☑ done"


def test_a_narrow_table_is_aligned_by_display_width() -> None:
    """Columns line up in a code block, where a wide character takes two columns."""
    formatted = parse("| 名前 | n |\n|---|--:|\n| a | 1 |\n| 中文字 | 22 |", DIALECT)
    assert formatted.text == "名前     n\n------  --\na        1\n中文字  22"
    assert [(span.kind, span.header) for span in formatted.spans] == [("pre", len("名前     n\n------  --\n"))]


def test_a_wide_table_and_one_with_links_become_records() -> None:
    """Every cell follows the name of its column, and keeps its formatting."""
    wide = parse(f"| A | B |\n|---|---|\n| x | {'long ' * 12}|\n| y | **z** |", DIALECT)
    assert wide.text == f"A: x\n• B: {('long ' * 12).strip()}\n\nA: y\n• B: z"
    assert ("link", "l", "https://b.co") in spans("| A | B |\n|---|---|\n| x | [l](https://b.co) |")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80))
def test_escaped_text_reads_unchanged(text: str) -> None:
    """`escape` leaves no markup in any text."""
    line = " ".join(text.split())
    formatted = parse(escape(line), DIALECT)
    as_code = parse(f"``` \n{line}\n```", DIALECT)
    assert "".join(formatted.text.split()) == "".join(as_code.text.split()) or not line
    assert {span.kind for span in formatted.spans} <= {"address"}


@given(st.text(st.sampled_from("ab c.,!?\n'\"()"), max_size=60))
def test_a_text_without_markup_needs_no_parser(text: str) -> None:
    """The short cut for plain text and the parser agree."""
    expected = parse(text + "\n\n**x**", DIALECT).text.removesuffix("x").rstrip()
    assert " ".join(parse(text, DIALECT).text.split()) == " ".join(expected.split())


@given(st.text() | st.text("abc .,!?:/x1-#\n"))
def test_parsing_a_plain_text_changes_nothing(text: str) -> None:
    """A text for which `is_plain` is true may skip `parse`."""
    if is_plain(text):
        formatted = parse(text, DIALECT)
        assert (formatted.text, formatted.spans) == (text, ())


def test_a_short_answer_without_markup_is_plain() -> None:
    """Markup, a second line, white space at the ends and non-ASCII characters are not."""
    assert is_plain("Done. All 12 tests pass, see README.md!")
    for text in ("*x*", "a\nb", " x", "x ", "- x", "1. x", "http://x", "naïve", "a_b", "<b>", "&amp;", "x\ty"):
        assert not is_plain(text)


def test_markdown_without_visible_text_shows_its_source() -> None:
    """Nothing disappears: neither empty blocks, nor text that is nested too deeply, nor unused definitions."""
    assert parse("```\n```", DIALECT).text == "```\n```"
    assert "word" in parse("> " * 200 + "word", DIALECT).text
    assert parse("[r]: https://unused.com", DIALECT).text == "[r]: https://unused.com"


def test_the_parser_is_imported_with_the_first_markup() -> None:
    """Neither the platforms' modules nor plain texts import it."""
    code = (
        "import sys, agent_channels.telegram.formatting as t, agent_channels.discord.formatting as d\n"
        "assert t.render('Just words.', 'markdown') and d.render('x', 'text')\n"
        "assert 'markdown_it' not in sys.modules\n"
        "t.render('**x**', 'markdown')\n"
        "assert 'markdown_it' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| `a|b` | c |", ["a|b", "c"]),
        ("| `a | b` | c |", ["a | b", "c"]),
        ("| ``a`|b`` | `c|d` |", ["a`|b", "c|d"]),
        ("| `a\\|b` | c\\|d |", ["a|b", "c|d"]),
        ("| a | b | one too many |", ["a", "b", "one too many"]),
        ("| a | b | c | d | `e|f` |", ["a", "b", "c", "d", "e|f"]),
        ("a | b | c", ["a", "b", "c"]),
        ("| ` | a | ` | b |", ["a", "b"]),
        ("| ` | a | b |", ["`", "a", "b"]),
        ("| `sed 's|a|b|'` | runs `x|y|z` twice |", ["sed 's|a|b|'", "runs x|y|z twice"]),
    ],
)
def test_no_cell_of_a_table_is_lost(row: str, cells: list[str]) -> None:
    """Pipes in code stay in their cell, and cells beyond the header's columns are shown, in order."""
    text = parse(f"| h1 | h2 |\n|---|---|\n{row}\n| last | row |", Dialect(columns=200)).text
    shown = text.split("\n")[2]
    for cell in cells:
        assert cell in shown
        shown = shown.split(cell, 1)[1]
    records = parse(f"| h1 | h2 |\n|---|---|\n{row}\n| last | row |", Dialect(columns=5)).text
    assert all(cell in records for cell in cells)


@given(st.lists(st.lists(st.text("ab|`\\ ", max_size=6), min_size=1, max_size=5), min_size=1, max_size=4))
def test_every_letter_of_a_table_arrives(rows: list[list[str]]) -> None:
    """However pipes, ticks and backslashes are strewn over rows: all letters are shown, in order."""
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    shown = parse(f"| h | i |\n|---|---|\n{body}", Dialect(columns=10_000)).text
    letters = [char for char in body if char in "ab"]
    assert [char for char in shown.split("-")[-1] if char in "ab"] == letters


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("12. a\n15. b\n20. c", "12. a\n15. b\n20. c"),
        ("2024. x\n1986. y", "2024. x\n1986. y"),
        ("2024. x\n2024. y", "2024. x\n2024. y"),
        ("3. a\n2. b\n1. c", "3. a\n2. b\n1. c"),
        ("1. a\n2. b\n1. c", "1. a\n2. b\n1. c"),
        ("007. a\n009. b", "007. a\n009. b"),
        ("1) a\n3) b", "1) a\n3) b"),
        ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        ("0. a\n0. b", "0. a\n1. b"),
        ("1. a\n- x\n1. b\n- y", "1. a\n\n• x\n\n2. b\n\n• y"),
        ("1. a\n- x\n2. b\n- y", "1. a\n\n• x\n\n2. b\n\n• y"),
        ("1. a\n```\nx\n```\n1. b", "1. a\n\nx\n\n2. b"),
        ("1. a\n   1. x\n   1. y\n1. b\n   1. z", "1. a\n   1. x\n   2. y\n2. b\n   1. z"),
        ("Pro:\n\n1. a\n\nContra:\n\n1. b", "Pro:\n\n1. a\n\nContra:\n\n1. b"),
        ("> 5. a\n> 7. b", "5. a\n7. b"),
    ],
)
def test_numbers_of_lists_are_those_that_were_written(source: str, shown: str) -> None:
    """Numbers stay; only where each one is 1 (or 0) do they count up, also across what interrupts the list."""
    assert parse(source, DIALECT).text == shown
