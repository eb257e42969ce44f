"""Diffs say exactly what changes, in a form that tools read too, and are cut at the ends of lines."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.text import diff as module
from agent_channels.core.text.diff import cut_lines, unified_diff
from agent_channels.core.text.units import length

# Few different lines, so that some are equal.
LINES = st.lists(st.sampled_from(["a\n", "b\n", "\n", " c\n", "\té\n", "-x\n", "@@\n", "\x0c\u2028😀\n"]), max_size=40)
TEXTS = st.builds(lambda lines, whole: "".join(lines) if whole else "".join(lines)[:-1], LINES, st.booleans())
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def patched(before: str, diff: str) -> str:
    """What a diff makes of a text, read as the tool `patch` reads it; fails where the diff does not fit the text."""
    old = re.findall(r"[^\n]*\n|[^\n]+", before)
    new: list[str] = []
    at = 0
    lines = diff.split("\n") if diff else []
    while lines:
        match = HUNK.fullmatch(lines.pop(0))
        assert match is not None
        start, size = int(match[1]), int(match[2] or 1)
        first = start - 1 if size else start
        new += old[at:first]
        at = first
        added = int(match[4] or 1)
        assert len(new) == int(match[3]) - (1 if added else 0)
        while size or added:
            line = lines.pop(0)
            missing = bool(lines) and lines[0].startswith("\\")
            if missing:
                lines.pop(0)
            text = line[1:] + ("" if missing else "\n")
            if line[0] in " -":
                assert old[at] == text
                at, size = at + 1, size - 1
            if line[0] in " +":
                new.append(text)
                added -= 1
    return "".join(new + old[at:])


@given(TEXTS, TEXTS)
def test_a_diff_makes_one_text_of_the_other(before: str, after: str) -> None:
    """Whatever the texts: applied to the old one, it gives the new one; equal texts have none."""
    diff = unified_diff(before, after)
    assert patched(before, diff) == after
    assert (diff == "") is (before == after)


@given(TEXTS, TEXTS)
def test_a_text_too_large_to_compare_is_replaced_between_its_ends(before: str, after: str) -> None:
    """Still a diff that fits: all between the first and the last changed line goes, and comes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "COMPARED_MAX", 0)
        assert patched(before, unified_diff(before, after)) == after


def test_only_the_change_and_three_lines_around_it_are_shown() -> None:
    """One line of a hundred; the numbers are the file's."""
    before = "".join(f"line {n}\n" for n in range(1, 101))
    diff = unified_diff(before, before.replace("line 50\n", "line fifty\n"))
    assert diff == (
        "@@ -47,7 +47,7 @@\n line 47\n line 48\n line 49\n-line 50\n+line fifty\n line 51\n line 52\n line 53"
    )


def test_a_new_text_is_all_added() -> None:
    """As diff writes it against nothing."""
    assert unified_diff("", "a\nb\n") == "@@ -0,0 +1,2 @@\n+a\n+b"


def test_parts_of_a_file_have_no_numbers() -> None:
    """Where a part stands is not known, and its end is not the file's."""
    assert unified_diff("a\nb", "a\nc", numbered=False) == "@@\n a\n-b\n+c"


def test_line_breaks_of_windows_show_only_where_they_change() -> None:
    """A file that has them keeps them unseen; one that gets them changes in every line."""
    assert unified_diff("a\r\nb\r\n", "a\r\nc\r\n") == "@@ -1,2 +1,2 @@\n a\n-b\n+c"
    assert unified_diff("a\n", "a\r\n") == "@@ -1 +1 @@\n-a\n+a\r"


def test_a_large_change_is_compared_within_bounds() -> None:
    """Fifty thousand lines that are all other ones, and ones that are all alike: a hook's approver does not wait."""
    began = time.process_time()
    unified_diff("".join(f"{n}\n" for n in range(50_000)), "".join(f"{n}\n" for n in range(50_000, 100_000)))
    unified_diff("x\n" * 900, "y\n" + "x\n" * 450 + "z\n" + "x\n" * 449 + "w\n")
    assert time.process_time() - began < 60


@given(st.text(alphabet="ab \n😀", max_size=400), st.integers(1, 300), st.sampled_from(["utf16", "codepoint"]))
def test_a_cut_text_fits_and_says_how_many_lines_are_left(text: str, limit: int, unit: module.Unit) -> None:
    """Whole lines from the beginning, the last one perhaps cut; a text that fits is not touched."""
    shown, left = cut_lines(text, limit, unit)
    assert length(shown, unit) <= limit
    if length(text, unit) <= limit:
        assert (shown, left) == (text, 0)
        return
    lines, kept = text.split("\n"), shown.split("\n")
    assert left == len(lines) - len(kept)
    assert kept[:-1] == lines[: len(kept) - 1]
    last = lines[len(kept) - 1]
    assert kept[-1] == last or last.startswith(kept[-1].removesuffix("…"))


def test_a_long_line_is_begun_and_marked_as_cut() -> None:
    """A minified file does not leave the card empty."""
    shown, left = cut_lines("@@\n+" + "x" * 500, 100, "codepoint")
    assert shown.startswith("@@\n+xxx")
    assert shown.endswith("…")
    assert left == 0
