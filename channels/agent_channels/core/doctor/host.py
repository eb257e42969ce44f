"""Checks of the agent host: whether it starts this server, and what keeps it from showing messages."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.contract.checks import Finding, Setup, fine, note, wrong
from agent_channels.core.doctor.agent_hosts import hosts_set_up
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import (
    config_dir,
    enabled_plugin,
    foreign_server,
    foreign_variables,
    hook_commands,
    is_this_program,
    managed_files,
    program_exists,
    read_json,
    settings_files,
    turn_hook_servers,
)
from agent_channels.core.host.process import channel_flag
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, project_dir

__all__ = ["CHANNELS_OFF", "entry", "entry_name", "entry_names", "flag", "hooks", "mode", "policy", "telemetry"]

# With one of these, whatever its value, the host does not ask which features are enabled, and channels are one of them.
TELEMETRY = ("DISABLE_TELEMETRY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")
PROVIDERS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
# The hooks that deliver messages; without the others only prompts stay at the terminal.
DELIVERY_HOOKS = {"bell", "stop", "prompt"}
CHANNELS_OFF = "channels are off"


def entry(setup: Setup) -> Finding:
    """Check that a host is configured to start this server, with this program."""
    channel, environ, path = setup.env.channel, setup.env.environ, project_dir(setup.env.environ) / ".mcp.json"
    add_entry = sentence("`channels setup {channel} --mcp-json yes` adds it", channel=channel)
    try:
        ours, foreign = _entries(setup.env)
    except ConfigError as error:
        return wrong("the host's list of servers cannot be read", words_of(error), "fix that file")
    if foreign:
        name, reason = next(iter(foreign.items()))
        return wrong(
            sentence("the entry {name!r} of .mcp.json is not this program", name=name[:40]),
            sentence("{reason} ({path})", reason=reason, path=path),
            sentence(
                "it may have come with a repository: remove it unless it is yours; {add_entry}", add_entry=add_entry
            ),
        )
    if variables := foreign_variables(channel, environ):
        return wrong(
            "the project's settings set variables that steer this program",
            variables,
            "they may have come with a repository: remove them, or set them in your own settings or environment",
        )
    if not ours:
        if setup.holder or env_value("CLAUDE_PLUGIN_ROOT", environ) or enabled_plugin(environ):
            return fine("the server is started by something other than .mcp.json")
        if others := hosts_set_up(setup.env):
            return fine(sentence("{hosts} starts it", hosts=joined((found.title for found in others), ", ")))
        return wrong(
            "no agent host is configured to start this server",
            sentence("{path} has no entry for it", path=path),
            add_entry,
        )
    name = ours[0]
    for settings_path, settings in _host_settings(environ):
        disabled = settings.get("disabledMcpjsonServers")
        if isinstance(disabled, list) and name in disabled:
            return wrong(
                sentence("the server {name!r} is disabled in the host's settings", name=name),
                sentence("disabledMcpjsonServers in {settings_path}", settings_path=settings_path),
                "remove it from that list, or enable it with /mcp in the host",
            )
    return fine(sentence("the host is configured to start it, as {name!r}", name=name), str(path))


def entry_name(env: Environment) -> str:
    """Return the name of this channel's server in the host's list; the name of the channel if it is not listed.

    Raises `ConfigError` if an entry that looks like it is not this program.
    """
    ours, foreign = _entries(env)
    if foreign:
        name, reason = next(iter(foreign.items()))
        raise ConfigError(
            sentence(
                "the entry {name!r} of .mcp.json is not this program: {reason}; it may have come with a repository, "
                "so the host is not started with it as a trusted channel. Remove it, or correct it with "
                "`channels setup {channel} --mcp-json yes`",
                name=name[:40],
                reason=reason,
                channel=env.channel,
            )
        )
    return next(iter(ours), env.channel)


def entry_names(env: Environment) -> list[str]:
    """Return every name under which the host's lists start this channel's server. Raises `ConfigError`."""
    return _entries(env)[0]


def _entries(env: Environment) -> tuple[list[str], dict[str, str]]:
    """Return the names of the host's entries that start this server, and why others that look like it do not.

    The project's own list replaces entries of the same name. Raises `ConfigError` for a list that is not JSON.
    """
    user = _servers(read_json(config_dir(env.environ).parent / ".claude.json"))
    project = _servers(read_json(project_dir(env.environ) / ".mcp.json"))
    ours: list[str] = []
    foreign: dict[str, str] = {}
    for name, config in {**user, **project}.items():
        reason = foreign_server(name, config, env.channel, env.environ)
        # What stands in the user's own list alone, the user wrote: how to start this program is theirs to choose.
        if reason == "" or (reason is not None and name not in project and name == env.channel):
            ours.append(name)
        elif reason is not None:
            foreign[name] = reason
    return ours, foreign


def _servers(config: Mapping[str, Any]) -> dict[str, Any]:
    servers = config.get("mcpServers")
    return servers if isinstance(servers, dict) else {}


def _host_settings(environ: Mapping[str, str]) -> list[tuple[Path, dict[str, Any]]]:
    """Return the host's settings files that can be read, with their content; the check `hooks` reports the others."""
    readable = []
    for path in settings_files(environ):
        try:
            readable.append((path, read_json(path)))
        except ConfigError:
            continue
    return readable


def hooks(setup: Setup) -> Finding:
    """Check that our hooks are installed and can run."""
    environ, channel = setup.env.environ, setup.env.channel
    install = sentence("`channels setup {channel} --hooks yes` installs them", channel=channel)
    installed: dict[str, str] = {}
    called: set[str] = set()
    for path in settings_files(environ):
        try:
            settings = read_json(path)
        except ConfigError as error:
            return wrong("a settings file of the host cannot be read", words_of(error), "fix that file")
        if settings.get("disableAllHooks") is True:
            return wrong(
                "the host's hooks are switched off",
                sentence("disableAllHooks in {path}", path=path),
                "remove that line",
            )
        installed |= dict(hook_commands(settings))
        called |= turn_hook_servers(settings)
    if not installed:
        if env_value("CLAUDE_PLUGIN_ROOT", environ) or enabled_plugin(environ):
            return fine("the hooks come with the plugin")
        return note("the hooks are not installed, so prompts stay at the terminal", "", install)
    broken = sorted({command for command in installed.values() if not program_exists(command, environ)})
    if broken:
        return wrong(
            "the installed hooks cannot run",
            ", ".join(command[:200] for command in broken),
            sentence("install this program there, or: {install}", install=install),
        )
    foreign = sorted({command for command in installed.values() if not is_this_program(command, environ)})
    if foreign:
        return wrong(
            "hooks with our names start another program",
            ", ".join(repr(command[:200]) for command in foreign),
            sentence(
                "they may have come with a repository: remove them unless they are yours; {install}", install=install
            ),
        )
    return _turn_hooks(called, set(installed), install, environ)


def _turn_hooks(called: set[str], installed: set[str], install: str, environ: Mapping[str, str]) -> Finding:
    """Check the hooks that call running servers; `installed` are the names of our commands."""
    if stale := sorted(called - _started_servers(environ)):
        return note(
            "hooks call a server that the host does not start, which shows an error at every step",
            ", ".join(repr(name[:40]) for name in stale),
            install,
        )
    missing = DELIVERY_HOOKS - installed - ({"prompt"} if called else set())
    if missing:
        return note(sentence("some hooks are missing: {missing}", missing=", ".join(sorted(missing))), "", install)
    if not called:
        return note(
            "the phone does not see what the agent does, and cannot stop it: the hooks of turns are missing",
            "they need Claude Code 2.1.118 or later",
            install,
        )
    return fine("the hooks are installed", ", ".join([*sorted(installed), *sorted(called)]))


def _started_servers(environ: Mapping[str, str]) -> set[str]:
    """Return the names of every server in the host's own lists."""
    try:
        files = (config_dir(environ).parent / ".claude.json", project_dir(environ) / ".mcp.json")
        return {name for path in files for name in _servers(read_json(path))}
    except ConfigError:
        return set()


def flag(setup: Setup) -> Finding:
    """Check whether the host's command line opted in to channels."""
    pid = _server_pid(setup)
    found = channel_flag(setup.env.channel, pid)
    if found:
        return fine("the host was started with its channel flag", found)
    return note(
        "no host with a channel flag runs this server",
        sentence("no such flag in the command lines above process {pid}", pid=pid)
        if pid
        else "no such flag in the command lines above this process",
        "only pushes need it; the session's inbox socket, the hooks and wait_for_messages work without",
    )


def _server_pid(setup: Setup) -> int | None:
    """Return the id of the process that reads the bot, if it runs on this machine."""
    holder = setup.holder
    return int(holder["pid"]) if holder and holder["host"] == socket.gethostname() else None


def telemetry(setup: Setup) -> Finding:
    """Check for environment variables that switch channels off in the host, whatever its command line says."""
    environ, pid = setup.env.environ, _server_pid(setup)
    variables = _switches(environ, "this shell")
    for path, settings in _host_settings(environ):
        if isinstance(settings.get("env"), dict):
            variables |= _switches(settings["env"], str(path))
    if pid:
        variables |= _switches(_environ_of(pid), sentence("the server's process {pid}", pid=pid))
    if not variables:
        return fine("no environment variable switches channels off in the host")
    evidence = joined(sentence("{name} is set in {place}", name=name, place=place) for name, place in variables.items())
    names = ", ".join(variables)
    if _installed_hooks(environ) >= DELIVERY_HOOKS or enabled_plugin(environ):
        return note(
            sentence("pushes are switched off in the host by {names}; the hooks deliver messages instead", names=names),
            evidence,
        )
    return wrong(
        sentence("{names}: with any value, the host shows no channel messages, and does not say so", names=names),
        evidence,
        sentence(
            "unset it before the host starts, or let the hooks deliver messages: `channels setup {channel} "
            "--hooks yes`",
            channel=setup.env.channel,
        ),
    )


def _installed_hooks(environ: Mapping[str, str]) -> set[str]:
    return {name for _, settings in _host_settings(environ) for name, _ in hook_commands(settings)}


def _switches(environ: Mapping[str, Any], place: str) -> dict[str, str]:
    """Return the variables that switch channels off, each with the place where it is set."""
    return {name: place for name in (*TELEMETRY, *PROVIDERS) if str(environ.get(name) or "").strip()}


def _environ_of(pid: int) -> dict[str, str]:
    """Return the environment of another process; empty where the system does not show it to this user."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return {}
    return dict(part.partition("=")[::2] for part in raw.split("\0") if "=" in part)


def policy(setup: Setup, files: Sequence[Path] | None = None) -> Finding:
    """Check what the organisation's managed settings forbid."""
    paths = managed_files() if files is None else files
    restrictions: list[str] = []
    for path in paths:
        try:
            settings = read_json(path)
        except ConfigError as error:
            return note("the organisation's settings cannot be read", words_of(error))
        restrictions += [
            sentence("{restriction} ({path})", restriction=restriction, path=path)
            for restriction in _restrictions(settings, setup.env.channel)
        ]
    if restrictions:
        return wrong(
            "the organisation's policy keeps the host from working with this server",
            joined(restrictions),
            "ask the administrator of the host; until then only what the policy allows works (`wait_for_messages`)",
        )
    existing = [str(path) for path in paths if os.path.exists(path)]  # noqa: PTH110 - looking may be forbidden
    return fine("the organisation restricts nothing here", ", ".join(existing) or "there are no managed settings")


def _restrictions(settings: Mapping[str, Any], channel: str) -> list[str]:
    restrictions: list[str] = []
    if settings.get("channelsEnabled") is False:
        restrictions.append(sentence("{what}: channelsEnabled is false", what=CHANNELS_OFF))
    if settings.get("disableAllHooks") is True:
        restrictions.append("hooks are off: disableAllHooks")
    if settings.get("allowManagedHooksOnly") is True:
        restrictions.append("only the organisation's own hooks run: allowManagedHooksOnly")
    if settings.get("crossSessionInbound") == "refuse":
        restrictions.append("the session's inbox is closed: crossSessionInbound is refuse")
    denied, allowed = settings.get("deniedMcpServers"), settings.get("allowedMcpServers")
    if isinstance(denied, list) and _matches(denied, channel):
        restrictions.append(sentence("the server {channel!r} is listed in deniedMcpServers", channel=channel))
    if isinstance(allowed, list) and not _matches(allowed, channel):
        restrictions.append(sentence("the server {channel!r} is not listed in allowedMcpServers", channel=channel))
    return restrictions


def _matches(servers: list[Any], channel: str) -> bool:
    """Return True if a list of servers names this one, or names servers by their commands."""
    return any(
        isinstance(server, dict) and (server.get("serverName") == channel or "serverCommand" in server)
        for server in servers
    )


def mode(setup: Setup) -> Finding:
    """Check how messages reach the agent now."""
    if setup.settings and setup.settings.claim == "never":
        return wrong(
            "the bot is never read here",
            "claim: never",
            "set `claim: auto` (config.yaml, CHANNELS_CLAIM)",
        )
    current = setup.facts.get("mode") or {"name": "none", "why": "no running server reads this bot"}
    if current["name"] != "none":
        return fine(sentence("messages are delivered by {name}", name=current["name"]), current["why"])
    idle = setup.facts.get("idle_server")
    if idle and setup.holder is None:
        return wrong(
            "a server is attached to a host but does not read the bot",
            idle,
            sentence(
                "use one of the ways named there; the hooks are the most reliable: `channels setup {channel} "
                "--hooks yes`",
                channel=setup.env.channel,
            ),
        )
    return note("messages are not delivered now", current["why"], "start your agent host in the project")
