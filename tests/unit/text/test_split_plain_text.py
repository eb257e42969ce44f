"""Long texts are cut so that every part is accepted and nothing but white space at a cut is lost."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_channels.core.text.formatted_text import FormattedText
from agent_channels.core.text.split import split_formatted
from agent_channels.core.text.units import Unit, length

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


def split_text(text: str, limit: int, unit: Unit) -> list[str]:
    """The parts of a text without formatting."""
    return [
        part.text for part in split_formatted(FormattedText(text), lambda part: length(part.text, unit) / limit, limit)
    ]


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
    """Joined, the parts are the text: only white space at cuts is lost, and nothing is added, fences included."""
    assert "".join("".join(split_text(text, limit, "utf16")).split()) == "".join(text.split())


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


def test_the_limit_is_in_the_unit_asked_for() -> None:
    """A text at the limit is one part, in code points or in UTF-16 units."""
    assert split_text("😀" * 100, 100, "codepoint") == ["😀" * 100]
    assert split_text("😀" * 50, 100, "utf16") == ["😀" * 50]
    assert len(split_text("😀" * 51, 100, "utf16")) == 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_lengths_are_those_of_the_platform(text: str) -> None:
    """UTF-16 units or code points, as asked."""
    assert length(text, "utf16") == utf16(text)
    assert length(text, "codepoint") == len(text)
