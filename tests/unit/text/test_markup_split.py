"""Long texts are cut so that every part is accepted and nothing but white space at a cut is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from agent_channels.core.text.markup_split import split_text
from agent_channels.core.text.units import length

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")
EMOJI = [
    "👩‍👩‍👧‍👦",
    "👍🏽",
    "🇩🇪",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1️⃣",
    "e\u0301",
    "न\u093f",
]
# Words, fences and breaks in such amounts that texts are well above the limit.
CHUNKS = st.one_of(
    st.sampled_from(
        [
            "```\n", "```py\n", "~~~\n", "~~~~ text\n", "````md\n", "\n```\n", "\n~~~\n", "\n\n", "\n", " ", "\t",
            "a ```inline``` b", "```", "~~~", "word ", "A sentence. ", "x" * 90, " " * 70, "\r\n", "\u2028", "\x0b",
            *EMOJI,
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)  # fmt: skip
TEXTS = st.lists(CHUNKS, min_size=1, max_size=80).map("".join)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def solid(text: str) -> str:
    """`text` without white space and without lines that are fences: what must survive a cut."""
    kept = [line for line in text.split("\n") if not FENCE.match(line)]
    return "".join("".join(kept).split())


def has_wide_gap(text: str, limit: int) -> bool:
    """Whether ticks stand behind so much white space that they have to begin a part, where they become a fence."""
    return re.search(rf"[^\S\n]{{{limit // 2},}}(```|~~~)", text) is not None


def blocks(text: str) -> tuple[list[str], bool]:
    """The fence openings of a text, and whether the last one is left open (CommonMark's rule)."""
    opened: list[str] = []
    fence = ""
    for line in text.split("\n"):
        match = FENCE.match(line)
        if not match:
            continue
        if not fence and "`" not in match[2]:
            fence = match[1]
            opened.append(match[2].strip())
        elif fence and match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return opened, bool(fence)


@settings(max_examples=150)
@given(TEXTS, st.sampled_from([64, 100, 333]))
@example("```py\n" + "line of code\n" * 40 + "```\nafter", 100)
@example("~~~ text\n" + "word " * 100, 64)
@example("word ```x``` " * 40, 64)
@example("x" * 500, 100)
def test_every_part_is_within_the_limit_in_both_units(text: str, limit: int) -> None:
    """The server counts code points and the clients UTF-16 units: no part is longer in either."""
    parts = split_text(text, limit, "utf16")
    assert all(utf16(part) <= limit and len(part) <= limit for part in parts)
    assert all(len(part) <= limit for part in split_text(text, limit, "codepoint"))


@settings(max_examples=150)
@given(TEXTS, st.sampled_from([64, 100, 333]))
@example("a ```b " * 60, 64)
@example("```py\n" + "code " * 60, 64)
@example("```\n" * 12 + "x" * 90 + "a ```inline``` b", 100)
@example("x" * 61 + "   ```inline``` b", 64)
@example("```code``` in a line\n" * 9, 100)
def test_nothing_but_white_space_is_lost(text: str, limit: int) -> None:
    """Joined, the parts are the text: only white space at cuts and fence lines, which are repeated, may differ."""
    assume(all(len(line) <= limit // 4 for line in text.split("\n") if FENCE.match(line)))
    assume(not has_wide_gap(text, limit))
    assert solid("\n".join(split_text(text, limit, "utf16"))) == solid(text)


@settings(max_examples=150)
@given(TEXTS, st.sampled_from([64, 100, 333]))
@example("```py\n" + "code " * 90 + "\n```\n", 64)
@example("text\n~~~\n" + "code\n" * 90, 64)
@example("````md\n" + "```py\ninner\n```\n" * 20 + "````\n", 100)
def test_every_part_closes_its_fences(text: str, limit: int) -> None:
    """A code block that is cut ends in one part and begins again in the next; one that was never closed is closed."""
    assume(not has_wide_gap(text, limit))
    assume(all(len(line) <= limit // 4 for line in text.split("\n") if FENCE.match(line)))
    parts = split_text(text, limit, "utf16")
    assert len(parts) == 1 or [part for part in parts if blocks(part)[1]] == []


def test_a_repeated_fence_keeps_its_language() -> None:
    """Every part of a cut code block is drawn in the block's language."""
    parts = split_text("Look:\n```python\n" + "print('hello')\n" * 60 + "```\nDone.", 200, "utf16")
    assert len(parts) > 4
    assert parts[0].startswith("Look:\n```python\n")
    assert all(part.startswith("```python\n") for part in parts[1:-1])
    assert all(part.endswith("\n```") for part in parts[:-1])
    assert parts[-1].endswith("Done.")


def test_a_fence_inside_a_longer_fence_is_text() -> None:
    """Only as many ticks as opened a block end it."""
    parts = split_text("````md\n" + "```py\nx\n```\n" * 30 + "````", 120, "utf16")
    assert all(part.startswith("````md\n") and part.endswith("````") for part in parts)


def test_an_endless_fence_line_is_cut_like_any_text() -> None:
    """What stands behind an opening fence is neither lost nor repeated when it is too long to be a language."""
    info = " ".join(f"word{n}" for n in range(60))
    parts = split_text(f"```{info}\ncode\n```\n", 64, "utf16")
    assert not any(blocks(part)[1] for part in parts)
    assert re.sub(r"[`\s]", "", "".join(parts)) == info.replace(" ", "") + "code"


def test_no_empty_code_block_is_left_at_a_cut() -> None:
    """A cut falls neither right behind an opening fence nor right before a closing one."""
    for lines in range(60, 90):
        text = "intro words " * 5 + "\n```py\n" + "x\n" * lines + "```\nthe end " * 4
        for part in split_text(text, 100, "utf16"):
            assert not re.search(r"```(py)?\n```", part)


@given(st.lists(st.sampled_from([*EMOJI, "ab", "c "]), min_size=40, max_size=120).map("".join))
def test_no_sign_is_cut_apart(text: str) -> None:
    """Families, skin tones, flags, keycaps and accents are whole in one part each, and so is every surrogate pair."""
    parts = split_text(text, 64, "utf16")
    assert all(part.encode("utf-16-le").decode("utf-16-le") == part for part in parts)
    for sign in EMOJI:
        assert sum(part.count(sign) for part in parts) == text.count(sign)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 50_000,
        "😀" * 25_000,
        " " * 50_000,
        "\n" * 50_000,
        "\u0301" * 50_000,
        "\U0001f1e6" * 50_000,
        "\u200d" * 50_000,
        "👩‍" * 25_000,
        "`" * 50_000,
        "~" * 50_000,
        "```\n" * 12_500,
        "~~~\n```\n" * 6_000,
        "```" + "x" * 49_000 + "\n" + "y\n" * 500,
        "a ```" * 10_000,
        "word " * 10_000,
        "\ud800" * 50_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_fifty_thousand_of_anything_end_quickly(text: str) -> None:
    """No text, however odd, keeps the program busy or makes a part too long."""
    parts = split_text(text, 4096, "utf16")
    assert all(length(part, "utf16") <= 4096 for part in parts)
    assert len(parts) <= 30
    assert "".join(text.split()) == "" or parts


def test_cuts_prefer_the_ends_of_paragraphs_lines_sentences_and_words() -> None:
    """The best place in the second half of a part is taken."""
    paragraphs = "\n\n".join(f"Paragraph {n} has a few words." for n in range(8))
    assert all(part.startswith("Paragraph") for part in split_text(paragraphs, 100, "utf16"))
    sentences = " ".join(f"Sentence {n} is short." for n in range(20))
    assert all(part.endswith(".") for part in split_text(sentences, 100, "utf16"))
    words = "word " * 100
    assert all(set(part.split()) == {"word"} for part in split_text(words, 64, "utf16"))


def test_a_text_that_fits_is_left_alone() -> None:
    """Up to the limit, nothing is changed, white space and open fences included."""
    for text in ("", "  \n", "```py\nopen", "x" * 100, "😀" * 50):
        assert split_text(text, 100, "utf16") == [text]
    assert split_text("😀" * 100, 100, "codepoint") == ["😀" * 100]
    assert len(split_text("😀" * 51, 100, "utf16")) == 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_lengths_are_those_of_the_platform(text: str) -> None:
    """UTF-16 units or code points, as asked."""
    assert length(text, "utf16") == utf16(text)
    assert length(text, "codepoint") == len(text)
