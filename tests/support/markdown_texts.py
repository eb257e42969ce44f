"""Texts an agent may send: Markdown put together at random, and anything at all, up to 50,000 characters."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["ANYTHING", "DOCUMENTS"]

WORDS = st.sampled_from(
    [
        "word", "a b c", "__init__.py", "foo_bar_baz", "a*b*c", "x**2", 'https://x.com/_a_(b)?q="1"', "中文，字。",
        "日本語", "مرحبا", "👩‍👩‍👧", "e\u0301", "1. x", "- y", "# z", "> q", "[x]", "(y)", "`", "``", "```", "**", "*",
        "_", "__", "~~", "||", "|", "\\", "<br>", "<b>", "&amp;", "@x", "<@12>", "\t", " ", "\n", "~", "!",
        "$x_1$", "a.", "b!", "。", "C:\\x\\_y_",
    ]
)  # fmt: skip
TARGETS = st.sampled_from(
    [
        "https://a.com", "https://a.com/x_(y)", "src/a.py", "http://localhost:1", "mailto:a@b.c", "tg://user?id=1",
        "https://a.b/" + "x" * 900, "#a", "",
    ]
)  # fmt: skip
CODE = st.lists(st.sampled_from(["    code", "x = `a`", "```", "", "\tgo", "> q", "# c", "* y *"]), max_size=8)


def _styled(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    marks = [inner.map(lambda text, m=m: f"{m}{text}{m}") for m in ("**", "*", "_", "__", "~~", "||", "`", "``", "***")]
    return st.one_of(
        *marks,
        st.tuples(inner, TARGETS).map(lambda pair: f"[{pair[0]}]({pair[1]})"),
        inner.map(lambda text: f"![{text}](https://i.com/p.png)"),
        st.lists(inner, min_size=2, max_size=4).map(" ".join),
        st.lists(inner, min_size=2, max_size=3).map("".join),
    )


INLINE = st.recursive(st.lists(WORDS, min_size=1, max_size=4).map("".join), _styled, max_leaves=6)
LINES = INLINE.map(lambda text: text.replace("\n", " "))


def _marked(text: str, mark: str) -> str:
    return "\n".join((" " * len(mark) if at else mark) + line for at, line in enumerate(text.split("\n")))


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=4)
    return st.one_of(
        several.map("\n\n".join),
        several.map(lambda texts: "\n".join(_marked(text, "- ") for text in texts)),
        several.map(lambda texts: "\n".join(_marked(text, f"{n}. ") for n, text in enumerate(texts, 1))),
        several.map(lambda texts: "\n".join(_marked(text, "- [ ] ") for text in texts)),
        inner.map(lambda text: "\n".join(f"> {line}" for line in text.split("\n"))),
    )


LEAVES = st.one_of(
    INLINE,
    LINES.map("## {}".format),
    LINES.map("#### {}".format),
    st.tuples(st.sampled_from(["", "py", "c++", "x y"]), CODE).map(
        lambda pair: f"````{pair[0]}\n" + "\n".join(pair[1]) + "\n````"
    ),
    st.lists(st.tuples(LINES, LINES), min_size=1, max_size=5).map(
        lambda rows: "| A | 中 |\n|---|:-:|\n" + "\n".join(f"| {one} | {other} |" for one, other in rows)
    ),
    st.just("| N | Text |\n|--:|---|\n" + "\n".join(f"| {n} | line {n} |" for n in range(300))),
    st.just("```py\n" + "\n".join(f"    print({n})" for n in range(300)) + "\n```"),
    st.just("---"),
    st.just("[r]: https://r.com"),
)
DOCUMENTS = st.tuples(st.recursive(LEAVES, _nested, max_leaves=12), st.integers(1, 4)).map(
    lambda pair: "\n\n".join([pair[0]] * pair[1])
)
ANYTHING = st.one_of(
    st.text(max_size=400),
    st.lists(WORDS, max_size=60).map("".join),
    st.tuples(st.text(min_size=1, max_size=250), st.integers(1, 200)).map(lambda pair: pair[0] * pair[1]),
)
