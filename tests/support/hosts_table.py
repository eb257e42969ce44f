"""The tables of hosts in the docs, from what was measured (tests/hosts/matrix) and what each host's file declares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from agent_channels.core.host.agents.agent_host import Ability, AgentHost
from agent_channels.core.host.agents.registry import AGENT_HOSTS

__all__ = ["ABILITIES", "MEASURED", "abilities", "in_short", "measured", "merged", "proof", "read_measured"]

TESTS = Path(__file__).resolve().parents[1]
MEASURED = TESTS / "hosts" / "matrix" / "measured.json"
RESULT_MAX = 200_000
YES, NO, DOCUMENTED, NONE = "✓", "✗", "◦", "–"
Row = Mapping[str, Any]
# What a host does by its own ways, and how that is called in the tables: English, Chinese.
ABILITIES = {
    "wake": ("wakes an idle session", "喚醒閒置的工作階段"),
    "hand_over": ("hands over at a turn's end", "回合結束時交出訊息"),
    "permission": ("permission on the phone", "在手機上核准"),
    "stop": ("Stop", "停止"),
}
STEPS = {
    "connects": "connects, all tools",
    "talks": "message, grid, tap, `ask`",
    "waits": "a message after 24 empty waits",
    "reads_all": "20 messages of 3,500 characters whole",
    "tap_after_return": "a tap once `ask` came back",
    "tap_after_cancel": "a tap once the call was interrupted",
    "tap_after_timeout": "a tap once the host gave up the call",
    "tap_after_exit": "a tap once the host was killed",
}
# The host that all of this was made for first; its tests are those of tests/hosts without another's name.
CLAUDE = AgentHost(
    name="claude",
    title="Claude Code",
    wake=Ability("the channel's notification, the session's inbox socket, or the hook `bell`"),
    hand_over=Ability("the hook `stop`"),
    permission=Ability("the hook `permission`, or the channel itself"),
    stop=Ability("the hooks of turns"),
)
PROOFS = {"claude": "test_hosts_real.py", "kilo": "test_hosts_opencode.py"}


def read_measured() -> list[dict[str, Any]]:
    """What was measured, a row for each host and client."""
    found: list[dict[str, Any]] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def merged(before: Row, row: Row) -> dict[str, Any]:
    """Return a row with what an earlier run of the same version found besides; each cell keeps its own date."""
    if row["version"] != before.get("version"):
        return dict(row)
    return {
        **before,
        **row,
        **{part: {**before.get(part, {}), **row[part]} for part in ("cells", "limits")},
        "ask_took_s": row["ask_took_s"] or before.get("ask_took_s"),
        **{flag: row[flag] or before.get(flag, False) for flag in ("probes_first", "cancels")},
    }


def proof(host: AgentHost) -> Path:
    """The test that plays a host's abilities with its real program; it may not exist."""
    return TESTS / "hosts" / PROOFS.get(host.name, f"test_hosts_{host.name}.py")


def measured() -> str:
    """Return the table of the journey: a row for each host, then for each client library."""
    heads = ["host or client", "it calls itself", *STEPS.values(), "one call may take", "result kept whole up to"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in sorted(read_measured(), key=lambda row: row["kind"] != "host"):
        cells = [f"{row['title']} {row['version']}", f"`{row['client']}`" if "client" in row else NONE]
        cells += [_mark(row["cells"].get(step)) for step in STEPS]
        lines.append(f"| {' | '.join([*cells, _call(row), _result(row['limits'])])} |")
    found = [part for row in read_measured() for part in (*row["cells"].values(), row["limits"])]
    dates = sorted(part["date"] for part in found if part)
    when = f"on {dates[0]}" if dates[0] == dates[-1] else f"from {dates[0]} to {dates[-1]}"
    return "\n".join([*lines, "", f"Measured {when}."])


def _mark(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return NONE
    return YES if cell["good"] else NO


def _call(row: Row) -> str:
    limits = row["limits"]
    if "call_s" not in limits:
        # Its answer was read after that long.
        return f"{row['ask_took_s']:.0f} s or more" if row["ask_took_s"] else NONE
    return f"{limits['tried_s']:.0f} s or more" if limits["call_s"] is None else f"{limits['call_s']:.0f} s"


def _result(limits: Mapping[str, Any]) -> str:
    if "result" not in limits:
        return NONE
    return "no limit found" if limits["result"] >= RESULT_MAX else f"{limits['result']:,}"


def abilities() -> str:
    """Return the table of what each host does by its own ways, in words."""
    heads = ["host", *(title for title, _ in ABILITIES.values())]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for host in (CLAUDE, *AGENT_HOSTS.values()):
        found: Iterable[Ability] = (getattr(host, name) for name in ABILITIES)
        marks = _ability_marks(host)
        words = (f"{mark} {one.how}".strip() for mark, one in zip(marks, found, strict=True))
        lines.append(f"| {host.title} | {' | '.join(words)} |")
    return "\n".join([*lines, ""])


def _ability_marks(host: AgentHost) -> list[str]:
    played = YES if proof(host).exists() else DOCUMENTED
    return [played if getattr(host, name) else NONE for name in ABILITIES]


def in_short(*, chinese: bool = False) -> str:
    """Return the README's table: hosts of which the same is known share a row."""
    rows = {row["name"]: row for row in read_measured()}
    first = ("messages, buttons, questions", "訊息、按鈕、提問")
    heads = ["主程式" if chinese else "host", *(pair[chinese] for pair in (first, *ABILITIES.values()))]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]

    def marks(host: AgentHost) -> list[str]:
        row = rows.get(host.name)
        played = bool(row) and all(row["cells"][step]["good"] for step in ("connects", "talks")) if row else False
        return [YES if played else DOCUMENTED, *_ability_marks(host)]

    hosts = sorted((CLAUDE, *AGENT_HOSTS.values()), key=lambda host: -sum(mark == YES for mark in marks(host)))
    for shown, group in groupby(hosts, key=marks):
        named = ("、" if chinese else ", ").join(_titled(host, rows) for host in group)
        lines.append(f"| {named} | {' | '.join(shown)} |")
    other = "任何 MCP 主程式" if chinese else "any MCP host"
    return "\n".join([*lines, f"| {other} | {' | '.join([YES, *[NONE] * len(ABILITIES)])} |"])


def _titled(host: AgentHost, rows: Mapping[str, Row]) -> str:
    return f"{host.title} {rows[host.name]['version']}" if host.name in rows else host.title
