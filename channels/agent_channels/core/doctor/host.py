"""Checks of the agent host: how it is told of this server, and what keeps it from showing messages."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.contract.checks import Finding, Setup, fine, note, wrong
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import (
    config_dir,
    enabled_plugin,
    hook_commands,
    managed_files,
    program_exists,
    read_json,
    serves,
    settings_files,
)
from agent_channels.core.host.process import channel_flag
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, project_dir

__all__ = ["CHANNELS_OFF", "entry", "entry_name", "flag", "hooks", "mode", "policy", "telemetry"]

# Any value counts: with one of these the host asks nobody which features are on, and channels are one of them.
TELEMETRY = ("DISABLE_TELEMETRY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")
PROVIDERS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
# The hooks that bring messages; without the others only prompts stay at the terminal.
CARRY = {"bell", "stop", "prompt"}
CHANNELS_OFF = "channels are off"


def entry(case: Setup) -> Finding:
    """Whether a host is told to start this server."""
    channel, environ, path = case.env.channel, case.env.environ, project_dir(case.env.environ) / ".mcp.json"
    way = f"`channels setup {channel} --mcp-json yes` writes it"
    try:
        ours = _entries(case.env)
    except ConfigError as error:
        return wrong("the host's list of servers cannot be read", str(error), "mend that file")
    if not ours:
        if case.holder or env_value("CLAUDE_PLUGIN_ROOT", environ) or enabled_plugin(environ):
            return fine("the server is started by something other than .mcp.json")
        return wrong("no agent host is told to start this server", f"no entry for it in {path}", way)
    name, found = next(iter(ours.items()))
    command = str(found.get("command") or "")
    if not program_exists(command, environ):
        return wrong(
            f"the entry {name!r} of .mcp.json starts a program that is not there",
            f"command {command!r}",
            f"install this program there, or take the entry out and write it anew: {way}",
        )
    off = [str(file) for file, found in _settings(environ) if name in (found.get("disabledMcpjsonServers") or ())]
    if off:
        return wrong(f"the server {name!r} is disabled in the host's settings", f"disabledMcpjsonServers in {off[0]}",
                     "take it out of that list, or choose it again in the host's /mcp")  # fmt: skip
    return fine(f"the host is told to start it, as {name!r}", str(path))


def entry_name(env: Environment) -> str:
    """What the host's list of servers calls this channel's; the channel's own name when it is in no list."""
    return next(iter(_entries(env)), env.channel)


def _entries(env: Environment) -> dict[str, Any]:
    """The entries that start this server, the project's own last; raises `ConfigError` for a list that is no JSON."""
    everywhere = _servers(read_json(config_dir(env.environ).parent / ".claude.json"))
    servers = _servers(read_json(project_dir(env.environ) / ".mcp.json"))
    return {name: one for name, one in {**everywhere, **servers}.items() if serves(one, env.channel)}


def _servers(found: Mapping[str, Any]) -> dict[str, Any]:
    servers = found.get("mcpServers")
    return servers if isinstance(servers, dict) else {}


def _settings(environ: Mapping[str, str]) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in settings_files(environ):
        try:
            found.append((path, read_json(path)))
        except ConfigError:
            # The check `hooks` says so.
            continue
    return found


def hooks(case: Setup) -> Finding:
    """Which of our hooks are installed, and whether they can run."""
    environ, way = case.env.environ, f"`channels setup {case.env.channel} --hooks yes` installs them"
    installed: dict[str, str] = {}
    for path in settings_files(environ):
        try:
            found = read_json(path)
        except ConfigError as error:
            return wrong("a settings file of the host cannot be read", str(error), "mend that file")
        if found.get("disableAllHooks") is True:
            return wrong("the host's hooks are switched off", f"disableAllHooks in {path}", "take that line out")
        installed |= dict(hook_commands(found))
    if not installed:
        if env_value("CLAUDE_PLUGIN_ROOT", environ) or enabled_plugin(environ):
            return fine("the hooks come with the plugin")
        return note("the hooks are not installed, so prompts stay at the terminal", "", way)
    dead = sorted({command for command in installed.values() if not program_exists(command, environ)})
    if dead:
        return wrong("hooks are installed that cannot run", ", ".join(dead), f"install this program there, or: {way}")
    missing = CARRY - set(installed)
    if missing:
        return note(f"some hooks are missing: {', '.join(sorted(missing))}", "", way)
    return fine("the hooks are installed", ", ".join(sorted(installed)))


def flag(case: Setup) -> Finding:
    """Whether the host's command line opted in to channels."""
    found = channel_flag(case.env.channel, _server_pid(case))
    if found:
        return fine("the host was started with its channel flag", found)
    return note(
        "no host with a channel flag is running it",
        "no such flag in the command lines above "
        + (f"process {_server_pid(case)}" if _server_pid(case) else "this process"),
        "needed for pushes only; the session's inbox socket, the hooks and wait_for_messages work without",
    )


def _server_pid(case: Setup) -> int | None:
    holder = case.holder
    return int(holder["pid"]) if holder and holder["host"] == socket.gethostname() else None


def telemetry(case: Setup) -> Finding:
    """Variables that switch channels off in the host, whatever its command line says."""
    here = _named(case.env.environ, "this shell")
    for path, found in _settings(case.env.environ):
        if isinstance(found.get("env"), dict):
            here |= _named(found["env"], str(path))
    pid = _server_pid(case)
    if pid:
        here |= _named(_environ_of(pid), f"the server's process {pid}")
    if not here:
        return fine("no variable switches channels off in the host")
    evidence = "; ".join(f"{name} is set in {where}" for name, where in here.items())
    names = ", ".join(here)
    if _installed(case.env.environ) >= CARRY or enabled_plugin(case.env.environ):
        return note(f"{names} switch pushes off in the host; the hooks bring messages all the same", evidence)
    return wrong(
        f"{names}: with any value, the host shows no channel messages and says nothing about it",
        evidence,
        f"unset it before the host starts, or have the hooks bring messages: `channels setup {case.env.channel} "
        "--hooks yes`",
    )


def _installed(environ: Mapping[str, str]) -> set[str]:
    return {name for _, found in _settings(environ) for name, _ in hook_commands(found)}


def _named(environ: Mapping[str, Any], where: str) -> dict[str, str]:
    return {name: where for name in (*TELEMETRY, *PROVIDERS) if str(environ.get(name) or "").strip()}


def _environ_of(pid: int) -> dict[str, str]:
    """Another process's environment, where the system shows it to this user."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return {}
    return dict(part.partition("=")[::2] for part in raw.split("\0") if "=" in part)


def policy(case: Setup, files: Sequence[Path] | None = None) -> Finding:
    """What the organisation's managed settings forbid."""
    forbidden: list[str] = []
    named = managed_files() if files is None else files
    for path in named:
        try:
            found = read_json(path)
        except ConfigError as error:
            return note("the organisation's settings cannot be read", str(error))
        forbidden += [f"{words} ({path})" for words in _forbids(found, case.env.channel)]
    if forbidden:
        return wrong(
            "the organisation's policy keeps the host from working with this server",
            "; ".join(forbidden),
            "ask whoever administers the host; until then only what the policy leaves works (`wait_for_messages`)",
        )
    present = [str(path) for path in named if os.path.exists(path)]  # noqa: PTH110 - may be forbidden to look at
    return fine("no policy stands against it", ", ".join(present) or "there are no managed settings")


def _forbids(found: Mapping[str, Any], channel: str) -> list[str]:
    words = []
    if found.get("channelsEnabled") is False:
        words.append(f"{CHANNELS_OFF}: channelsEnabled is false")
    if found.get("disableAllHooks") is True:
        words.append("hooks are off: disableAllHooks")
    if found.get("allowManagedHooksOnly") is True:
        words.append("only the organisation's own hooks run: allowManagedHooksOnly")
    if found.get("crossSessionInbound") == "refuse":
        words.append("the session's inbox is closed: crossSessionInbound is refuse")
    denied, allowed = found.get("deniedMcpServers"), found.get("allowedMcpServers")
    if isinstance(denied, list) and _lists(denied, channel):
        words.append(f"the server {channel!r} is among deniedMcpServers")
    if isinstance(allowed, list) and not _lists(allowed, channel):
        words.append(f"the server {channel!r} is not among allowedMcpServers")
    return words


def _lists(servers: list[Any], channel: str) -> bool:
    return any(
        isinstance(one, dict) and (one.get("serverName") == channel or "serverCommand" in one) for one in servers
    )


def mode(case: Setup) -> Finding:
    """How messages reach the agent now."""
    claim = case.settings.claim if case.settings else "auto"
    if claim == "never":
        return wrong("the bot is never read here", "claim: never", "set `claim: auto` (config.yaml, CHANNELS_CLAIM)")
    found = case.facts.get("mode") or {"name": "none", "why": "no running server reads this bot"}
    if found["name"] != "none":
        return fine(f"messages go by {found['name']}", found["why"])
    if "is attached" in found["why"] and "reads this bot" not in found["why"]:
        return wrong(
            "a server is attached to a host and does not read the bot",
            found["why"],
            f"one of the ways that it names; the surest are the hooks: `channels setup {case.env.channel} --hooks yes`",
        )
    return note("nothing delivers now", found["why"], "start your agent host in the project")
