"""`channels doctor`: why the bot is silent. Every known cause is checked and named, with the next step."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from agent_channels.cli.arguments import CHANNEL_NAMES, add_agent_host, add_json, set_up_channels
from agent_channels.cli.language import shown
from agent_channels.cli.progress import SHOW_EVERY_S, ProgressLine
from agent_channels.core.contract.checks import Finding
from agent_channels.core.doctor.examine import Report, examine
from agent_channels.core.host.agents.agent_host import AgentHost
from agent_channels.core.i18n.sentences import counted, sentence
from agent_channels.core.log import configure, redact
from agent_channels.core.server.exit import leave
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.log_file import LogFileHandler, log_path
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "configured_channels", "examine_all", "run"]

SUMMARY = "find out why the bot is silent: check every known cause"
_SIGNS = {"ok": "✓", "note": "·", "skipped": "-", "wrong": "✗"}
_LEGEND = "✓ fine   · good to know   - not checked   ✗ to be fixed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, which may be left out, --host and --json."""
    parser.add_argument(
        "channel",
        choices=CHANNELS,
        nargs="?",
        metavar="CHANNEL",
        help=sentence("{names}; default: every channel that was set up, or all if none was", names=CHANNEL_NAMES),
    )
    add_agent_host(parser, help="check the files of this agent host: {names} (default: Claude Code)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the report; exit with 1 if it names a cause of silence."""
    names = [args.channel] if args.channel else configured_channels()
    configure("ERROR", *(LogFileHandler(Environment(name).state_dir, "doctor") for name in names))
    reports = anyio.run(examine_all, names, args.host)
    healthy = all(report.healthy for report in reports)
    if args.json:
        data = {"ok": healthy, "channels": [_json(report) for report in reports]}
        print(redact(json.dumps(data, ensure_ascii=False)))
    else:
        print(redact("\n\n".join([*(_text(report) for report in reports), shown(_LEGEND)])))
    sys.stdout.flush()
    # A name server that does not answer keeps a thread busy, and a plain exit would wait for it.
    leave(code=0 if healthy else 1)


def configured_channels() -> list[str]:
    """Return the channels with a token or any state; all channels if there is none."""
    return set_up_channels() or list(CHANNELS)


async def examine_all(names: list[str], host: AgentHost | None = None) -> list[Report]:
    """Examine the channels concurrently; return their reports in the order of `names`.

    `host`: the agent host whose files are looked into; by default Claude Code.
    """
    reports: dict[str, Report] = {}

    async def examine_one(name: str) -> None:
        reports[name] = await examine(channel(name), Environment(name), agent_host=host)

    async with anyio.create_task_group() as waiting:
        waiting.start_soon(_show_progress, reports, names)
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(examine_one, name)
        waiting.cancel_scope.cancel()
    return [reports[name] for name in names]


async def _show_progress(reports: Mapping[str, Report], names: Sequence[str]) -> None:
    with ProgressLine() as progress:
        progress.what = shown("checking")
        while True:
            progress(len(reports), len(names))
            await anyio.sleep(SHOW_EVERY_S)


def _text(report: Report) -> str:
    verdict = _verdict(report)
    if log := _log(report):
        verdict = sentence("{verdict}; log: {path}", verdict=verdict, path=log)
    lines = [f"{report.channel}: {shown(verdict)}"]
    for name, finding in report.findings.items():
        lines += _lines(name, finding)
    return "\n".join(lines)


def _json(report: Report) -> dict[str, Any]:
    return {**report.to_json(), "log": _log(report)}


def _log(report: Report) -> str | None:
    """Return the path of a channel's log; None if there is none, or the folder is not ours to look into."""
    path = log_path(Environment(report.channel).state_dir)
    return str(path) if os.path.isfile(path) else None  # noqa: PTH113 - pathlib's raises for a folder that is closed


def _verdict(report: Report) -> str:
    causes = report.wrong()
    if not causes:
        mode = report.findings.get("mode")
        if mode is not None and mode.state == "note":
            return "nothing is wrong, but messages are not delivered now"
        return "nothing stands in the way"
    return sentence("{problems} ({names})", problems=counted(len(causes), "problem"), names=", ".join(causes))


def _lines(name: str, finding: Finding) -> list[str]:
    lines = [f"  {_SIGNS[finding.state]} {name:<15}{shown(finding.found)}"]
    if finding.state in {"wrong", "note"} and finding.evidence:
        lines.append(f"{'':19}{shown(finding.evidence)}")
    if finding.next:
        lines.append(f"{'':19}-> {shown(finding.next)}")
    return lines
