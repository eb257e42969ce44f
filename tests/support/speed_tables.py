"""The tables of speed and size, from what was measured (tests/bench/measured.json)."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["MEASURED", "ROWS", "Figure", "beside", "figures", "read_measured", "summary", "write_measured"]

MEASURED = Path(__file__).resolve().parents[1] / "bench" / "measured.json"
# Every row and its unit, in the order of the tables.
ROWS = {
    "spawn to initialize answer": "ms",
    "spawn to tools/list answer": "ms",
    "spawn to first call's result": "ms",
    "spawn to first message": "ms",
    "message to notification": "ms",
    "call to request": "ms",
    "call to result": "ms",
    "1,000 queued messages": "s",
    "50 chats at once: message to notification": "ms",
    "50 chats at once: message to answer's request": "ms",
    "200 replies while messages come in": "s",
    "200 replies while messages come in: call to result": "ms",
    "processor, a message in": "ms",
    "processor, a reply": "ms",
    "processor idle": "%",
    "memory idle": "MB",
    "private memory idle": "MB",
    "memory after 1,000 messages": "MB",
    "private memory after 1,000 messages": "MB",
    "context switches idle": "a minute",
    "connections": "",
    "processes": "",
    "exit after SIGINT": "ms",
    "exit after SIGTERM": "ms",
    "exit after stdin EOF": "ms",
    "written to disk, a message in": "kB",
    "written to disk, a reply": "kB",
    "kept on disk, a message with its reply": "kB",
    "SQL statements, a message with its reply": "",
    "SQL transactions, a message with its reply": "",
}
NONE = "–"
Figure = Mapping[str, float]
"""`median`, `low` and `high` (one sample in ten is below or above), and `n`, the number of samples."""
Channel = dict[str, Any]
"""`rows`: name -> {"ours": Figure, "other": Figure}; `other`: what it was measured beside; `when`, `where`."""


def read_measured() -> dict[str, Channel]:
    """What was measured, by channel."""
    found: dict[str, Channel] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def write_measured(channel: str, found: Channel) -> None:
    """Keep new rows in place of the old ones; all rows of a channel are beside the same program."""
    known = read_measured() if MEASURED.exists() else {}
    before = known.get(channel, {"rows": {}})
    rows = {**before["rows"], **found["rows"]}
    known[channel] = {**before, **found, "rows": {name: rows[name] for name in ROWS if name in rows}}
    MEASURED.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(values: Sequence[float]) -> Figure:
    """The figure of some samples."""
    tenths = statistics.quantiles(values, n=10, method="inclusive") if len(values) > 1 else values
    return {
        "median": _short(statistics.median(values)),
        "low": _short(tenths[0]),
        "high": _short(tenths[-1]),
        "n": len(values),
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def figures(row: Mapping[str, Figure]) -> tuple[str, str, str]:
    """Ours and the other's median with the spread, and the ratio of the medians."""
    cells = [_cell(row[side]) if side in row else NONE for side in ("ours", "other")]
    both = "ours" in row and row.get("other", {}).get("median")
    return cells[0], cells[1], f"{row['ours']['median'] / row['other']['median']:.2g}" if both else NONE


def _cell(figure: Figure) -> str:
    median, low, high = (_number(figure[name]) for name in ("median", "low", "high"))
    return median if low == high else f"{median} ({low} – {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}" if value < 1 else f"{value:.3g}"


def _named(name: str) -> str:
    unit = ROWS[name]
    return f"{name}, {unit}" if unit else name


def beside() -> str:
    """Return the table of the channel that was measured beside another program."""
    (found,) = (found for found in read_measured().values() if "other" in found)
    rows = {name: row for name, row in found["rows"].items() if "other" in row}
    lines = [f"| | ours | {found['other']} | ours / other |", "|---|---|---|---|"]
    lines += [f"| {_named(name)} | {' | '.join(figures(row))} |" for name, row in rows.items()]
    few = min(row["ours"]["n"] for row in rows.values())
    told = f"Medians of {few} or more, measured on {found['when']}: {found['where']}"
    return "\n".join([*lines, "", f"{told}; in brackets what one sample in ten is below or above."])
