"""`channels doctor`: why is it silent? Every known cause, checked and named, with the next step."""

from __future__ import annotations

import argparse
import json
import sys

import anyio

from agent_channels.core.contract.checks import Finding
from agent_channels.core.doctor.examine import Report, examine
from agent_channels.core.log import configure, redact
from agent_channels.core.server.exit import leave
from agent_channels.core.settings.config import Environment
from agent_channels.registry import CHANNELS, channel

__all__ = ["examine_all", "run", "set_up"]

_SIGNS = {"ok": "✓", "note": "·", "skipped": "-", "wrong": "✗"}


def run(args: argparse.Namespace) -> int:
    """Prints the report; exit code 1 when a cause of silence was found."""
    configure("ERROR")
    reports = anyio.run(examine_all, [args.channel] if args.channel else set_up())
    healthy = all(report.healthy for report in reports)
    if args.json:
        shape = {"ok": healthy, "channels": [report.shape() for report in reports]}
        print(redact(json.dumps(shape, ensure_ascii=False)))
    else:
        print(redact("\n\n".join(_words(report) for report in reports)))
    sys.stdout.flush()
    # A name server that does not answer holds a thread, for which a plain exit would wait.
    leave(code=0 if healthy else 1)


def set_up() -> list[str]:
    """The channels that somebody began to set up; all of them when there is none."""
    begun = [name for name in CHANNELS if _begun(Environment(name))]
    return begun or list(CHANNELS)


def _begun(env: Environment) -> bool:
    return bool(env.own("BOT_TOKEN")) or any((env.state_dir / name).exists() for name in (".env", "channel.db"))


async def examine_all(names: list[str]) -> list[Report]:
    """The channels' reports, in this order; the channels are looked at side by side."""
    reports: dict[str, Report] = {}

    async def one(name: str) -> None:
        reports[name] = await examine(channel(name), Environment(name))

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(one, name)
    return [reports[name] for name in names]


def _words(report: Report) -> str:
    lines = [f"{report.channel}: {_verdict(report)}"]
    for name, found in report.findings.items():
        lines += _check(name, found)
    return "\n".join(lines)


def _verdict(report: Report) -> str:
    causes = report.wrong()
    if not causes:
        return "nothing stands in the way"
    return f"{len(causes)} found: {', '.join(causes)}" if len(causes) > 1 else f"1 found: {next(iter(causes))}"


def _check(name: str, found: Finding) -> list[str]:
    lines = [f"  {_SIGNS[found.state]} {name:<15}{found.found}"]
    if found.state in {"wrong", "note"} and found.evidence:
        lines.append(f"{'':19}{found.evidence}")
    if found.next:
        lines.append(f"{'':19}-> {found.next}")
    return lines
