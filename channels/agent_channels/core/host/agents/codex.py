"""Codex CLI, as version 0.171.0 was measured.

Its hooks speak Claude Code's JSON with few differences (`hooks/hosts/codex.py`, `core/host/codex_hooks.py`). They lie
beside its configuration in the project, which Codex reads once the project is trusted, and each runs once somebody
has reviewed it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.contract.checks import Finding, fine, note
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import Ability, AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import hook_groups, hooks_part, json_file, server_entry
from agent_channels.core.host.agents.toml_files import toml_servers
from agent_channels.core.host.codex_hooks import EVENTS, hook_entry
from agent_channels.core.host.codex_queue import CodexQueue
from agent_channels.core.host.config_files import read_text
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, expand_home, project_dir

__all__ = ["HOST"]

NAME = "codex"
# Codex starts a server with few variables of its own; these are passed on if they are set.
CHANNELS_OWN = ("BOT_TOKEN", "APP_TOKEN", "API_ROOT", "PROXY")
PASSED_ON = ("CODEX_HOME", *CHANNELS_OWN, "CHANNELS_MODE", "CHANNELS_CLAIM")
# Our commands by event of Codex's, each with its bound in seconds.
COMMANDS = {"SessionStart": ("session", 10), "PermissionRequest": ("permission", 310), "Stop": ("stop", 3660)}


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    env = environments[0]
    folder = project_dir(env.environ).absolute() / ".codex"
    return [
        toml_servers(folder / "config.toml", environments, "mcp_servers", _entry),
        json_file(folder / "hooks.json", sentence("the hooks"), hooks_part(_hooks(environments), env.environ)),
    ]


def _entry(env: Environment) -> dict[str, Any]:
    prefix = env.channel.upper()
    named = [f"{prefix}_{name}" if name in CHANNELS_OWN else name for name in PASSED_ON]
    return {**server_entry(env), "env_vars": named, "tool_timeout_sec": 300, "default_tools_approval_mode": "approve"}


def _hooks(environments: Sequence[Environment]) -> dict[str, list[dict[str, Any]]]:
    hooks = hook_groups(COMMANDS, NAME)
    for event in EVENTS:
        hooks.setdefault(event, []).append({"hooks": [hook_entry(event, env.channel) for env in environments]})
    return hooks


def _trust(env: Environment) -> Finding:
    """Check that Codex reads this project's own configuration."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = Path(env_value("CODEX_HOME", env.environ) or expand_home("~/.codex")) / "config.toml"
    project = str(project_dir(env.environ).resolve())
    try:
        known = tomlkit.parse(read_text(path)).unwrap().get("projects", {})
        level = known.get(project, {}).get("trust_level")
    except (ConfigError, TOMLKitError, AttributeError):
        return note(sentence("{path} cannot be read", path=path), "", "fix that file")
    if level == "trusted":
        return fine("Codex trusts this project, and reads its .codex folder", str(path))
    return note(
        "Codex reads the .codex folder of this project only once it trusts the project",
        sentence("{path} does not say so for {project}", path=path, project=project),
        "start codex in the project, and answer its question with yes",
    )


def _reviews(_env: Environment) -> Finding:
    """Say where Codex asks about hooks; which of them it runs is recorded in a form of its own."""
    return note(
        "Codex runs a hook only once you have reviewed it",
        "",
        "type /hooks in Codex after each set-up, and trust those that start this program",
    )


HOST = AgentHost(
    name=NAME,
    title="Codex CLI",
    program="codex",
    limits=HostLimits(call_s=300, result_max=10_000, in_bytes=True, context_max=3_000),
    files=_files,
    checks={"project trust": _trust, "hook review": _reviews},
    bell=lambda env: CodexQueue(env.environ),
    wake=Ability("`codex queue` gives the session a prompt"),
    hand_over=Ability("the hook Stop"),
    permission=Ability("the hook PermissionRequest"),
    stop=Ability("the hook PreToolUse refuses every further tool"),
)
