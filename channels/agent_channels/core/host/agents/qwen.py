"""Qwen Code, as version 0.24.4 was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_channels.core.host.agents.agent_host import Ability, AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import hook_groups, hooks_part, json_file, server_entry, servers_part
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir

__all__ = ["HOST"]

# It takes a number from 1,000 on for milliseconds, and smaller ones for seconds from some version on.
_QUICK, _ASKING, _WAITING = 10_000, 310_000, 3_660_000


def _entry(env: Environment) -> dict[str, Any]:
    # Without `trust` it asks each time whether a tool of the server may be used, and nobody is there; without the other
    # its agent has to search for the tools first.
    return {**server_entry(env), "trust": True, "alwaysLoadTools": True}


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    environ = environments[0].environ
    hooks = {
        "SessionStart": ("session", _QUICK),
        "PreToolUse": ("step", _QUICK),
        "PostToolBatch": ("step", _QUICK),
        "PermissionRequest": ("permission", _ASKING),
        "Stop": ("stop", _WAITING),
        "SessionEnd": ("end", _QUICK),
    }
    return [
        json_file(
            project_dir(environ) / ".qwen" / "settings.json",
            sentence("the server and the hooks"),
            servers_part(environments, entry=_entry),
            hooks_part(hook_groups(hooks, "qwen"), environ),
            comments=True,
        )
    ]


HOST = AgentHost(
    name="qwen",
    title="Qwen Code",
    program="qwen",
    limits=HostLimits(call_s=130, result_max=24_000),
    files=_files,
    wake=Ability("the inbox of its session, which it names to the programs that it starts"),
    hand_over=Ability("hooks: at a turn's end, and after each step"),
    permission=Ability("a hook: the card's answer decides, beside the terminal's dialog"),
    stop=Ability("a hook, at the next tool"),
)
