"""Markdown is read as its authors mean it: CommonMark and tables, and names and sums as they were written."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.text import markdown
from agent_channels.core.text.document import Dialect
from agent_channels.core.text.markdown import escaped, parse, verbatim

LOOK = Dialect()


def spans(source: str) -> set[tuple[str, str, str]]:
    """(kind, text, value) of everything formatted, without the marks of lists and bare addresses."""
    found = parse(source, LOOK)
    kinds = ((span, found.text[span.start : span.end]) for span in found.spans)
    return {(span.kind, text, span.value) for span, text in kinds if span.kind not in {"bullet", "task", "address"}}


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
def test_what_is_no_markup_survives(source: str) -> None:
    """Names, sums, paths, addresses and operators read as they were written."""
    expected = source.removeprefix("# ").replace("arr[0](x)", "arr0 (x)")
    assert parse(source, LOOK).text == expected


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
def test_what_is_markup_is_read(source: str, expected: set[tuple[str, str, str]]) -> None:
    """Styles, links, headings, code and quotations become spans over the text without marks."""
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
def test_what_cannot_be_a_link_shows_its_address(source: str, expected: str) -> None:
    """Only addresses that every platform takes become links, and none hides behind another address."""
    found = parse(source, LOOK)
    assert found.text == expected
    assert not [span for span in found.spans if span.kind == "link"]


def test_lists_and_tasks_are_laid_out() -> None:
    """Nested lists are indented, numbers go on from where they start, tasks show their box."""
    source = "3. a\n4. b\n   - c\n     - d\n\n- [ ] open\n- [x] done"
    assert parse(source, LOOK).text == "3. a\n4. b\n   • c\n     • d\n\n☐ open\n☑ done"


def test_a_table_that_fits_is_aligned_by_the_width_of_its_signs() -> None:
    """Columns line up in a monospace block, wide characters counted as two."""
    found = parse("| 名前 | n |\n|---|--:|\n| a | 1 |\n| 中文字 | 22 |", LOOK)
    assert found.text == "名前     n\n------  --\na        1\n中文字  22"
    assert [(span.kind, span.head) for span in found.spans] == [("pre", len("名前     n\n------  --\n"))]


def test_a_table_that_does_not_fit_or_holds_links_becomes_records() -> None:
    """Every cell stands behind the name of its column, and keeps its formatting."""
    wide = parse(f"| A | B |\n|---|---|\n| x | {'long ' * 12}|\n| y | **z** |", LOOK)
    assert wide.text == f"A: x\n• B: {('long ' * 12).strip()}\n\nA: y\n• B: z"
    assert ("link", "l", "https://b.co") in spans("| A | B |\n|---|---|\n| x | [l](https://b.co) |")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80))
def test_an_escaped_text_reads_as_it_stands(text: str) -> None:
    """Whatever is escaped says nothing but itself."""
    line = " ".join(text.split())
    found = parse(escaped(line), LOOK)
    assert "".join(found.text.split()) == "".join(parse(line.join(["``` \n", "\n```"]), LOOK).text.split()) or not line
    assert {span.kind for span in found.spans} <= {"address"}


@given(st.text(st.sampled_from("ab c.,!?\n'\"()"), max_size=60))
def test_a_text_without_markup_needs_no_parser(text: str) -> None:
    """The short way and the parser say the same."""
    expected = parse(text + "\n\n**x**", LOOK).text.removesuffix("x").rstrip()
    assert " ".join(parse(text, LOOK).text.split()) == " ".join(expected.split())


@given(st.text() | st.text("abc .,!?:/x1-#\n"))
def test_what_is_taken_as_it_stands_would_have_stayed_so(text: str) -> None:
    """A text that nothing is done to is one that reading it leaves alone."""
    if verbatim(text):
        found = parse(text, LOOK)
        assert (found.text, found.spans) == (text, ())


def test_a_short_plain_answer_is_taken_as_it_stands() -> None:
    """As most are; and what has a mark, a line or a sign of its own is read."""
    assert verbatim("Done. All 12 tests pass, see README.md!")
    for text in ("*x*", "a\nb", " x", "x ", "- x", "1. x", "http://x", "naïve", "a_b", "<b>", "&amp;", "x\ty"):
        assert not verbatim(text)


def test_what_shows_nothing_is_shown_as_it_is_written() -> None:
    """No source that says something is drawn as nothing, and what is nested too deep is not left out."""
    assert parse("```\n```", LOOK).text == "```\n```"
    assert "word" in parse("> " * 200 + "word", LOOK).text
    assert parse("[r]: https://unused.com", LOOK).text == "[r]: https://unused.com"


def test_the_parser_is_imported_at_the_first_markup() -> None:
    """Neither the platforms' modules nor a text without markup import it."""
    code = (
        "import sys, agent_channels.telegram.formatting as t, agent_channels.discord.formatting as d\n"
        "assert t.render('Just words.', 'markdown') and d.render('x', 'text')\n"
        "assert 'markdown_it' not in sys.modules\n"
        "t.render('**x**', 'markdown')\n"
        "assert 'markdown_it' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert markdown.__doc__
