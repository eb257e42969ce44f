"""Unified diffs of texts, and texts cut to whole lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent_channels.core.text.units import Unit, length, truncate

__all__ = ["cut_lines", "unified_diff"]

CONTEXT = 3
# Comparing takes time in proportion to old times new lines; above this many, everything between the first and the last
# changed line is shown as replaced.
COMPARED_MAX = 1_000_000
# Less room than this is left empty: the beginning of a line says nothing.
LINE_MIN = 60

_Change = tuple[str, int, int, int, int]


def unified_diff(before: str, after: str, *, numbered: bool = True) -> str:
    """Return the hunks of a unified diff with three lines of context; "" if nothing changes.

    `numbered`: the texts are whole files, so hunks have line numbers, and a missing line break at the end is shown.
    Line breaks of Windows are shown only where they change.
    """
    if not before or ("\r\n" in before) == ("\r\n" in after):
        before, after = before.replace("\r\n", "\n"), after.replace("\r\n", "\n")
    if not numbered:
        before, after = (text if not text or text.endswith("\n") else f"{text}\n" for text in (before, after))
    old, new = _lines(before), _lines(after)
    # What is equal at both ends is not compared.
    first = _equal(old, new)
    last = _equal(old[first:][::-1], new[first:][::-1])
    skipped = max(0, first - CONTEXT)
    ends = max(0, last - CONTEXT)
    old, new = old[skipped : len(old) - ends], new[skipped : len(new) - ends]
    hunks: list[str] = []
    for changes in _hunks(old, new, first - skipped, last - ends):
        start, end = changes[0], changes[-1]
        ranges = f" -{_range(start[1], end[2], skipped)} +{_range(start[3], end[4], skipped)} @@" if numbered else ""
        hunks.append(f"@@{ranges}\n")
        for kind, old_start, old_end, new_start, new_end in changes:
            if kind == "equal":
                hunks += (_line(" ", line) for line in old[old_start:old_end])
            else:
                hunks += (_line("-", line) for line in old[old_start:old_end])
                hunks += (_line("+", line) for line in new[new_start:new_end])
    return "".join(hunks).removesuffix("\n")


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _equal(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many lines are equal from the beginning."""
    number = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        number += 1
    return number


def _hunks(old: list[str], new: list[str], before: int, after: int) -> Iterator[Sequence[_Change]]:
    """Yield hunks as difflib's grouped opcodes; the first `before` and the last `after` lines are equal."""
    if old == new:
        return
    old_end, new_end = len(old) - after, len(new) - after
    if (old_end - before) * (new_end - before) > COMPARED_MAX:
        yield [
            ("equal", 0, before, 0, before),
            ("replace", before, old_end, before, new_end),
            ("equal", old_end, len(old), new_end, len(new)),
        ]
        return
    # Imported here: few servers show a diff.
    from difflib import SequenceMatcher

    yield from SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT)


def _range(start: int, end: int, skipped: int) -> str:
    # As diff writes it: one line without a count, and no lines as those after the line before.
    size, first = end - start, start + skipped + 1
    return f"{first}" if size == 1 else f"{first if size else first - 1},{size}"


def _line(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"


def cut_lines(text: str, limit: int, unit: Unit) -> tuple[str, int]:
    """Return the first lines of a text, at most `limit` units, and how many lines are left out.

    A line that is too long for the room that is left is cut.
    """
    if length(text, unit) <= limit:
        return text, 0
    lines = text.split("\n")
    kept: list[str] = []
    room = limit
    for line in lines:
        size = length(line, unit) + 1
        if size > room + 1:
            if room > LINE_MIN or not kept:
                kept.append(truncate(line, room, unit))
            break
        kept.append(line)
        room -= size
    return "\n".join(kept), len(lines) - len(kept)
