"""`channels launch`: starts the agent host so that it hears, and says beforehand what would keep it from hearing."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio

from agent_channels.cli.doctor import examine_all, set_up
from agent_channels.core.contract.checks import Finding
from agent_channels.core.doctor.examine import REFUSED, Report
from agent_channels.core.doctor.host import CHANNELS_OFF, entry_name
from agent_channels.core.errors import ChannelError, ConfigError
from agent_channels.core.host.config_files import enabled_plugin, managed_files, read_json
from agent_channels.core.host.install import shipped_hooks
from agent_channels.core.log import configure, redact
from agent_channels.core.settings.config import Environment

__all__ = ["run"]

# The host's documentation: the first takes what its vendor or the organisation allows, the second anything, and asks.
ALLOWED, DEVELOPMENT = "--channels", "--dangerously-load-development-channels"
# What would make the session deaf for certain; the rest is worth a word, and may pass by itself.
DEAF = {"settings", "token", "server", "database", "entry"}


@dataclass(frozen=True)
class _Start:
    """What is started. `remarks`: what is to be known before."""

    command: list[str]
    environ: dict[str, str]
    remarks: list[str]


def run(args: argparse.Namespace) -> int:
    """Starts the host in this process's place, or shows how. Raises `ConfigError` when the session would be deaf."""
    configure("ERROR")
    names = list(dict.fromkeys(args.channels)) or set_up()
    host = _program(args.host, must=not args.print)
    start = _start(host, names, anyio.run(examine_all, names), args.host_arguments)
    for remark in start.remarks:
        print(redact(f"channels: {remark}"), file=sys.stderr)
    if args.print:
        exported = [f"{name}={shlex.quote(value)}" for name, value in start.environ.items()]
        print(" ".join([*exported, shlex.join(start.command)]))
        return 0
    sys.stdout.flush()
    sys.stderr.flush()
    environ = {**os.environ, **start.environ}
    if os.name == "posix":
        os.execve(host, start.command, environ)  # noqa: S606 - what the person named, or `claude`
    # Elsewhere the shell would take the exchange of programs for this one's end and go on beside the host.
    return subprocess.call(start.command, env=environ)  # noqa: S603 - as above


def _program(named: str | None, *, must: bool) -> str:
    found = shutil.which(named or "claude")
    if found is None and must:
        raise ConfigError(f"the agent host {named or 'claude'!r} is not there; install it, or name it with --host PATH")
    return found or named or "claude"


def _start(host: str, names: list[str], reports: list[Report], arguments: list[str]) -> _Start:
    _refuse_deaf(reports)
    environ = {f"{name.upper()}_STATE_DIR": str(Environment(name).state_dir) for name in names}
    remarks = [_worth(report.channel, name, found) for report in reports for name, found in _minor(report).items()]
    why = _switched_off(reports[0])
    if why:
        flags, told = _hooks(names[0], reports[0], why)
    else:
        flags, told = _channels(names)
    # Ours come last: the channel flag takes every word that follows it.
    return _Start([host, *arguments, *flags], environ, [*remarks, told])


def _refuse_deaf(reports: list[Report]) -> None:
    deaf = [
        f"{report.channel}, {name}: {found.found}" + (f" ({found.evidence})" if found.evidence else "")
        + (f"; {found.next}" if found.next else "")
        for report in reports
        for name, found in report.wrong().items()
        if _deafens(name, found)
    ]  # fmt: skip
    if deaf:
        raise ConfigError("the session would be deaf. " + " | ".join(deaf))


def _deafens(name: str, found: Finding) -> bool:
    return name in DEAF or (name == "bot" and REFUSED in found.found)


def _minor(report: Report) -> dict[str, Finding]:
    """What is left to say of a report: telemetry and policy decide how messages come in."""
    return {name: found for name, found in report.wrong().items() if name not in {"telemetry", "policy"}}


def _worth(channel_name: str, name: str, found: Finding) -> str:
    return f"mind ({channel_name}, {name}): {found.found}; {found.next}"


# ---- how messages come in


def _switched_off(report: Report) -> str:
    """Why the host would drop every push, in words; empty when nothing says so."""
    telemetry, policy = report.findings.get("telemetry"), report.findings.get("policy")
    if telemetry is not None and telemetry.state in {"wrong", "note"}:
        return f"{telemetry.found} ({telemetry.evidence})"
    if policy is not None and policy.state == "wrong":
        if CHANNELS_OFF in policy.evidence:
            return f"{policy.found} ({policy.evidence})"
        raise ConfigError(f"{policy.found} ({policy.evidence}); {policy.next}")
    return ""


def _hooks(name: str, report: Report, why: str) -> tuple[list[str], str]:
    """Starts without a channel flag; the hooks come along unless they are installed."""
    told = f"channels cannot work here: {why}. The hooks bring the messages instead"
    found = report.findings.get("hooks")
    if found is not None and found.state == "ok":
        return [], f"{told}; they are installed."
    settings = json.dumps({"hooks": shipped_hooks(Environment(name))}, ensure_ascii=False)
    return ["--settings", settings], f"{told}, for this session."


def _channels(names: list[str]) -> tuple[list[str], str]:
    """The flag that opts in to channels, and what it means."""
    plugin = enabled_plugin(os.environ)
    if plugin is not None and _allowed(plugin):
        return [ALLOWED, f"plugin:{plugin}"], f"the plugin {plugin} is an allowed channel."
    named = [f"plugin:{plugin}"] if plugin else [f"server:{entry_name(Environment(name))}" for name in names]
    told = (
        f"{' '.join(named)} is on no list of allowed channels, so the host is started with {DEVELOPMENT} and asks you "
        "whether you trust it: it is this program, started as your .mcp.json or the plugin says."
    )
    return [DEVELOPMENT, *named], told


def _allowed(plugin: str) -> bool:
    """Whether the organisation's settings list the plugin among the channels it allows."""
    name, _, market = plugin.partition("@")
    lists = (_read(path).get("allowedChannelPlugins") for path in managed_files())
    every = (one for listed in lists if isinstance(listed, list) for one in listed if isinstance(one, dict))
    return any(one.get("plugin") == name and one.get("marketplace") == market for one in every)


def _read(path: Path) -> Mapping[str, object]:
    try:
        return read_json(path)
    except ChannelError:
        # The report said so.
        return {}
