"""The tables of speed and size: what was measured is whole, and merged row by row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import speed_tables
from speed_tables import ROWS, figures, read_measured, summary, write_measured

# Counts of the same statements each time, and a figure of our own database.
OURS_ALONE = {name for name in ROWS if name.startswith(("SQL", "kept"))}
SAMPLES = 31


def test_rows_were_measured_beside_the_other_program() -> None:
    """What stands in the table is of both programs, with samples enough for a median and its spread."""
    found = read_measured()["telegram"]
    both = {name: row for name, row in found["rows"].items() if "other" in row}
    assert found["other"]
    assert set(found["rows"]) <= set(ROWS)
    assert {"spawn to first message", "message to notification", "call to result"} <= set(both)
    assert not OURS_ALONE & set(both)
    assert {name for name, row in both.items() for figure in row.values() if figure["n"] < SAMPLES} == set()


def test_a_figure_is_the_median_with_its_spread() -> None:
    """One sample in ten is below or above what stands in brackets; a ratio is of medians."""
    ours, other = summary([*range(1, 12)]), summary([4.0])
    assert ours == {"median": 6, "low": 2, "high": 10, "n": 11}
    assert figures({"ours": ours, "other": other}) == ("6 (2 – 10)", "4", "1.5")
    assert figures({"ours": ours}) == ("6 (2 – 10)", "–", "–")


def test_new_rows_take_the_place_of_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a few rows leaves the others as they were, and all stand in the order of the tables."""
    monkeypatch.setattr(speed_tables, "MEASURED", tmp_path / "measured.json")
    first, second, third = list(ROWS)[:3]
    write_measured("telegram", {"other": "it", "when": "then", "rows": {second: {"ours": 1}, third: {"ours": 1}}})
    write_measured("telegram", {"when": "now", "rows": {third: {"ours": 2}, first: {"ours": 2}}})
    found = json.loads((tmp_path / "measured.json").read_text())["telegram"]
    assert (found["other"], found["when"]) == ("it", "now")
    assert list(found["rows"].items()) == [(first, {"ours": 2}), (second, {"ours": 1}), (third, {"ours": 2})]
