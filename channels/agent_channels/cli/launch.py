"""`channels launch`: start the agent host so that it receives messages, or say why it would not."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anyio

from agent_channels.cli.arguments import CHANNEL_NAMES, add_json, agent_host_names, channel_name
from agent_channels.cli.doctor import configured_channels, examine_all
from agent_channels.cli.language import shown
from agent_channels.cli.turn_hooks import turn_hook_servers
from agent_channels.core.contract.checks import Finding
from agent_channels.core.doctor.examine import REFUSED, Report
from agent_channels.core.doctor.host import CHANNELS_OFF, entry_name
from agent_channels.core.errors import ConfigError
from agent_channels.core.frozen import frozen
from agent_channels.core.host.agents.agent_host import AgentHost
from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.host.config_files import enabled_plugin, managed_files, read_json
from agent_channels.core.host.install import shipped_hooks, turn_hooks
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.log import configure, redact
from agent_channels.core.process import undo_for_child
from agent_channels.core.settings.config import Environment
from agent_channels.registry import CHANNELS

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "start the agent host so that it receives messages, or say why it would not"
# The host's documentation: the first takes what its vendor or the organisation allows, the second takes anything, and
# asks the user.
ALLOWED, DEVELOPMENT = "--channels", "--dangerously-load-development-channels"
# Findings of the doctor with which no message can arrive. With any other the session starts, after a warning.
FATAL = {"trust", "settings", "token", "server", "database", "entry", "files"}


@frozen
class _Start:
    """What to start. `environ` is added to our own environment; `remarks` are for the person to read before."""

    command: list[str]
    environ: dict[str, str]
    remarks: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channels, --host, --print and --json; what follows `--` is split off before parsing (cli/main.py)."""
    channels = " ".join(f"[{name}]" for name in CHANNELS)
    parser.usage = f"channels launch {channels} [--host NAME] [--unattended] [--print] [--json] [-- HOST ARGUMENTS]"
    parser.add_argument(
        "channels",
        type=channel_name,
        nargs="*",
        metavar="CHANNEL",
        help=sentence("{names}; default: every channel that was set up, or all if none was", names=CHANNEL_NAMES),
    )
    parser.add_argument(
        "--host",
        metavar="NAME",
        help=sentence(
            "the agent host: {names}, or a path of Claude Code's program", names=", ".join(agent_host_names())
        ),
    )
    parser.add_argument(
        "--unattended", action="store_true", help="without what the host asks about at its start, as nobody is there"
    )
    parser.add_argument("--print", action="store_true", help="show the command, and start nothing")
    add_json(parser, help="as --print, as JSON")


def run(args: argparse.Namespace) -> int:
    """Replace this process with the host, or print its command line.

    Raises `ConfigError` if no message could reach the session.
    """
    configure("ERROR")
    names = list(dict.fromkeys(args.channels)) or configured_channels()
    only_shown = args.print or args.json
    known = AGENT_HOSTS.get(args.host)
    host = _program(known.program if known else args.host, must_exist=not only_shown)
    reports = anyio.run(examine_all, names, known)
    asked = "" if only_shown else host
    if known is not None:
        start = _prepare_known(known, host, names, reports, args.host_arguments)
    else:
        start = _prepare(host, asked, names, reports, args.host_arguments, unattended=args.unattended)
    if args.json:
        data = {"ok": True, "command": start.command, "environ": start.environ, "remarks": start.remarks}
        print(redact(json.dumps(data, ensure_ascii=False)))
        return 0
    for remark in start.remarks:
        print(redact(f"channels: {shown(remark)}"), file=sys.stderr)
    if args.print:
        exported = [f"{name}={shlex.quote(value)}" for name, value in start.environ.items()]
        print(" ".join([*exported, shlex.join(start.command)]))
        return 0
    sys.stdout.flush()
    sys.stderr.flush()
    environ = {**os.environ, **start.environ}
    undo_for_child()
    if os.name == "posix":
        os.execve(host, start.command, environ)  # noqa: S606 - what the person named, or `claude`
    # Windows has no exec: the shell would see this process end and prompt again while the host still runs.
    return subprocess.call(start.command, env=environ)  # noqa: S603 - as above


def _program(named: str | None, *, must_exist: bool) -> str:
    name = named or "claude"
    found = shutil.which(name)
    if found is None and must_exist:
        raise ConfigError(
            sentence("the agent host {name!r} is not there; install it, or name it with --host PATH", name=name)
        )
    return found or name


def _prepare(
    host: str, asked: str, names: list[str], reports: list[Report], arguments: list[str], *, unattended: bool
) -> _Start:
    """Return what to start; `asked` is the program to ask for its version, "" for none."""
    _refuse_fatal(reports)
    environ = {f"{name.upper()}_STATE_DIR": str(Environment(name).state_dir) for name in names}
    warnings = [warning for report in reports for warning in _warnings(report)]
    reason = _why_channels_are_off(reports[0])
    if not reason and unattended and _allowed_plugin() is None:
        reason = sentence("with {flag} the host asks something at its start", flag=DEVELOPMENT)
    if reason:
        flags, remark = _hook_flags(asked, names[0], reports[0], reason)
    else:
        channel_flags, remark = _channel_flags(names)
        # These come last: the channel flag takes every word that follows it.
        flags = [*_settings(_turn_hooks(asked, names[0], reports[0])), *channel_flags]
    return _Start([host, *arguments, *flags], environ, [*warnings, remark])


def _prepare_known(
    known: AgentHost, host: str, names: list[str], reports: list[Report], arguments: list[str]
) -> _Start:
    """Return what to start for a host other than Claude Code."""
    _refuse_fatal(reports)
    environments = [Environment(name) for name in names]
    environ = {f"{env.channel.upper()}_STATE_DIR": str(env.state_dir) for env in environments}
    warnings = [warning for report in reports for warning in _warnings(report)]
    if known.wake:
        remark = sentence("{title} is woken for a message: {how}.", title=known.title, how=known.wake.how)
    else:
        remark = sentence(
            "nothing wakes {title} from outside: its agent has to ask for messages, with wait_for_messages.",
            title=known.title,
        )
    more = known.arguments(environments) if known.arguments else []
    return _Start([host, *more, *arguments], environ, [*warnings, remark])


def _refuse_fatal(reports: list[Report]) -> None:
    fatal = [
        joined(_lines(f"{report.channel}, {name}", finding), "\n")
        for report in reports
        for name, finding in report.wrong().items()
        if name in FATAL or (name == "bot" and REFUSED in finding.found)
    ]
    if fatal:
        raise ConfigError(joined([sentence("no message would reach the session"), *fatal], "\n"))


def _lines(name: str, finding: Finding) -> list[str]:
    lines: list[str] = [sentence("  ✗ {name}: {found}", name=name, found=finding.found)]
    lines += [sentence("    {evidence}", evidence=finding.evidence)] if finding.evidence else []
    return [*lines, sentence("    -> {next}", next=finding.next)] if finding.next else lines


def _warnings(report: Report) -> Iterator[str]:
    """What else is wrong. Telemetry and policy are left out: they decide how messages come in."""
    for name, finding in report.wrong().items():
        if name not in {"telemetry", "policy"}:
            yield sentence(
                "note ({channel}, {name}): {found}; {next}",
                channel=report.channel,
                name=name,
                found=finding.found,
                next=finding.next,
            )


# ---- how messages come in


def _why_channels_are_off(report: Report) -> str:
    """Why the host would drop every push, in words; "" if nothing says so."""
    telemetry, policy = report.findings.get("telemetry"), report.findings.get("policy")
    if telemetry is not None and telemetry.state in {"wrong", "note"}:
        return _with_evidence(telemetry)
    if policy is not None and policy.state == "wrong":
        if CHANNELS_OFF in policy.evidence:
            return _with_evidence(policy)
        raise ConfigError(
            sentence("{found} ({evidence}); {next}", found=policy.found, evidence=policy.evidence, next=policy.next)
        )
    return ""


def _with_evidence(finding: Finding) -> str:
    return sentence("{found} ({evidence})", found=finding.found, evidence=finding.evidence)


def _hook_flags(host: str, name: str, report: Report, reason: str) -> tuple[list[str], str]:
    """Return the flags that bring the hooks along, unless they are installed, and a remark."""
    finding = report.findings.get("hooks")
    if finding is not None and finding.state == "ok":
        return [], sentence(
            "channels cannot work here: {reason}. The hooks bring the messages instead; they are installed.",
            reason=reason,
        )
    hooks = shipped_hooks(Environment(name))
    for event, groups in _turn_hooks(host, name, report).items():
        hooks.setdefault(event, []).extend(groups)
    return _settings(hooks), sentence(
        "channels cannot work here: {reason}. The hooks bring the messages instead, for this session.", reason=reason
    )


def _turn_hooks(host: str, name: str, report: Report) -> dict[str, list[dict[str, Any]]]:
    """Return the hooks that call the running servers, unless they are installed or come with the plugin."""
    finding = report.findings.get("hooks")
    if finding is not None and finding.state == "ok":
        return {}
    servers = turn_hook_servers(Environment(name), host)
    return turn_hooks(servers) if servers else {}


def _settings(hooks: dict[str, list[dict[str, Any]]]) -> list[str]:
    return ["--settings", json.dumps({"hooks": hooks}, ensure_ascii=False)] if hooks else []


def _channel_flags(names: list[str]) -> tuple[list[str], str]:
    """Return the flags that opt in to channels, and a remark on what they mean."""
    if (allowed := _allowed_plugin()) is not None:
        return [ALLOWED, f"plugin:{allowed}"], sentence("the plugin {plugin} is an allowed channel.", plugin=allowed)
    plugin = enabled_plugin(os.environ)
    sources = [f"plugin:{plugin}"] if plugin else [f"server:{entry_name(Environment(name))}" for name in names]
    remark = sentence(
        "{sources} is not on a list of allowed channels, so the host is started with {flag} and asks you whether you "
        "trust it: it is this program, started as your .mcp.json or the plugin says.",
        sources=" ".join(sources),
        flag=DEVELOPMENT,
    )
    return [DEVELOPMENT, *sources], remark


def _allowed_plugin() -> str | None:
    """Return our plugin if it is enabled and the host takes it for a channel without asking; else None."""
    plugin = enabled_plugin(os.environ)
    return plugin if plugin is not None and _is_allowed(plugin) else None


def _is_allowed(plugin: str) -> bool:
    """Return whether the organisation's settings list the plugin among the allowed channels."""
    name, _, marketplace = plugin.partition("@")
    return any(entry.get("plugin") == name and entry.get("marketplace") == marketplace for entry in _allowed_plugins())


def _allowed_plugins() -> Iterator[dict[str, Any]]:
    for path in managed_files():
        try:
            allowed = read_json(path).get("allowedChannelPlugins")
        except ConfigError:
            # The doctor's report names this file.
            continue
        yield from (entry for entry in (allowed if isinstance(allowed, list) else ()) if isinstance(entry, dict))
