"""Gemini CLI, as version 0.61.0 was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_channels.core.host.agents.agent_host import Ability, AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import hook_groups, hooks_part, json_file, server_entry, servers_part
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir

__all__ = ["HOST"]

# In milliseconds, as this host counts; each as long as the same hook has elsewhere (hooks.json).
_QUICK, _WAITING = 10_000, 3_660_000


def _entry(env: Environment) -> dict[str, Any]:
    # Without it, it asks each time whether a tool of the server may be used, and nobody is there.
    return {**server_entry(env), "trust": True}


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    environ = environments[0].environ
    hooks = {
        "SessionStart": ("session", _QUICK),
        "BeforeAgent": ("prompt", _QUICK),
        "BeforeTool": ("step", _QUICK),
        "AfterTool": ("step", _QUICK),
        "AfterAgent": ("stop", _WAITING),
        "Notification": ("dialog", _QUICK),
        "SessionEnd": ("end", _QUICK),
    }
    return [
        json_file(
            project_dir(environ) / ".gemini" / "settings.json",
            sentence("the server and the hooks"),
            servers_part(environments, entry=_entry),
            hooks_part(hook_groups(hooks, "gemini"), environ),
            comments=True,
        )
    ]


HOST = AgentHost(
    name="gemini",
    title="Gemini CLI",
    program="gemini",
    limits=HostLimits(call_s=130, result_max=13_800),
    files=_files,
    hand_over=Ability("hooks: at a turn's end, and after each tool"),
    stop=Ability("a hook, at the next tool"),
)
